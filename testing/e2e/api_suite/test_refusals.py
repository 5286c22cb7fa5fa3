"""What the API refuses, by the gateway or by the function: on every route, with the same words."""

import json
import os
from dataclasses import replace

import pytest

from e2e.api_suite.answers import refused

VALIDATION = "[ERROR][json_validation] "
WITH_KEY = [
    "POST update",
    "POST rollback",
    "GET list",
    "GET deployments",
    "GET deployments/any",
    "GET openapi.json",
]
FILTERS = ("environment", "owner", "contact")


@pytest.mark.parametrize(
    "key", ["", "no-key-of-this-api-0000000000"], ids=["without a key", "with a wrong key"]
)
@pytest.mark.parametrize("route", WITH_KEY)
def test_every_route_but_the_help_wants_the_key(route, key, api):
    method, route = route.split()

    message = refused(
        api, api.call(method, route, b"{}" if method == "POST" else None, key=key), 403, "Forbidden"
    )

    assert message == "the header x-api-key is missing, or its value is not a key of this API"


@pytest.mark.skipif(
    os.environ.get("API_AUTH") != "iam", reason="API_AUTH=key asks for no signature"
)
def test_with_iam_the_key_alone_is_not_enough(api):
    unsigned = replace(api, sign=None)
    calls = [one.split() for one in WITH_KEY]

    replies = [
        unsigned.call(method, route, b"{}" if method == "POST" else None) for method, route in calls
    ]

    assert all(refused(api, reply, 403, "Forbidden") for reply in replies)


NO_ROUTES = [
    "GET nowhere",
    "GET update",
    "POST list",
    "PUT update",
    "DELETE deployments/any",
    "GET list/more",
]


@pytest.mark.parametrize("route", NO_ROUTES)
def test_an_unknown_route_or_method_is_refused_with_where_the_routes_are(route, api):
    method, route = route.split()
    status, kind = (403, "Forbidden") if os.environ.get("API_AUTH") == "iam" else (404, "NotFound")

    assert "GET / lists" in refused(api, api.call(method, route), status, kind)


NO_EVENTS = [
    b"",
    b"{",
    b"[1]",
    b"null",
    b'"text"',
    b"{}",
    b'{"cluster": 1}',
    b"\xff\xfe",
    b"[" * 3000 + b"]" * 3000,
]


@pytest.mark.parametrize("route", ["update", "rollback"])
@pytest.mark.parametrize("body", NO_EVENTS, ids=lambda one: repr(one)[:20])
def test_a_body_that_is_no_event_is_refused_with_what_is_wrong(body, route, api):
    reply = api.call("POST", route, body, {"Content-Type": "application/json"})

    assert refused(api, reply, 400, "InvalidEventError").startswith(VALIDATION)


def test_an_event_with_an_unknown_field_is_refused(api, names):
    reply = api.post("update", names | {"image": "busybox", "tag": "1.36", "wait": 5})

    assert refused(api, reply, 400, "InvalidEventError").startswith(VALIDATION)


def test_a_body_that_is_not_said_to_be_json_is_refused(api, names):
    body = json.dumps(names | {"image": "busybox", "tag": "1.36", "dry_run": True}).encode()

    assert refused(api, api.call("POST", "update", body, {"Content-Type": "text/plain"}), 415)


def test_a_body_that_is_larger_than_any_event_is_refused(api, names):
    body = json.dumps(
        names | {"image": "busybox", "tag": "1.36", "dry_run": True}
    ).encode() + b" " * (300 << 10)

    assert refused(api, api.call("POST", "update", body, {"Content-Type": "application/json"}), 413)


def test_a_filter_that_there_is_not_is_refused_with_those_that_there_are(api):
    message = refused(api, api.call("GET", "list?colour=red"), 400)

    assert "colour" in message and all(name in message for name in FILTERS)


MEANINGLESS = [
    "limit=0",
    "limit=1001",
    "limit=x",
    "launch_type=CLOUD",
    "images=yes",
    "next=nonsense",
    "owner=a&owner=b",
]


@pytest.mark.parametrize("query", MEANINGLESS)
def test_a_parameter_that_means_nothing_is_refused_by_its_name(query, api):
    assert query.partition("=")[0] in refused(api, api.call("GET", f"list?{query}"), 400)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "next=nonsense", "colour=red"])
def test_so_is_one_of_the_updates(query, api):
    assert query.partition("=")[0] in refused(api, api.call("GET", f"deployments?{query}"), 400)


def test_a_cluster_and_a_service_that_there_are_not_are_named(api, names):
    image = {"image": "busybox", "tag": "1.36"}

    no_cluster = refused(
        api,
        api.post("update", {"cluster": "absent", "service": "any"} | image),
        404,
        "ClusterNotFoundError",
    )
    no_service = refused(
        api, api.post("update", names | {"service": "absent"} | image), 404, "ServiceNotFoundError"
    )

    assert no_cluster == "[ERROR][ecs_service_read] ecs_cluster_name absent not found"
    assert no_service == "[ERROR][ecs_service_read] ecs_service_name absent not found"


def test_an_unknown_update_is_not_found(api):
    assert "absent" in refused(
        api, api.call("GET", "deployments/absent"), 404, "DeploymentNotFoundError"
    )
