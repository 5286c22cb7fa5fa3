"""The suite of unittest classes on the emulator and in Docker, and what both suites do when the
function is busy.

One emulator with everything deployed is shared, and one more whose function runs in Docker.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.event_suite.invokers import aws_cli, lambda_api
from support.docker import docker, in_docker
from support.make import PROJECT, TOOLS, Result, Workspace
from support.proxy import Answer, Proxy, Request

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

SUITE = PROJECT / "testing" / "e2e" / "unittest_suite"
CHECKS = 49
ERROR_TYPES = ["2.1.3", "2.2.3", "3.1.3", "3.2.3", "4.1.3"]
DRY_RUN = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "busybox:1.36",
    "ecs_tag": {},
    "dry_run": True,
}

ANSWERS_WRONGLY = (
    "def handler(event, context):\n    return {'statusCode': 200, 'body': "
    "{'AFTER': {'tags': []}}}\n"
)


@pytest.fixture(scope="module", name="deployed")
def _deployed(workspace_with_package) -> Iterator[Workspace]:
    """The workspace of an emulator with everything deployed."""
    here = workspace_with_package("suites")
    here.make(
        "emulator-up", "deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-sam"
    ).succeeded()
    yield here
    here.clean()


def verdicts(result: Result) -> dict[str, str]:
    """What pytest says of each check, by the check's number, in the order in which they ran."""
    lines = re.findall(r"::test_(\d_\d_\d)_\w+ (PASSED|FAILED|SKIPPED|ERROR)", result.output)
    return {number.replace("_", "."): verdict for number, verdict in lines}


def failures(result: Result) -> list[str]:
    """The message of each check that failed, without what differs."""
    return re.findall(r"^E\s+AssertionError: (\[FAILED CHECK .*)$", result.output, re.MULTILINE)


# On the emulator


@pytest.fixture(scope="module", name="suite")
def _suite(deployed) -> Result:
    """The suite, from a shell that compiles sources and has another endpoint."""
    shutil.rmtree(SUITE / "__pycache__", ignore_errors=True)
    shell = {"PYTHONDONTWRITEBYTECODE": "", "LAMBDA_ENDPOINT_URL": "http://127.0.0.1:1"}
    return deployed.make("run-lambda-test-unittest", environment=shell)


def test_every_check_passes_but_those_that_the_emulator_cannot_show(suite):
    assert suite.status == 0, suite.output
    assert list(verdicts(suite)) == sorted(verdicts(suite)) and len(verdicts(suite)) == CHECKS
    assert [
        number for number, verdict in verdicts(suite).items() if verdict != "PASSED"
    ] == ERROR_TYPES
    skipped = re.findall(r"^SKIPPED .*: (.*)$", suite.output, re.MULTILINE)
    assert skipped == [
        f"[SKIPPED CHECK {number}] the emulator does not show the type of an error"
        for number in ERROR_TYPES
    ]


def test_a_function_that_answers_wrongly_fails_the_checks_of_what_is_wrong(deployed):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("wrong.py", ANSWERS_WRONGLY)
    lambda_ = deployed.client("lambda")
    lambda_.create_function(
        FunctionName="wrong",
        Handler="wrong.handler",
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Role="arn:aws:iam::000000000000:role/wrong",
        Code={"ZipFile": archive.getvalue()},
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName="wrong")

    result = deployed.make("run-lambda-test-unittest", LAMBDA_FUNCTION_NAME="wrong")

    assert result.status != 0
    assert [
        number
        for number, verdict in verdicts(result).items()
        if number < "2" and verdict == "PASSED"
    ] == ["1.1.1"]
    assert "[FAILED CHECK 1.2.1] ecs-updater RegularCase - Image Before" in failures(result)
    assert "answer.body.BEFORE.serviceImage is None, not 'busybox'" in result.output
    assert "[FAILED CHECK 1.3.3] ecs-updater RegularCase - Image in ECS" in failures(result)
    assert "service.image is 'busybox', not 'busybox:1.36'" in result.output
    assert (
        "[FAILED CHECK 2.1.1] ecs-updater JsonMissingField - Lambda Execution ResponseCode"
        in failures(result)
    )


def test_a_service_that_is_not_there_fails_the_suite_and_says_what_to_do(deployed):
    result = deployed.make("run-lambda-test-unittest", SERVICE_NAME="absent")

    assert result.status != 0 and "PASSED" not in verdicts(result).values()
    assert (
        "cluster ECSCluster has no service absent: make deploy-ecs-cluster "
        "deploy-ecs-service TARGET=local"
    ) in result.output


# In Docker


@pytest.mark.usefixtures("docker", "alone_in_docker")
def test_the_suite_passes_with_error_types_against_sam_local_start_lambda_and_nothing_of_it_is_left(
    workspace_with_package,
):
    before, containers = in_docker(), docker("container", "ls", "--all", "--quiet")
    here = workspace_with_package("suite-in-docker", SAM_MODE="docker")
    here.make(
        "emulator-up", "deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-sam"
    ).succeeded()

    failed = here.make("run-lambda-test-unittest-sam", SERVICE_NAME="absent")
    result = here.make("run-lambda-test-unittest-sam")
    containers_left = set(docker("container", "ls", "--all", "--quiet").split()) - set(
        containers.split()
    )
    processes_left = [
        pid
        for pid in here.processes()
        if b"start-lambda" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]

    assert failed.status != 0 and "cluster ECSCluster has no service absent" in failed.output
    assert result.status == 0, result.output
    assert (
        verdicts(result) == dict.fromkeys(verdicts(result), "PASSED")
        and len(verdicts(result)) == CHECKS
    )
    assert (containers_left, processes_left) == (set(), [])
    assert here.make("clean").status == 0
    assert not here.left() and not in_docker() - before


# One call at a time


class Busy(Proxy):
    """Refuses the first invocation, as Lambda does while another one has the reserved concurrency
    of 1: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
    """

    invocations = 0

    def before(self, request: Request) -> Answer | None:
        self.invocations += request.path.endswith("/invocations")
        if self.invocations != 1:
            return None
        reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
        error = {"Type": "User", "Reason": reason, "message": "Rate Exceeded."}
        headers = [("x-amzn-ErrorType", "TooManyRequestsException")]
        return Answer(429, headers, json.dumps(error).encode())


def aws_cli_2() -> str:
    """A version 2 of the aws cli on this machine. Skips the test where there is none."""
    for program in filter(
        None, (shutil.which("aws", path=directory) for directory in os.get_exec_path())
    ):
        version = subprocess.run(
            [program, "--version"], check=False, capture_output=True, text=True
        ).stdout
        if version.startswith("aws-cli/2"):
            return program
    return pytest.skip("there is no aws cli 2 on this machine")


CLIENTS = {
    "SDK": lambda_api.invoker,
    "aws cli 1": lambda settings: aws_cli.invoker(
        settings | {"AWS_CLI": str(TOOLS / "aws" / "bin" / "aws")}
    ),
    "aws cli 2": lambda settings: aws_cli.invoker(settings | {"AWS_CLI": aws_cli_2()}),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_the_suites_calls_again_when_the_function_is_busy(name, deployed, tmp_path):
    (tmp_path / "event.json").write_text(json.dumps(DRY_RUN), "utf-8")
    with Busy(deployed.port).serving() as api:
        settings = {
            "LAMBDA_ENDPOINT_URL": api.url,
            "LAMBDA_FUNCTION_NAME": "ecs-updater",
            "BUILD_DIR": str(tmp_path),
        }
        invocation = CLIENTS[name](os.environ | settings)(tmp_path / "event.json")

    assert api.invocations == 2
    assert invocation.answer["body"]["dryRun"] is True
