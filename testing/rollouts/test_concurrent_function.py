"""Fifty invocations at once of the deployed function, which nothing holds back: no concurrency is reserved for it."""

import json
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import boto3
import pytest
from botocore.config import Config
from support.make import Workspace

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

UPDATES = 50
PATIENCE = 400


@pytest.fixture(name="deployed", scope="module")
def _deployed(tmp_path_factory, package, aws_cli):
    """An emulator with service, ledger and function, for which nothing is reserved."""
    settings = {"SAM_MODE": "emulator", "RESERVED_CONCURRENCY": "-1", "AWS_CLI": aws_cli}
    here = Workspace(tmp_path_factory.mktemp("concurrent"), **settings)
    here.bring(package)
    try:
        result = here.make("emulator-up", "deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-sam")
        assert result.status == 0, result.output
        yield here
        result = here.make("clean")
        assert result.status == 0, result.output
        assert not here.left()
    finally:
        here.end()


@pytest.fixture(name="client")
def _client(deployed):
    """Makes clients of the emulator that send nothing twice, and closes their connections in the end."""
    config = Config(proxies={}, retries={"total_max_attempts": 1}, read_timeout=PATIENCE, max_pool_connections=UPDATES)
    with ExitStack() as clients:
        yield lambda service: clients.enter_context(
            closing(boto3.client(service, endpoint_url=f"http://127.0.0.1:{deployed.port}", config=config))
        )


def update(function, number, deadline, done):
    """Sends one update until it has had its turn; how often it was told to try again, and what it was told at last.

    The more are not yet ``done``, the longer it waits: the emulator starts a new process for each that is told to try again.
    """
    event = {
        "ecs_cluster_name": "ECSCluster",
        "ecs_service_name": "ecs-dummy-service",
        "ecs_image_name": f"app:{number}",
        "ecs_tag": {"release": str(number)},
        "request_id": f"request-{number}",
    }
    tries = 0
    while True:
        answer = function.invoke(FunctionName="ecs-updater", Payload=json.dumps(event).encode())
        told = json.loads(answer["Payload"].read())
        if "FunctionError" not in answer or "is held by another update" not in told["errorMessage"]:
            done.append(number)
            return tries, told
        assert time.monotonic() < deadline, f"update {number} never had its turn: {told}"
        tries += 1
        time.sleep(random.uniform(2, 2 + UPDATES - len(done)))


def start(function):
    """Has its part in letting fifty processes of the function start, which keeps the emulator from much else for a while.

    A dry run does not ask the ledger. It may not fail: the emulator ends a process whose answer is an error.
    """
    event = {"ecs_cluster_name": "ECSCluster", "ecs_service_name": "ecs-dummy-service", "ecs_image_name": "app:1", "ecs_tag": {}}
    told = function.invoke(FunctionName="ecs-updater", Payload=json.dumps(event | {"dry_run": True}))
    answer = json.loads(told["Payload"].read())
    assert answer.get("statusCode") == 200, answer


def check_service(ecs, task_definition, release):
    """The last one has won."""
    (service,) = ecs.describe_services(cluster="ECSCluster", services=["ecs-dummy-service"], include=["TAGS"])["services"]
    assert service["taskDefinition"] == task_definition
    assert {tag["key"]: tag["value"] for tag in service["tags"]} == {"release": release}


def test_fifty_invocations_at_once_come_one_at_a_time(client, figure):
    function = client("lambda")
    with ThreadPoolExecutor(UPDATES) as pool:
        list(pool.map(lambda _: start(function), range(UPDATES)))
        begin, done = time.monotonic(), []
        told = list(pool.map(lambda number: update(function, number, begin + PATIENCE, done), range(UPDATES)))
    seconds = time.monotonic() - begin
    assert not [answer for _, answer in told if answer.get("statusCode") != 200]

    pages = client("dynamodb").get_paginator("scan").paginate(TableName="ecs-updater-ledger", ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    entries = sorted((item for item in items if item["sk"]["S"].startswith("UPDATE#")), key=lambda item: item["sk"]["S"])
    assert {entry["request_id"]["S"] for entry in entries} == {f"request-{number}" for number in range(UPDATES)}
    assert len(entries) == UPDATES
    before, after = ([entry[side]["M"]["task_definition_arn"]["S"] for entry in entries] for side in ("before", "after"))
    assert before[1:] == after[:-1] and len(set(after)) == UPDATES  # Each was planned from what the one before it made.
    revisions = [int(arn.rpartition(":")[2]) for arn in after]
    assert revisions == list(range(revisions[0], revisions[0] + UPDATES))  # In order, and none for nothing.
    assert "holder" not in next(item for item in items if item["sk"]["S"] == "LEASE")

    again = sum(tries for tries, _ in told)
    assert again, "they came one after the other anyway: nothing was proved"
    figure("fifty invocations at once of the deployed function", f"{again} times told to try again, {seconds:.0f} s")
    check_service(client("ecs"), after[-1], entries[-1]["request_id"]["S"].removeprefix("request-"))
