"""What the API answers about itself and about the running services."""

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
    "POST /deployments/{id}/approve": True,
    "POST /deployments/{id}/reject": True,
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
    policy = reply.headers["content-security-policy"]

    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none';" in policy and "script-src 'sha256-" in policy
    assert (reply.headers["referrer-policy"], reply.headers["cache-control"]) == (
        "no-referrer",
        "no-store",
    )
    assert "</script>" in reply.text


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


def test_the_openapi_document_has_the_routes_and_describes_what_they_answer(api):
    document = answered(api.call("GET", "openapi.json"))

    assert {
        f"{method.upper()} {path}": bool(operation["security"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    } == ROUTES
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
