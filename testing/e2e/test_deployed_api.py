"""The HTTP API as it is deployed, on an emulator that enforces IAM: a fuzzer, and the permissions
of each function.
"""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import boto3
import pytest
from urllib3.util import Retry

from e2e.event_suite.api import Api, signer
from support.deployed_api import CLUSTER, SERVICE, STATUS, DeployedApi
from support.http import event
from support.make import PROJECT, TOOLS
from support.permissions import document as policy_text
from support.permissions import without

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")

ACCOUNT = "000000000000"
SHORT = {"cluster": CLUSTER, "service": SERVICE, "image": "busybox", "tag": "1.36"}
# A question that cannot be answered without the action.
QUESTIONS = {
    "ecs:ListClusters": "list",
    "ecs:ListServices": "list",
    "ecs:DescribeServices": "list",
    "ecs:DescribeTaskDefinition": "list?images=1",
    "dynamodb:Query": "deployments",
    "dynamodb:GetItem": "deployments/no-such-id",
}


@pytest.fixture(scope="module", name="api")
def _api(workspace_with_package) -> Iterator[DeployedApi]:
    here = workspace_with_package("api", EMULATOR_AUTH="true")
    with mock.patch.dict(os.environ, {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}):
        yield DeployedApi(here)
    here.clean()


# What the document allows, and what it does not


def test_every_request_is_answered_as_the_document_says_and_never_with_a_5xx(api, tmp_path):
    """Refused where the document refuses it, without a key refused, and each answer in the form
    that the document gives it.

    Left out: API Gateway has no 405, and ECS refuses more than a schema can say.
    """
    install = [PROJECT / "scripts" / "install-tool", "schemathesis"]
    subprocess.run(install, check=True, env={**os.environ, "TOOLS_DIR": str(TOOLS)})
    status, document = api.ask("GET", "openapi.json")
    assert status == 200
    openapi = tmp_path / "openapi.json"
    openapi.write_text(json.dumps(document), "utf-8")
    config = tmp_path / "schemathesis.toml"
    config.write_text("", "utf-8")
    command = [
        *(TOOLS / "schemathesis" / "bin" / "schemathesis", "--config-file", config, "run", openapi),
        *("--url", api.api.url, "--header", f"x-api-key: {api.key}"),
        *("--max-examples", "25", "--workers", "2", "--generation-deterministic", "--no-color"),
        *("--exclude-checks", "unsupported_method,positive_data_acceptance"),
    ]
    ran = subprocess.run(  # It leaves files where it runs.
        command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False
    )
    assert ran.returncode == 0, ran.stdout
    (tried,) = re.findall(r"(\d+) generated, (\d+) passed", ran.stdout)
    assert int(tried[0]) > 300 and tried[0] == tried[1], ran.stdout


# More requests than the usage plan permits


MANY, PARALLEL, ONCE = 1000, 16, Retry(0)


@pytest.fixture(name="services")
def _services(api) -> Iterator[list[str]]:
    """The service and five like it."""
    ecs = api.client("ecs")
    (first,) = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
    kept = ("taskDefinition", "desiredCount", "launchType", "networkConfiguration")
    names = [f"{SERVICE}-{number}" for number in range(5)]
    for name in names:
        fields = {field: first[field] for field in kept if first.get(field)}
        ecs.create_service(cluster=CLUSTER, serviceName=name, **fields)
    yield [SERVICE, *names]
    for name in names:
        ecs.delete_service(cluster=CLUSTER, service=name, force=True)


def test_of_a_thousand_requests_some_get_a_429_and_no_update_with_an_answer_is_lost(
    api, services, figure
):
    def send(number: int) -> tuple[str, int, str]:
        if number % 2:
            return "", api.ask("GET", "list", repeat=ONCE)[0], ""
        name, body = services[number // 2 % len(services)], dict(SHORT)
        body |= {"service": name, "tag": f"1.{number}", "request_id": f"many-{number}"}
        status, answer = api.ask("POST", "update", body, ONCE)
        return body["request_id"], status, answer.get("errorType", "")

    api.limit(20, 2)
    try:
        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(send, range(MANY)))
    finally:
        api.limit(1000, 1000)
    counts = Counter(status for _, status, _ in answers)
    # Another update of the service is a 409, which a retry resolves.
    assert counts.keys() <= {200, 202, 409, 429}, [each for each in answers if each[1] >= 500]
    assert {error for _, status, error in answers if status == 409} <= {"LeaseHeldError"}
    assert counts[429] > MANY // 2 and counts[200]
    taken = [id_ for id_, status, _ in answers if id_ and status in (200, 202)]
    assert len(taken) > 5
    ended = api.ended(taken)
    assert set(ended) == set(taken) and set(ended.values()) <= {"SUCCEEDED", "SUPERSEDED"}
    refused = next(id_ for id_, status, _ in answers if id_ and status == 429)
    assert api.ask("GET", f"deployments/{refused}")[0] == 404
    figure(
        f"{MANY} requests to the API",
        ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        + f"; {len(taken)} updates, all with a verdict",
    )


# Who may do what


def test_the_status_functions_role_cannot_write_even_with_the_code_that_does(api):
    """The same code as the writing function's, run as the one that only reads."""
    functions = api.client("lambda")
    before = api.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    reads = functions.get_function_configuration(FunctionName=STATUS)["Handler"]
    functions.update_function_configuration(
        FunctionName=STATUS, Handler="ecs_updater.handlers.api_update.lambda_handler"
    )
    try:
        for body in ({**SHORT, "tag": "9.9"}, {**SHORT, "force_new_deployment": True}):
            payload = json.dumps(event("POST", "/update", body)).encode()
            answer = json.load(functions.invoke(FunctionName=STATUS, Payload=payload)["Payload"])
            error = json.loads(answer["body"])
            assert answer["statusCode"] >= 400 and "AccessDenied" in error["errorMessage"], error
    finally:
        functions.update_function_configuration(FunctionName=STATUS, Handler=reads)
    after = api.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    assert (after["taskDefinition"], len(after["deployments"])) == (
        before["taskDefinition"],
        len(before["deployments"]),
    )
    assert api.ask("GET", "list")[0] == 200


@pytest.mark.parametrize("action", QUESTIONS)
def test_the_status_function_answers_with_its_own_role_and_not_without_an_action_of_it(api, action):
    route = QUESTIONS[action]
    assert api.ask("GET", route)[0] == (404 if "no-such-id" in route else 200)
    with api.status_permitted(without(api.status_statements, action)):
        status, answer = api.ask("GET", route)
    assert status in (403, 502) and answer.keys() == {"errorType", "errorMessage", "requestId"}, (
        answer
    )


@needs_curl
def test_with_iam_a_named_principal_needs_no_policy_of_its_own_and_others_do(api):
    iam, credentials = api.client("iam"), {}
    for name in ("named", "other"):
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        credentials[name] = f"{key['AccessKeyId']}:{key['SecretAccessKey']}"
    arn = iam.get_user(UserName="named")["User"]["Arn"]
    api.here.make("deploy-api-aws", API_AUTH="iam", API_PRINCIPAL_ARNS=arn).succeeded()
    try:
        status = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
        status += ["-H", f"x-api-key: {api.key}"]
        signed = ["--aws-sigv4", "aws:amz:eu-west-1:execute-api", f"{api.api.url}/list", "--user"]
        answers = {
            name: subprocess.check_output([*status, *signed, user], text=True)
            for name, user in credentials.items()
        }
        assert answers == {"named": "200", "other": "403"}
        assert api.ask("GET", "list")[0] == 403 and api.ask("GET", "")[0] == 200
    finally:
        api.here.make("deploy-api-aws").succeeded()
    assert api.ask("GET", "list")[0] == 200


@needs_curl
def test_with_iam_only_a_key_is_refused_and_a_signature_beside_it_is_let_in(api):
    api.here.make("deploy-api-aws", API_AUTH="iam").succeeded()
    try:
        assert api.ask("GET", "list")[0] == 403
        signed = ["curl", "--silent", "--aws-sigv4", "aws:amz:eu-west-1:execute-api"]
        signed += ["--user", "test:test", f"{api.api.url}/list"]
        with_key = subprocess.check_output([*signed, "-H", f"x-api-key: {api.key}"], text=True)
        assert "ecs-dummy-service" in with_key
        assert json.loads(subprocess.check_output(signed))["errorType"] == "Forbidden"
        assert api.ask("GET", "")[1]["authentication"].startswith(
            "the header x-api-key and a signature"
        )
    finally:
        api.here.make("deploy-api-aws").succeeded()
    assert api.ask("GET", "list")[0] == 200


def _session_of(api: DeployedApi, role: str) -> Api:
    """The API for a session of a role, which may call every route of every API."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    every_route = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    iam, sts = api.client("iam"), api.client("sts")
    iam.create_role(RoleName=role, Path="/ci/", AssumeRolePolicyDocument=policy_text([trust]))
    iam.put_role_policy(
        RoleName=role, PolicyName="calls", PolicyDocument=policy_text([every_route])
    )
    arn = f"arn:aws:iam::{ACCOUNT}:role/ci/{role}"
    given = sts.assume_role(RoleArn=arn, RoleSessionName="alice")["Credentials"]
    session = boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], "eu-west-1"
    )
    return Api(api.api.url, api.key, signer(session))


def test_with_scopes_a_signed_caller_does_what_its_entry_allows_and_nothing_else(api):
    ssm, name = api.client("ssm"), "/ecs-updater/scopes"
    entry = {
        "role": f"arn:aws:iam::{ACCOUNT}:role/ci/deployer",
        "actions": ["read", "update"],
        "services": [f"{CLUSTER}/{SERVICE}"],
        "images": ["docker.io/library/busybox:*"],
    }
    scopes = {"default": {"actions": ["read"], "services": ["Other/*"]}, "callers": [entry]}
    ssm.put_parameter(Name=name, Value=json.dumps(scopes), Type="String")
    api.deploy(API_AUTH="iam", SCOPES_PARAMETER=name)
    try:
        deployer, other = _session_of(api, "deployer"), _session_of(api, "other")
        done = deployer.post("update", SHORT)
        assert done.status_code == 200, done.text
        id_ = done.json()["requestId"]
        caller = f"role arn:aws:iam::{ACCOUNT}:role/deployer, session alice"
        assert deployer.call("GET", f"deployments/{id_}").json()["caller"] == caller
        (listed,) = deployer.call("GET", "list").json()["services"]
        assert (listed["serviceName"], listed["actions"]) == (SERVICE, ["read", "update"])
        for route, body, sentence in (
            ("update", {**SHORT, "image": "nginx"}, "ecs_image_name nginx:1.36 is not allowed"),
            ("update", {**SHORT, "service": "x"}, "ecs_service_name x is not allowed"),
            ("rollback", {"cluster": CLUSTER, "service": SERVICE}, "rollback is not allowed"),
        ):
            refused = deployer.post(route, body)
            assert (refused.status_code, refused.json()["errorType"]) == (403, "NotAllowedError")
            assert sentence in refused.json()["errorMessage"]
        assert other.post("update", SHORT).status_code == 403
        assert other.call("GET", f"deployments/{id_}").status_code == 404
        assert other.call("GET", "list").json()["services"] == []
        assert other.call("GET", "deployments").json()["deployments"] == []
    finally:
        api.deploy()
