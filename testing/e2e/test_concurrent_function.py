"""Fifty invocations at once of the deployed function, which nothing holds back: no concurrency is
reserved for it.
"""

import json
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import boto3
import pytest
from botocore.config import Config

from support.make import Workspace, until

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

UPDATES = 50
PATIENCE = 1800
OVERTAKEN = "send it again with another request_id"
AGAIN = ("is held by another update", "of the function's LEDGER_TABLE: ", OVERTAKEN)
"""What an error says after which an event is sent again: on a busy machine the emulator keeps the
ledger waiting.
"""


@pytest.fixture(name="deployed", scope="module")
def _deployed(tmp_path_factory, package, aws_cli):
    """An emulator with service, ledger and function, for which nothing is reserved."""
    settings = {"SAM_MODE": "emulator", "RESERVED_CONCURRENCY": "-1", "AWS_CLI": aws_cli}
    here = Workspace(tmp_path_factory.mktemp("concurrent"), **settings)
    here.bring(package)
    try:
        result = here.make(
            "emulator-up", "deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-sam"
        )
        assert result.status == 0, result.output
        yield here
        result = here.make("clean")
        assert result.status == 0, result.output
        assert not here.left()
    finally:
        here.end()


@pytest.fixture(name="client")
def _client(deployed):
    """Makes clients of the emulator that send nothing twice, and closes their connections in the
    end.
    """
    config = Config(
        proxies={},
        retries={"total_max_attempts": 1},
        read_timeout=PATIENCE,
        max_pool_connections=UPDATES,
    )
    with ExitStack() as clients:
        yield lambda service: clients.enter_context(
            closing(
                boto3.client(
                    service, endpoint_url=f"http://127.0.0.1:{deployed.port}", config=config
                )
            )
        )


def update(function, number, deadline, done):
    """Sends one update until it has had its turn; how often it was sent again, and its last answer.

    The more are not yet ``done``, the longer it waits: the emulator starts a new process for each
    that is told to try again.
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
        if "FunctionError" not in answer or not any(text in told["errorMessage"] for text in AGAIN):
            done.append(number)
            return tries, told
        assert time.monotonic() < deadline, f"update {number} never had its turn: {told}"
        if OVERTAKEN in told["errorMessage"]:
            event["request_id"] += "+"
        tries += 1
        time.sleep(random.uniform(2, 2 + UPDATES - len(done)))


def start(function):
    """Has its part in letting fifty processes of the function start, which keeps the emulator from
    much else for a while.

    A dry run does not ask the ledger. It may not fail: the emulator ends a process whose answer is
    an error.
    """
    event = {
        "ecs_cluster_name": "ECSCluster",
        "ecs_service_name": "ecs-dummy-service",
        "ecs_image_name": "app:1",
        "ecs_tag": {},
    }
    told = function.invoke(
        FunctionName="ecs-updater", Payload=json.dumps(event | {"dry_run": True})
    )
    answer = json.loads(told["Payload"].read())
    assert answer.get("statusCode") == 200, answer


def check_service(ecs, task_definition, release):
    """The last one has won."""
    (service,) = ecs.describe_services(
        cluster="ECSCluster", services=["ecs-dummy-service"], include=["TAGS"]
    )["services"]
    assert service["taskDefinition"] == task_definition
    assert {tag["key"]: tag["value"] for tag in service["tags"]} == {"release": release}


def items_of(dynamodb, kind):
    """The ledger's items whose sort keys begin so."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName="ecs-updater-ledger", ConsistentRead=True
    )
    return [item for page in pages for item in page["Items"] if item["sk"]["S"].startswith(kind)]


def lease_is_free(dynamodb):
    """Whether another update could begin: one whose ledger did not answer leaves its lease to
    expire.
    """
    (lease,) = items_of(dynamodb, "LEASE")
    return "holder" not in lease or float(lease["expires_at"]["N"]) < time.time()


def test_fifty_invocations_at_once_come_one_at_a_time(client, figure):
    function = client("lambda")
    with ThreadPoolExecutor(UPDATES) as pool:
        list(pool.map(lambda _: start(function), range(UPDATES)))
        begin, done = time.monotonic(), []
        told = list(
            pool.map(
                lambda number: update(function, number, begin + PATIENCE, done), range(UPDATES)
            )
        )
    seconds = time.monotonic() - begin
    assert not [answer for _, answer in told if answer.get("statusCode") != 200]

    attempts = sorted(items_of(client("dynamodb"), "UPDATE#"), key=lambda item: item["sk"]["S"])
    entries = [attempt for attempt in attempts if not attempt["may_be_repeated"]["BOOL"]]
    names = [entry["request_id"]["S"].rstrip("+") for entry in entries]
    assert sorted(names) == sorted(f"request-{number}" for number in range(UPDATES))
    before, after = (
        [entry[side]["M"]["task_definition_arn"]["S"] for entry in entries]
        for side in ("before", "after")
    )
    # Each was planned from what the one before it made.
    assert before[1:] == after[:-1] and len(set(after)) == UPDATES
    assert after == sorted(after, key=lambda arn: int(arn.rpartition(":")[2]))
    until(lambda: lease_is_free(client("dynamodb")), "the lease is free")

    again = sum(tries for tries, _ in told)
    assert again, "they came one after the other anyway: nothing was proved"
    figure(
        "fifty invocations at once of the deployed function",
        f"{again} times sent again, {seconds:.0f} s",
    )
    check_service(client("ecs"), after[-1], names[-1].removeprefix("request-"))
