"""What the API answers about itself and about the running services."""

import html.parser
from typing import Any

import jsonschema
import pytest

from e2e.api_suite.answers import answered

ROUTES = {
    "GET /": False,
    "POST /update": True,
    "POST /rollback": True,
    "GET /list": True,
    "GET /deployments": True,
    "GET /deployments/{id}": True,
    "GET /openapi.json": True,
}
"""The routes, and whether each wants the key."""


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_the_help_needs_no_key_and_lists_the_routes_for_a_program(accept, api):
    answer = answered(api.call("GET", "", headers={"Accept": accept} if accept else None, key=""))

    assert answer["name"] == "ecs-updater"
    assert answer.keys() == {"name", "routes", "authentication", "tagFilters", "openapi"}
    assert {f"{route['method']} {route['path']}" for route in answer["routes"]} == set(ROUTES)
    assert answer["tagFilters"] == ["environment", "owner", "contact"]


def test_a_browser_gets_a_page_in_which_nothing_runs_but_its_own_script(api):
    reply = api.call("GET", "", headers={"Accept": "text/html,application/xhtml+xml"}, key="")
    policy = dict(
        part.split(maxsplit=1)
        for part in map(str.strip, reply.headers["content-security-policy"].split(";"))
        if part
    )
    found = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))  # type: ignore[method-assign]
    parser.feed(reply.content.decode())

    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/html")
    assert policy["default-src"] == "'none'" and policy["script-src"].startswith("'sha256-")
    assert (
        reply.headers["referrer-policy"] == "no-referrer"
        and reply.headers["cache-control"] == "no-store"
    )
    assert {"html", "script"} <= {tag for tag, _ in found}
    assert not [
        tag for tag, attributes in found if {"src", "onclick", "onload"} & attributes.keys()
    ]


def services(reply) -> dict[tuple[str, str], dict[str, Any]]:
    """The services of an answer, by cluster and name."""
    return {
        (service["clusterName"], service["serviceName"]): service
        for service in answered(reply)["services"]
    }


@pytest.mark.usefixtures("service")
def test_the_list_has_the_service_as_it_is(api, names, at_first):
    found = services(api.call("GET", "list?launch_type=ALL&images=1"))[
        names["cluster"], names["service"]
    ]

    assert list(found["images"].values()) == [at_first.image]
    assert found["tags"] == [{"key": key, "value": value} for key, value in at_first.tags.items()]
    assert found["taskDefinition"].count(":") == 1 and found["desiredCount"] == 1
    assert found["launchType"] in ("FARGATE", "EC2")
    assert (
        "images"
        not in services(api.call("GET", "list?launch_type=ALL"))[names["cluster"], names["service"]]
    )


def test_the_list_is_filtered_by_tags_that_must_all_fit(api, names, service, at_first):
    service.restore(
        type(at_first)(at_first.image, {"owner": "api suite", "contact": "someone@example.com"})
    )
    own = names["cluster"], names["service"]
    everything = "list?launch_type=ALL&"

    assert own in services(api.call("GET", f"{everything}owner=api%20suite"))
    assert own in services(
        api.call("GET", f"{everything}owner=api+suite&contact=someone%40example.com")
    )
    assert own not in services(api.call("GET", f"{everything}owner=api%20suite&contact=another"))
    assert own not in services(api.call("GET", f"{everything}owner=api"))


def test_the_pages_of_the_list_have_everything_once(api):
    whole = list(services(api.call("GET", "list?launch_type=ALL")))
    found, following = [], ""
    while following is not None:
        page = answered(
            api.call("GET", f"list?launch_type=ALL&limit=1{following and f'&next={following}'}")
        )
        found += [(service["clusterName"], service["serviceName"]) for service in page["services"]]
        following = page["next"]

    assert found == whole


def test_the_openapi_document_has_the_routes(api):
    document = answered(api.call("GET", "openapi.json"))

    assert document["openapi"].startswith("3.1.")
    assert document["info"].keys() >= {"title", "version"}
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert {name: bool(operation["security"]) for name, operation in operations.items()} == ROUTES
    for name, operation in operations.items():
        assert all(answer["description"] for answer in operation["responses"].values()), name
        parameters = operation.get("parameters", [])
        in_path = {
            parameter["name"]
            for parameter in parameters
            if parameter["in"] == "path" and parameter["required"]
        }
        assert in_path == ({"id"} if "{id}" in name else set())


def test_the_openapi_document_describes_what_is_answered(api):
    document = answered(api.call("GET", "openapi.json"))
    routes = {
        "/": "",
        "/list": "list?launch_type=ALL&images=1",
        "/deployments": "deployments?limit=5",
    }

    for path, route in routes.items():
        content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        schema = content["schema"] | {"components": document["components"]}
        jsonschema.validate(
            answered(api.call("GET", route)), schema, jsonschema.Draft202012Validator
        )
