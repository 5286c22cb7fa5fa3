"""``GET``: help, page, lists and updates over HTTP, for programs and browsers; and what it
refuses.
"""

from types import SimpleNamespace

import pytest

from ecs_updater.api import query
from ecs_updater.api.get_routes import status_app
from ecs_updater.api.service_list import ServiceList
from ecs_updater.ledger.queries import UpdateQueries
from fakes.simulated_ecs import SimulatedEcs
from support.http import CONTEXT, NO_SCOPES, REQUEST_ID, ask, event
from support.ledger import intent, succeeded

pytest_plugins = ["support.ledger_fixtures"]
ENVIRONMENT = {"TAG_FILTERS": "environment,owner,contact", "ENVIRONMENT": "staging"}
SCOPE = {"account": "123456789012", "region": "eu-west-1", "environment": "staging"}
PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"


@pytest.fixture(name="ecs", scope="module")
def _ecs():
    services = {"web": {"tags": {"owner": "me & you"}}, "api": {}}
    return SimulatedEcs(services={"c": services, "d": {"old": {"launchType": "EC2"}}})


@pytest.fixture(name="sources")
def _sources(ecs, table, log):  # pylint: disable=unused-argument  # The log goes where the test can read it.
    ecs.requests.clear()
    return {
        "services": ServiceList(ecs.reader()),
        "ledger": UpdateQueries(table),
        "environment": ENVIRONMENT,
        "access": NO_SCOPES,
    }


@pytest.fixture(name="get")
def _get(sources):
    resolve = status_app(**sources).resolve
    return lambda address, **more: ask(resolve, "GET", address, **more)


def test_a_browser_gets_the_page_with_a_strict_policy_and_reaches_no_aws_for_it(get, ecs):
    answer = get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert (
        policy.startswith("default-src 'none'") and "unsafe" not in policy and "sha256-" in policy
    )
    assert answer.text.lstrip().lower().startswith("<!doctype html>") and not ecs.requests


def test_services_are_listed_and_filtered(get):
    assert [view["serviceName"] for view in get("/list").json["services"]] == ["api", "web"]
    assert [view["serviceName"] for view in get("/list?owner=me+%26+you").json["services"]] == [
        "web"
    ]
    assert [view["serviceName"] for view in get("/list?launch_type=ALL").json["services"]] == [
        "api",
        "web",
        "old",
    ]
    assert get("/list?images=1&limit=1").json["services"][0]["images"] == {"app": "registry/api:1"}
    assert SCOPE.items() <= get("/list").json.items()


@pytest.mark.parametrize(
    "address, message",
    [
        (
            "/list?team=x",
            (
                "there is no filter 'team': there are environment, owner, contact, "
                "launch_type, images, target, limit, next"
            ),
        ),
        ("/list?owner=a&owner=b", "owner: is given 2 times, once is enough"),
        ("/list?limit=0", "limit: '0' is not a number from 1 to 1000"),
        ("/list?limit=1001", "limit: '1001' is not a number from 1 to 1000"),
        ("/list?limit=0000010001", "limit: '0000010001' is not a number from 1 to 1000"),
        ("/deployments?limit=0000000019", "limit: '0000000019' is not a number from 1 to 100"),
        ("/list?limit=%D9%A3", "limit: '٣' is not a number from 1 to 1000"),
        ("/list?images=yes", "images: 'yes' is neither 0 nor 1"),
        (
            "/list?launch_type=FARGATE,X",
            "launch_type: 'FARGATE,X' is not one of FARGATE, EC2, EXTERNAL, "
            "MANAGED_INSTANCES, ALL, "
            "or several with commas",
        ),
        ("/list?next=x", "next: this is not what an earlier page of the same list gave as next"),
        (
            "/deployments?owner=x",
            "there is no parameter 'owner': there are cluster, service, limit, next",
        ),
        ("/deployments?limit=101", "limit: '101' is not a number from 1 to 100"),
        (
            "/deployments?service=web",
            (
                "service: web may be in several clusters: name the cluster too, or "
                "take the service's ARN"
            ),
        ),
        ("/deployments?cluster=a/b", "cluster: 'a/b' is neither the name of a cluster nor its ARN"),
        (
            "/deployments?service=arn:x",
            "service: 'arn:x' is neither the name of a service nor its ARN",
        ),
        (
            f"/deployments?cluster=c&service={PREFIX}service/d/web",
            f"service: '{PREFIX}service/d/web' is not in the cluster '{PREFIX}cluster/c'",
        ),
    ],
)
def test_a_query_that_means_nothing_is_refused_with_what_there_is(get, ecs, address, message):
    answer = get(address)
    assert answer.status == 400 and not ecs.requests
    error = {"errorType": "InvalidQueryError", "errorMessage": f"[ERROR][http_request] {message}"}
    assert answer.json == {**error, "requestId": REQUEST_ID}


@pytest.mark.parametrize(
    "parameters, key",
    [
        ({"cluster": ["c"], "service": ["web"]}, f"{PREFIX}service/c/web"),
        ({"cluster": [f"{PREFIX}cluster/c"], "service": ["web"]}, f"{PREFIX}service/c/web"),
        ({"service": [f"{PREFIX}service/c/web"]}, f"{PREFIX}service/c/web"),
        ({"cluster": ["c"], "service": [f"{PREFIX}service/web"]}, f"{PREFIX}service/c/web"),
        ({"cluster": ["c"], "service": [f"{PREFIX}service/c/web"]}, f"{PREFIX}service/c/web"),
    ],
)
def test_a_service_is_found_however_it_is_named(parameters, key):
    assert query.deployments_query(parameters, PREFIX).service == key


def test_updates_are_found_by_service_and_by_their_id(get, history, lease):
    history.finish(succeeded(history.begin(intent(lease("r-1"))).entry))
    listed = get("/deployments?cluster=ECSCluster&service=ecs-dummy-service").json["deployments"]
    assert [view["id"] for view in listed] == ["r-1"] and get("/deployments").json[
        "deployments"
    ] == listed
    assert SCOPE.items() <= get("/deployments").json.items()
    assert listed[0].items() <= get("/deployments/r-1").json.items()
    missing = get("/deployments/nobody")
    assert (missing.status, missing.json["errorType"]) == (404, "DeploymentNotFoundError")


@pytest.mark.parametrize("setting", [{"API_AUTH": "none"}, {"TAG_FILTERS": "owner,limit"}])
def test_a_wrong_setting_is_one_sentence_that_names_it(sources, setting):
    resolve = status_app(**sources | {"environment": ENVIRONMENT | setting}).resolve
    for address in ("/", "/list", "/openapi.json"):
        answer = ask(resolve, "GET", address)
        assert answer.status == 500 and next(iter(setting)) in answer.json["errorMessage"]


def test_without_a_ledger_lists_of_services_still_work(sources):
    resolve = status_app(**sources | {"ledger": None}).resolve
    assert ask(resolve, "GET", "/list").status == 200
    assert ask(resolve, "GET", "/deployments").json["errorType"] == "ConfigurationError"


def test_a_failure_of_aws_is_logged_and_its_response_has_no_secret(get, ecs, log):
    message = "User: x is not authorized. Token: secret"
    ecs.fail("ListClusters", (400, "AccessDeniedException", message))
    answer = get("/list")
    assert (
        answer.status == 403
        and answer.json["errorType"] == "ServiceReadError"
        and "secret" not in answer.text
    )
    line = log()[-1]
    assert (line["error_type"], line["action"]) == ("ServiceReadError", "read")
    assert (line["request_id"], line["lambda_request_id"]) == (REQUEST_ID, CONTEXT.aws_request_id)


def test_a_context_of_another_partition_gives_its_arns(sources):
    context = SimpleNamespace(
        **{
            **vars(CONTEXT),
            "invoked_function_arn": "arn:aws-cn:lambda:cn-north-1:123456789012:function:f",
        }
    )
    answer = status_app(**sources).resolve(event("GET", "/deployments?cluster=c"), context)
    assert answer["statusCode"] == 200
