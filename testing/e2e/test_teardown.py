"""The teardown on an emulator of its own: it removes everything that was made here, whatever it was
made with and wherever it was broken off, and nothing else.

What the make steps deploy is removed by the program, as `make clean` calls it; everything else by a
call in this process.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from botocore.client import BaseClient

from support.make import PROJECT, TOOLS, Result
from support.teardown import (
    ACCOUNT,
    BUCKET,
    CLUSTER,
    FAMILY,
    FUNCTION,
    NAMES,
    REGION,
    SERVICE,
    STACK,
    Emulator,
    any_bundle,
    complaints,
    deploy,
    removed,
    start_emulator,
    tear_down,
)
from support.terraform import Terraform

SENDERS = f"{FUNCTION}-fleet-sender-{REGION}"
TABLE, LOG_ROLE = f"{FUNCTION}-ledger", f"{FUNCTION}-api-logs-{REGION}"
KEPT = [f"role {LOG_ROLE} from the settings of API Gateway", f"role {LOG_ROLE}", f"table {TABLE}"]
"""What outlives its stack, and has to be removed on its own."""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture(scope="module", name="shared")
def _shared(workspace) -> Emulator:
    """The emulator of the tests that need not deploy with the make steps."""
    return start_emulator(workspace("teardown"))


@pytest.fixture(name="emulator")
def _emulator(shared) -> Emulator:
    """The emulator with nothing in it."""
    shared.empty()
    return shared


def program(verb: str, url: str) -> Result:
    """Runs the teardown as `make clean` does."""
    done = subprocess.run(
        [TOOLS / "aws" / "bin" / "python3", PROJECT / "scripts" / "teardown", verb, *NAMES],
        env={**os.environ, "AWS_ENDPOINT_URL": url},
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.stdout
    return Result(done.returncode, done.stderr)


# What the pipelines deploy


def test_nothing_is_left_of_what_the_make_steps_deployed_and_a_second_time_has_nothing_to_do(
    workspace_with_package,
):
    here = workspace_with_package("deployed")
    emulator = start_emulator(here)
    before = emulator.inventory()
    parts = ("lambda-sam", "api-aws", "fleet-aws", "push-aws", "codepipeline-aws", "operations-aws")
    targets = [f"deploy-{part}" for part in parts]
    steps = ["deploy-ecs-cluster", "deploy-ecs-service", *targets]
    deployed = here.make(*steps)
    assert deployed.status == 0 and emulator.inventory() > before, deployed.output
    iam = emulator.client("iam")
    iam.create_user(UserName="someone")
    iam.attach_user_policy(UserName="someone", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{SENDERS}")
    ecs = emulator.client("ecs")
    (task,) = ecs.run_task(cluster=CLUSTER, taskDefinition=FAMILY)["tasks"]

    first, second = (
        [program(verb, emulator.url) for verb in ("workload", "infrastructure")] for _ in range(2)
    )

    assert [(result.status, removed(result)) for result in first] == [
        (0, [f"service {SERVICE}", f"1 revision of task definition {FAMILY}"]),
        (
            0,
            [
                *(
                    f"stack {STACK}-{part}"
                    for part in ("operations", "codepipeline", "push", "fleet", "api", "lambda")
                ),
                *(f"stack {STACK}-{part}" for part in ("ledger", "ecs", "vpc")),
                *KEPT,
                f"bucket {BUCKET}",
            ],
        ),
    ]
    assert second == [Result(0, "")] * 2
    (task,) = ecs.describe_tasks(cluster=CLUSTER, tasks=[task["taskArn"]])["tasks"]
    assert task["lastStatus"] == "STOPPED"
    iam.delete_user(UserName="someone")
    assert emulator.inventory() == before


# What stays


@pytest.mark.parametrize("tool", ["", "-tf"], ids=["CloudFormation", "Terraform"])
def test_a_protected_table_outlives_make_clean_and_the_next_deployment_takes_it_with_its_history(
    workspace, package, why_no_terraform, tool
):
    if tool and why_no_terraform:
        pytest.skip(why_no_terraform)
    # Terraform imports the table although nothing else is there.
    steps = ("deploy-lambda-aws-tf",) if tool else ("deploy-ecs-cluster", "deploy-lambda-aws")
    here = workspace(f"protected{tool}")
    emulator = start_emulator(here)
    before = emulator.inventory()
    dynamodb = emulator.client("dynamodb")
    item = {"pk": {"S": "a service"}, "sk": {"S": "an update"}}

    for is_first in (True, False):
        here.bring(package)
        here.make(*steps, DELETION_PROTECTION="true").succeeded()
        if is_first:
            dynamodb.put_item(TableName=TABLE, Item=item)
        assert dynamodb.get_item(TableName=TABLE, Key=item)["Item"] == item
        cleaned = here.make("clean", environment={"KEEP_EMULATOR": "yes"})
        assert (
            cleaned.status
            and f"--table-name {TABLE} --no-deletion-protection-enabled" in cleaned.output
        ), cleaned.output
        assert emulator.inventory() - before == {f"dynamodb tables {TABLE}"}
        # A state that has the table would do.
        shutil.rmtree(here.build / "terraform-local", ignore_errors=True)

    (command,) = re.findall("unlocks it: aws (.*)", cleaned.output)
    environment = {**os.environ, "AWS_ENDPOINT_URL": emulator.url}
    aws = [TOOLS / "aws" / "bin" / "aws", *command.split()]
    subprocess.run(aws, env=environment, check=True, capture_output=True)
    cleaned = here.make("clean", environment={"KEEP_EMULATOR": "yes"})
    assert cleaned.status == 0, cleaned.output
    assert emulator.inventory() == before


# Broken off


class Killed(BaseException):
    """Stands for a kill: nothing catches it, and no call is made after it."""


@contextmanager
def killed_after_a_change() -> Iterator[None]:
    """Lets one call through that changes something, and kills the teardown before its answer
    arrives.
    """
    make_call = BaseClient._make_api_call  # pylint: disable=protected-access
    is_killed = False

    def call(client, operation, parameters):
        nonlocal is_killed
        if is_killed:
            raise Killed
        answer = make_call(client, operation, parameters)
        if operation.startswith(("Describe", "Get", "List")):
            return answer
        is_killed = True
        raise Killed

    with mock.patch.object(BaseClient, "_make_api_call", call):
        yield


def tear_down_killed_again_and_again(emulator: Emulator) -> int:
    """Runs the teardown until it comes to its end, killed at its next change each time; returns how
    often it was killed.
    """
    for kills in range(100):
        try:
            with killed_after_a_change():
                result = tear_down(emulator)
        except Killed:
            continue
        assert result.status == 0, result.output
        return kills
    raise AssertionError("it does not come to its end")


def test_broken_off_after_any_change_it_goes_on_from_there(emulator):
    before = emulator.inventory()
    deploy(emulator)

    kills = tear_down_killed_again_and_again(emulator)

    # The service and the suite's two, seven revisions, two portions of all twelve, six stacks, the
    # table that outlives its stack, what is in the bucket, the bucket.
    assert kills == 3 + 7 + 2 + 6 + 1 + 1 + 1
    assert emulator.inventory() == before
    ecs = emulator.client("ecs")
    revisions = [
        ecs.describe_task_definition(taskDefinition=f"{FAMILY}:{number}") for number in (1, 12)
    ]
    assert [item["taskDefinition"]["status"] for item in revisions] == ["DELETE_IN_PROGRESS"] * 2


def test_an_account_that_cannot_be_reached_is_one_line():
    result = program("workload", "http://127.0.0.1:1")

    assert result.status == 1 and "Traceback" not in result.output
    assert complaints(result) == [
        (
            "the removal stopped, make clean continues it: Could not connect to the endpoint "
            'URL: "http://127.0.0.1:1/"'
        )
    ]


# Made by Terraform and in no state


@pytest.fixture(scope="module", name="applied", autouse=True)
def _applied(
    workspace, tmp_path_factory, why_no_terraform
) -> Iterator[Callable[[], tuple[Emulator, set[str]]]]:
    """Begins to apply the whole Terraform tree, which takes half a minute of waiting, and lets the
    other tests run meanwhile.

    Gives a function that waits for the end, throws the state away, and returns the emulator and
    what was in it before.
    """
    if why_no_terraform:

        def skip():
            pytest.skip(why_no_terraform)

        yield skip
        return
    emulator = start_emulator(workspace("terraform"))
    directory = tmp_path_factory.mktemp("terraform")
    terraform = Terraform(
        directory / "tree", {"AWS_ENDPOINT_URL": emulator.url, "AWS_REGION": REGION}
    )
    before = emulator.inventory()
    (directory / "bundle.zip").write_bytes(any_bundle())
    given = {
        "lambda_package": directory / "bundle.zip",
        "schemas_directory": PROJECT / "lambda_code" / "ecs_updater" / "schemas",
        "endpoint_url": emulator.url,
        "launch_type": "EC2",
        "load_balancer": "true",
        "operations": "true",
        "deletion_protection": "false",
        "account_log_role": "make",
    }
    variables = [f"-var={name}={value}" for name, value in given.items()]
    with (directory / "log").open("w", encoding="utf-8") as log:
        process = terraform.begin(
            "apply",
            "-auto-approve",
            "-input=false",
            *variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def wait() -> tuple[Emulator, set[str]]:
        assert process.wait(900) == 0, (directory / "log").read_text("utf-8")
        (directory / "tree" / "terraform.tfstate").unlink()
        return emulator, before

    yield wait
    process.terminate()  # Where the test that waits for it was not run.
    process.wait(900)


def test_what_a_killed_terraform_left_goes_although_no_state_knows_of_it(applied):
    emulator, before = applied()
    made = {" ".join(line.split()[:-1]) for line in emulator.inventory() - before}

    kills = tear_down_killed_again_and_again(emulator)

    assert {
        "autoscaling auto scaling groups",
        "ec2 launch templates",
        "elbv2 load balancers",
        "elbv2 target groups",
        "iam instance profiles",
    } < made
    assert {"dynamodb tables", "events rules", "lambda functions"} < made
    assert {
        *("cloudwatch alarms", "cloudwatch dashboards"),
        "iam policies",
        "lambda event source mappings",
        "sqs queues",
    } < made
    assert {
        "apigateway rest apis",
        "apigateway usage plans",
        "apigateway api keys",
        "apigateway log role",
    } < made
    assert kills > len(made)
    assert emulator.inventory() == before
