"""The HTTP API with `API_AUTH=jwt`, deployed by each tool to the emulator, with an issuer on this
machine.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

import pytest
import requests

from e2e.api_suite.test_reading import ROUTES
from support.issuer import AUDIENCE, Issuer, encoded
from support.make import Workspace

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

LOG_GROUP = "/aws/lambda/ecs-updater-api-jwt"
ATTACKS: dict[str, Callable[[Issuer], str]] = {
    "an API key": lambda issuer: "Bearer a-key",
    "alg none": lambda issuer: (
        f"Bearer {encoded({'alg': 'none', 'kid': 'rsa'})}.{encoded(issuer.claims())}."
    ),
    "another claim": lambda issuer: _changed(issuer.token(), issuer.claims(sub="admin")),
    "expired": lambda issuer: f"Bearer {issuer.token(exp=1)}",
    "another audience": lambda issuer: f"Bearer {issuer.token(aud=f'{AUDIENCE}/')}",
}


SCOPES_PARAMETER = "/ecs-updater/scopes"
BUSYBOX = {"actions": ["read", "update"], "images": ["docker.io/library/busybox:*"]}
ENTRY = {"sub": "repo:acme/shop:*", "claims": {"repository_owner": "acme"}}
SCOPES = {
    "default": {**BUSYBOX, "services": ["ECSCluster/ecs-dummy-service"]},
    "callers": [{**ENTRY, **BUSYBOX, "services": ["ECSCluster/none"]}],
}


def _changed(token: str, claims: dict[str, object]) -> str:
    header, _, signature = token.split(".")
    return f"Bearer {header}.{encoded(claims)}.{signature}"


@dataclass(frozen=True)
class JwtApi:
    """An API that takes tokens of the issuer."""

    here: Workspace
    issuer: Issuer
    url: str

    def ask(
        self, authorization: str | None, route: str = "list", body: object = None
    ) -> requests.Response:
        """Requests `METHOD path`, or a route of `GET`, with this Authorization header and JSON."""
        method, _, path = route.rpartition(" ")
        headers = {} if authorization is None else {"Authorization": authorization}
        with requests.Session() as session:
            session.trust_env = False  # A .netrc adds a header.
            return session.request(
                method or "GET",
                f"{self.url}/{path.lstrip('/')}",
                headers=headers,
                json=body,
                timeout=60,
            )


@pytest.fixture(scope="module", name="authorizer")
def _authorizer(workspace, package):
    """A build directory with both bundles."""
    (here := workspace("bundles")).bring(package)
    here.make("build-lambda-package", API_AUTH="jwt").succeeded()
    yield here.build
    shutil.rmtree(here.build)


@pytest.fixture(scope="module", name="api", params=["", "-tf"], ids=["CloudFormation", "Terraform"])
def _api(request, workspace, authorizer) -> Iterator[JwtApi]:
    """CloudFormation's finds the keys by discovery, Terraform's has their address."""
    tool = request.param
    if tool and (reason := request.getfixturevalue("why_no_terraform")):
        pytest.skip(reason)
    with (
        Issuer().serving() as issuer,
        mock.patch.dict(os.environ, {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}),
    ):
        settings = {
            "SCOPES_PARAMETER": "/ecs-updater/scopes",
            "API_AUTH": "jwt",
            "JWT_ISSUER": issuer.url,
            "JWT_AUDIENCE": AUDIENCE,
        }
        settings |= {"JWKS_URL": f"{issuer.url}/keys"} if tool else {}
        here = workspace("jwt", EMULATOR_HOST="127.0.0.1", **settings)
        for bundle in authorizer.glob("*.zip"):
            here.bring(bundle)
        # Terraform deploys the function with the API.
        steps = ("deploy-api-aws-tf",) if tool else ("deploy-lambda-aws", "deploy-api-aws")
        first = ("emulator-up", f"deploy-ecs-cluster{tool}", "deploy-ecs-service")
        here.make(*first, *steps).succeeded()
        here.client("ssm").put_parameter(
            Name=SCOPES_PARAMETER, Value=json.dumps(SCOPES), Type="String"
        )
        url = here.make("api-url").succeeded().output.splitlines()[-1]
        yield JwtApi(here, issuer, url)
        here.clean()


@pytest.mark.parametrize("kid", ["rsa", "ec"])
def test_a_token_of_the_issuer_opens_every_route(api, kid):
    token = f"Bearer {api.issuer.token(kid, aud=['another', AUDIENCE])}"
    (service,) = api.ask(token).json()["services"]
    assert service["serviceName"] == "ecs-dummy-service"
    assert api.ask(token, "deployments").status_code == 200
    assert api.ask(token, "openapi.json").json()["components"]["securitySchemes"].keys() == {"jwt"}
    event = {"cluster": "ECSCluster", "service": "ecs-dummy-service", "image": "busybox"}
    update = api.ask(token, "POST update", event | {"tag": f"1.36-{kid}"})
    assert update.status_code == 200, update.text
    deployment = api.ask(token, f"deployments/{update.json()['requestId']}").json()
    assert api.issuer.claims()["sub"] in deployment["caller"]


def test_a_token_may_do_what_the_scopes_allow_its_subject_and_claims(api):
    token = f"Bearer {api.issuer.token(repository_owner='acme')}"
    body = {"cluster": "ECSCluster", "service": "none", "image": "busybox", "tag": "1"}
    allowed = api.ask(token, "POST update", body)
    assert allowed.json()["errorType"] == "ServiceNotFoundError", allowed.text
    for other, sentence in (
        ({**body, "image": "nginx"}, "ecs_image_name nginx:1 is not allowed"),
        ({**body, "service": "ecs-dummy-service"}, "ecs_service_name ecs-dummy-service is not al"),
    ):
        refused = api.ask(token, "POST update", other)
        assert refused.status_code == 403 and sentence in refused.json()["errorMessage"]
    for claims in ({}, {"repository_owner": "Acme"}, {"repository_owner": "acme", "sub": "x"}):
        refused = api.ask(f"Bearer {api.issuer.token(**claims)}", "POST update", body)
        assert (refused.status_code, refused.json()["errorType"]) == (403, "NotAllowedError")
        sentence = "ecs_service_name none is not allowed: subject "
        assert sentence in refused.json()["errorMessage"]


def test_without_a_token_only_the_help_answers(api):
    for route, is_closed in ROUTES.items():
        reply = api.ask(None, route.replace("{id}", "any"))
        assert reply.status_code == (401 if is_closed else 200), route
    help_ = api.ask(None, "")
    assert help_.json()["authentication"].startswith("the header Authorization")


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_token_that_is_not_valid_is_refused_without_its_reason(api, attack):
    reply = api.ask(ATTACKS[attack](api.issuer))
    assert (reply.status_code, reply.json()["errorType"]) == (401, "Unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert "the log of the authoriser" in reply.json()["errorMessage"]


def test_the_log_has_the_reasons_and_no_token(api):
    token = api.issuer.token(exp=1)
    assert api.ask(f"Bearer {token}").status_code == 401
    logs = api.here.client("logs")
    events = logs.filter_log_events(logGroupName=LOG_GROUP)["events"]
    text = "".join(event["message"] for event in events)
    assert "it has expired" in text and not [part for part in token.split(".")[1:] if part in text]


def test_keys_that_cannot_be_read_are_an_error_of_the_server(api):
    """In a new execution environment, which has no keys yet."""
    path = "/keys"
    api.issuer.instead[path] = 503, {}, b"busy"
    functions = api.here.client("lambda")
    name = {"FunctionName": "ecs-updater-api-jwt"}
    timeout = functions.get_function_configuration(**name)["Timeout"]
    functions.update_function_configuration(**name, Timeout=timeout + 1)
    reply = api.ask(f"Bearer {api.issuer.token()}")
    assert (reply.status_code, reply.json()["errorType"]) == (500, "AuthorizerFailure")
    del api.issuer.instead[path]
    functions.update_function_configuration(**name, Timeout=timeout)
    assert api.ask(f"Bearer {api.issuer.token()}").status_code == 200


def test_there_is_no_key_and_no_usage_plan(api):
    gateway = api.here.client("apigateway")
    assert gateway.get_api_keys()["items"] == gateway.get_usage_plans()["items"] == []
    assert "a request has a bearer token instead" in api.here.make("api-key").complaint()
    (authorizer,) = gateway.get_authorizers(restApiId=gateway.get_rest_apis()["items"][0]["id"])[
        "items"
    ]
    assert (authorizer["type"], authorizer["authorizerResultTtlInSeconds"]) == ("REQUEST", 0)
