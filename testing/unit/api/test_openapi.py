"""The OpenAPI document has the schemas of the event parser, and the handlers answer by it."""

import json
import re
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from ecs_updater.api import openapi
from ecs_updater.api.get_routes import status_app
from ecs_updater.api.post_routes import LONGEST_WAIT, update_app
from ecs_updater.api.query import (
    ALL,
    LAUNCH_TYPES,
    MOST_DEPLOYMENTS,
    MOST_SERVICES,
    SOME_DEPLOYMENTS,
)
from ecs_updater.api.service_list import ServiceList
from ecs_updater.ledger.queries import UpdateQueries
from ecs_updater.model.event_parser import (
    HOOK_ANSWER_SCHEMA,
    ROLLBACK,
    SCHEMAS,
    SHORT_SCHEMAS,
    UPDATE,
)
from ecs_updater.model.hook import APPROVE, CONTINUE, REJECT, Approval
from fakes.simulated_ecs import SimulatedEcs
from support.http import NO_SCOPES, ask
from support.ledger import intent, succeeded

pytest_plugins = ["support.ledger_fixtures"]
DOCUMENT = openapi.document(["environment", "owner"], "key")


def operations() -> Iterator[tuple[str, str, dict]]:
    """Path, method and operation of each."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method.upper(), operation


def validator(name: str) -> Draft202012Validator:
    """Checks with a schema of the document."""
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def test_every_operation_has_its_own_name_and_all_but_the_help_need_a_key():
    no_key = [name for _, name, operation in operations() if not operation["security"]]
    names = [operation["operationId"] for _, _, operation in operations()]
    assert no_key == ["GET"] and DOCUMENT["paths"]["/"]["get"]["security"] == []
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    "auth, schemes", [("key", ["key"]), ("iam", ["key", "iam"]), ("jwt", ["jwt"])]
)
def test_an_operation_needs_what_the_authentication_asks_for(auth, schemes):
    document = openapi.document([], auth)
    assert list(document["components"]["securitySchemes"]) == schemes
    update = document["paths"]["/update"]["post"]
    assert update["security"] == [{name: [] for name in schemes}]
    assert ("401" in update["responses"]) is (auth == "jwt")
    assert openapi.help_document([], auth)["authentication"].startswith("the header ")


def test_its_limits_are_those_of_the_code():
    lists = {
        path: DOCUMENT["paths"][path]["get"]["parameters"] for path in ("/list", "/deployments")
    }
    limits = [
        (parameter["schema"]["default"], parameter["schema"]["maximum"])
        for parameters in lists.values()
        for parameter in parameters
        if parameter["name"] == "limit"
    ]
    assert limits == [(MOST_SERVICES, MOST_SERVICES), (SOME_DEPLOYMENTS, MOST_DEPLOYMENTS)]
    launch_type = lists["/list"][0]["schema"]["pattern"]
    types = "|".join((*LAUNCH_TYPES, ALL))
    assert launch_type == f"^({types})(,({types}))*$"
    for path in ("/update", "/rollback"):
        body = DOCUMENT["paths"][path]["post"]["requestBody"]
        assert f"more than {LONGEST_WAIT} seconds" in body["description"]


def test_every_reference_leads_somewhere_and_every_schema_is_one():
    schemas = DOCUMENT["components"]["schemas"]
    references = re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(DOCUMENT))
    assert references and json.dumps(DOCUMENT).count('"$ref"') == len(references)
    assert set(references) <= schemas.keys()
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "name, schema",
    [
        ("Update", SCHEMAS[UPDATE]),
        ("Rollback", SCHEMAS[ROLLBACK]),
        ("ShortUpdate", SHORT_SCHEMAS[UPDATE]),
        ("ShortRollback", SHORT_SCHEMAS[ROLLBACK]),
        ("HookAnswer", HOOK_ANSWER_SCHEMA),
    ],
)
def test_a_request_is_checked_with_the_schema_of_the_document(name, schema):
    published = DOCUMENT["components"]["schemas"][name]
    assert {"$schema": "http://json-schema.org/draft-04/schema#", **published} == schema.document


def test_the_get_routes_answer_by_the_document(table, history, lease, log):  # pylint: disable=unused-argument
    ecs = SimulatedEcs(services={"c": {"web": {"tags": {"a": "b"}}}})
    history.finish(succeeded(history.begin(intent(lease("r"))).entry))
    given = Approval("id", "earlier", CONTINUE, "me", "2027-01-15T08:00:00.000Z")
    history.begin(intent(lease("paused"), approvals=[given]))
    resolve = status_app(
        ServiceList(ecs.reader()), UpdateQueries(table), {"TAG_FILTERS": "owner"}, NO_SCOPES
    ).resolve
    for address, name in {
        "/": "Help",
        "/list?images=1": "Services",
        "/deployments": "Deployments",
        "/deployments/r": "WholeDeployment",
        "/deployments/paused": "WholeDeployment",
        "/list?x=1": "Error",
        "/nothing": "Error",
        "/deployments/x": "Error",
    }.items():
        answer = ask(resolve, "GET", address).json
        assert not list(validator(name).iter_errors(answer)), address


def test_the_post_routes_answer_by_the_document(ecs_fake, send, event, log):  # pylint: disable=unused-argument
    body = send(ecs_fake, event())
    given = Approval("id", "hook", CONTINUE, "me", "2027-01-15T08:00:00.000Z", "PRE_SCALE_UP", True)
    resolve = update_app(
        lambda *_: {"statusCode": 200, "body": body}, lambda *_: given, NO_SCOPES
    ).resolve
    assert not list(validator("Result").iter_errors(ask(resolve, "POST", "/update", event()).json))
    assert not list(validator("Error").iter_errors(ask(resolve, "POST", "/update", "{").json))
    for name in (APPROVE, REJECT):
        answer = ask(resolve, "POST", f"/deployments/r/{name}", {"hookId": "hook"})
        assert not list(validator("Answered").iter_errors(answer.json))
