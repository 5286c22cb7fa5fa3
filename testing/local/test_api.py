"""The HTTP API as it is deployed, on an emulator that enforces IAM: README's examples, a fuzzer, and who may do what."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import boto3
import pytest
from support.http import event
from support.make import PROJECT, TOOLS, Workspace
from support.permissions import as_the_emulator_asks, document

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
needs_curl = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl or jq is not installed")

README = (PROJECT / "README.md").read_text("utf-8")
DEPLOY = ("emulator-up", "deploy-ecs-cluster", "deploy-ecs-service", "deploy-lambda-aws", "deploy-api-aws")
SHORT = {"cluster": "ECSCluster", "service": "ecs-dummy-service", "image": "busybox", "tag": "1.36"}
_OPENER = build_opener(ProxyHandler({}))


@dataclass
class Api:
    """An API that is deployed in a workspace."""

    here: Workspace
    url: str
    key: str

    def client(self, service: str) -> Any:
        """A client of the emulator, as its root."""
        return boto3.client(service, endpoint_url=f"http://127.0.0.1:{self.here.port}")

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        headers = {"x-api-key": self.key if key is None else key, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with _OPENER.open(Request(self.url + path, data, headers, method=method), timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture(scope="module", name="api")
def _api(workspace_with_package) -> Iterator[Api]:
    here = workspace_with_package("api", EMULATOR_AUTH="true")
    deployed = here.make(*DEPLOY)
    assert deployed.status == 0, deployed.output
    url, key = (here.make(target).output.splitlines()[-1] for target in ("api-url", "api-key"))
    api = Api(here, url, key)
    _permit(api)
    _without_limits(api)
    yield api
    cleaned = here.make("clean")
    assert cleaned.status == 0, cleaned.output
    assert here.left() == []


def _permit(api: Api) -> None:
    """Makes the functions' roles into such for the emulator, which asks other questions of some calls than AWS."""
    iam = api.client("iam")
    for role in ("ecs-updater", "ecs-updater-completer", "ecs-updater-api-status"):
        name = f"{role}-eu-west-1"
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        found = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document(map(as_the_emulator_asks, found)))


def _without_limits(api: Api) -> None:
    """Lets the tests ask as often as they like; what the limits do, testing/api_suite shows."""
    gateway = api.client("apigateway")
    (plan,) = gateway.get_usage_plans()["items"]
    new = {"/throttle/rateLimit": "1000", "/throttle/burstLimit": "1000", "/quota/limit": "1000000"}
    gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=_replaced(new))
    stages = {"/*/*/throttling/rateLimit": "1000", "/*/*/throttling/burstLimit": "1000"}
    (stage,) = plan["apiStages"]
    gateway.update_stage(restApiId=stage["apiId"], stageName=stage["stage"], patchOperations=_replaced(stages))


def _replaced(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"op": "replace", "path": path, "value": value} for path, value in values.items()]


# README's examples


def examples() -> list[str]:
    """The shell blocks of README's chapter on HTTP, in their order."""
    chapter = re.search(r"^### Over HTTP\n(.*?)^##", README, re.MULTILINE | re.DOTALL)
    assert chapter, "README.md has no chapter on HTTP"
    return re.findall(r"^```sh\n(.*?)^```", chapter[1], re.MULTILINE | re.DOTALL)


class Completer(threading.Thread):
    """Wakes the completer again and again, as ECS's events do, which the emulator does not send."""

    def __init__(self, api: Api):
        super().__init__(daemon=True)
        self._invoke, self._is_over = api.client("lambda").invoke, threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(1):
            self._invoke(FunctionName="ecs-updater-completer", Payload=b"{}")

    def __enter__(self) -> "Completer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()


def run(api: Api, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script in the project's directory, with ``make`` of this workspace."""
    settings = " ".join(f"{name}={value}" for name, value in api.here.settings.items() if value)
    shell = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and "proxy" not in name.lower()}
    shell |= {"MAKEFLAGS": f" -- {settings}", **environment}
    command = ["bash", "-eu", "-o", "pipefail", "-c", script]
    return subprocess.run(command, cwd=PROJECT, env=shell, capture_output=True, text=True, timeout=120, check=False)


@needs_curl
def test_the_examples_of_the_readme_do_what_it_says_as_they_are_written(api):
    settings, calls, pipeline = examples()
    with Completer(api):
        ran = run(api, "\n".join([settings, calls, pipeline]))
    assert ran.returncode == 0, ran
    assert "SUCCEEDED" in ran.stdout and api.key not in ran.stdout
    services, updated, updates = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert [(one["serviceName"], one["images"]) for one in services["services"]] == [
        ("ecs-dummy-service", {"ecs-dummy-container": "busybox"})
    ]
    assert updated["deployment"]["verdict"] == "SUCCEEDED" and updated["AFTER"]["tags"] == updated["BEFORE"]["tags"]
    assert [(one["id"], one["verdict"]) for one in updates["deployments"]] == [(updated["requestId"], "SUCCEEDED")]


@needs_curl
def test_a_pipeline_that_is_refused_fails_with_the_sentence_that_says_why(api):
    settings, _, pipeline = examples()
    ran = run(api, settings + pipeline.replace('"service": "ecs-dummy-service"', '"service": "nobody"'))
    assert ran.returncode != 0 and "ecs_service_name nobody not found" in ran.stdout + ran.stderr


# What the document allows, and what it does not


@pytest.fixture(scope="module", name="openapi")
def _openapi(api, tmp_path_factory):
    status, told = api.ask("GET", "/openapi.json")
    assert status == 200
    file = tmp_path_factory.mktemp("openapi") / "openapi.json"
    file.write_text(json.dumps(told), "utf-8")
    return file


def schemathesis(program: str, directory: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a program of that environment, which leaves files where it runs."""
    subprocess.run([PROJECT / "scripts" / "install-tool", "schemathesis"], check=True, env={**os.environ, "TOOLS_DIR": str(TOOLS)})
    command = [TOOLS / "schemathesis" / "bin" / program, *arguments]
    return subprocess.run(list(map(str, command)), cwd=directory, capture_output=True, text=True, timeout=240, check=False)


def test_the_openapi_document_is_one(openapi):
    checked = schemathesis("openapi-spec-validator", openapi.parent, openapi)
    assert checked.returncode == 0, checked


def test_whatever_is_sent_is_answered_as_the_document_says_and_never_with_a_5xx(api, openapi, tmp_path):
    """Refused where the document refuses it, without a key refused, and each answer in the form that the document gives it.

    Left out: API Gateway has no 405, and ECS refuses more than a schema can say.
    """
    config = tmp_path / "schemathesis.toml"
    config.write_text("", "utf-8")
    ran = schemathesis(
        *("schemathesis", tmp_path),
        *("--config-file", config, "run", openapi, "--url", api.url, "--header", f"x-api-key: {api.key}"),
        *("--max-examples", 25, "--workers", 2, "--generation-deterministic", "--no-color"),
        *("--exclude-checks", "unsupported_method,positive_data_acceptance"),
    )
    assert ran.returncode == 0, ran.stdout
    (tried,) = re.findall(r"(\d+) generated, (\d+) passed", ran.stdout)
    assert int(tried[0]) > 300 and tried[0] == tried[1], ran.stdout


# Who may do what


def test_the_status_functions_role_cannot_write_even_with_the_code_that_does(api):
    """The same code as the writing function's, run as the one that only reads."""
    functions = api.client("lambda")
    name = "ecs-updater-api-status"
    before = api.client("ecs").describe_services(cluster="ECSCluster", services=["ecs-dummy-service"])["services"][0]
    reads = functions.get_function_configuration(FunctionName=name)["Handler"]
    functions.update_function_configuration(FunctionName=name, Handler="ecs_updater.handlers.http_update.lambda_handler")
    try:
        for body in ({**SHORT, "tag": "9.9"}, {**SHORT, "force_new_deployment": True}):
            payload = json.dumps(event("POST", "/update", body)).encode()
            answer = json.load(functions.invoke(FunctionName=name, Payload=payload)["Payload"])
            error = json.loads(answer["body"])
            assert answer["statusCode"] >= 400 and "AccessDenied" in error["errorMessage"], error
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=reads)
    after = api.client("ecs").describe_services(cluster="ECSCluster", services=["ecs-dummy-service"])["services"][0]
    assert (after["taskDefinition"], len(after["deployments"])) == (before["taskDefinition"], len(before["deployments"]))
    assert api.ask("GET", "/list")[0] == 200


def test_a_service_that_another_update_holds_is_409_and_both_doors_go_on_afterwards(api):
    table = api.client("dynamodb")
    service = "arn:aws:ecs:eu-west-1:000000000000:service/ECSCluster/ecs-dummy-service"
    key = {"pk": {"S": service}, "sk": {"S": "LEASE"}}
    lease = table.get_item(TableName="ecs-updater-ledger", Key=key).get("Item", {**key, "fence": {"N": "1"}})
    held = {"holder": {"S": "h"}, "request_id": {"S": "another"}, "since": {"N": "1"}, "expires_at": {"N": "99999999999"}}
    table.put_item(TableName="ecs-updater-ledger", Item=lease | held)
    try:
        status, error = api.ask("POST", "/update", SHORT | {"force_new_deployment": True})
        assert (status, error["errorType"]) == (409, "LeaseHeldError") and "request_id another" in error["errorMessage"]
    finally:
        table.put_item(TableName="ecs-updater-ledger", Item=lease)
    assert api.ask("POST", "/update", SHORT)[0] == 200


@needs_curl
def test_with_iam_a_key_alone_is_refused_and_a_signature_beside_it_is_let_in(api):
    made = api.here.make("deploy-api-aws", API_AUTH="iam")
    assert made.status == 0, made.output
    try:
        assert api.ask("GET", "/list")[0] == 403
        signed = f'curl --aws-sigv4 "aws:amz:eu-west-1:execute-api" --user test:test -H "x-api-key: {api.key}" -s {api.url}/list'
        assert "ecs-dummy-service" in run(api, signed).stdout
        unkeyed = f'curl --aws-sigv4 "aws:amz:eu-west-1:execute-api" --user test:test -s {api.url}/list'
        assert json.loads(run(api, unkeyed).stdout)["errorType"] == "Forbidden"
        assert api.ask("GET", "/")[1]["authentication"].startswith("the header x-api-key and a signature")
    finally:
        made = api.here.make("deploy-api-aws")
        assert made.status == 0, made.output
    assert api.ask("GET", "/list")[0] == 200
