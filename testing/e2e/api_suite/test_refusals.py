"""What the API refuses, by the gateway or by the function: on every route, with the same words."""

import json
import os
from dataclasses import replace

import pytest

from e2e.api_suite.answers import refused
from e2e.event_suite.api import JSON

VALIDATION = "[ERROR][json_validation] "
WITH_KEY = [
    "POST update",
    "POST rollback",
    "GET list",
    "GET deployments",
    "GET deployments/any",
    "POST deployments/any/approve",
    "POST deployments/any/reject",
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
def test_with_iam_only_the_key_is_not_enough(api):
    unsigned = replace(api, sign=None)
    for method, route in map(str.split, WITH_KEY):
        reply = unsigned.call(method, route, b"{}" if method == "POST" else None)
        assert refused(api, reply, 403, "Forbidden")


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
@pytest.mark.parametrize("body", NO_EVENTS, ids=lambda body: repr(body)[:20])
def test_a_body_that_is_not_an_event_is_refused_with_what_is_wrong(body, route, api):
    reply = api.call("POST", route, body, {"Content-Type": JSON})

    assert refused(api, reply, 400, "InvalidEventError").startswith(VALIDATION)


@pytest.mark.parametrize(
    "fields, content_type, spaces, status, kinds, words",
    [
        ({"wait": 5}, JSON, 0, 400, ["InvalidEventError"], VALIDATION),
        ({"dry_run": True}, "text/plain", 0, 415, [], ""),
        ({"dry_run": True}, JSON, 300 << 10, 413, [], ""),
        (
            {"cluster": "absent"},
            *(JSON, 0, 404, ["ClusterNotFoundError"]),
            "[ERROR][ecs_service_read] ecs_cluster_name absent not found",
        ),
        (
            {"service": "absent"},
            *(JSON, 0, 404, ["ServiceNotFoundError"]),
            "[ERROR][ecs_service_read] ecs_service_name absent not found",
        ),
    ],
    ids=["an unknown field", "not JSON", "too large", "no such cluster", "no such service"],
)
def test_an_update_that_cannot_be_is_refused_with_what_is_wrong(
    fields, content_type, spaces, status, kinds, words, api, names
):
    event = json.dumps(names | {"image": "busybox", "tag": "1.36"} | fields)
    body = event.encode() + b" " * spaces  # With more of them than any event has.

    reply = api.call("POST", "update", body, {"Content-Type": content_type})

    assert refused(api, reply, status, *kinds).startswith(words)


def test_a_filter_that_there_is_not_is_refused_with_those_that_there_are(api):
    message = refused(api, api.call("GET", "list?colour=red"), 400)

    assert "colour" in message and all(name in message for name in FILTERS)


MEANINGLESS = [
    *("list?limit=0", "list?limit=1001", "list?limit=x", "list?launch_type=CLOUD"),
    *("list?images=yes", "list?next=nonsense", "list?owner=a&owner=b"),
    *("deployments?limit=0", "deployments?limit=101", "deployments?next=nonsense"),
    "deployments?colour=red",
]


@pytest.mark.parametrize("query", MEANINGLESS)
def test_a_parameter_that_means_nothing_is_refused_by_its_name(query, api):
    name = query.partition("?")[2].partition("=")[0]
    assert name in refused(api, api.call("GET", query), 400)


def test_an_unknown_update_is_not_found(api):
    assert "absent" in refused(
        api, api.call("GET", "deployments/absent"), 404, "DeploymentNotFoundError"
    )
