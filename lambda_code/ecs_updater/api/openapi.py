"""The API's routes, its help and its OpenAPI document, which has the schemas of the event parser.

OpenAPI 3.1, because its schemas are JSON Schema: 3.0 has no `patternProperties`, which tags need.
https://spec.openapis.org/oas/v3.1.1.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ..model.event_parser import SCHEMAS, SHORT_SCHEMAS
from .body import LONGEST_WAIT
from .query import ALL, LAUNCH_TYPES, MOST_DEPLOYMENTS, MOST_SERVICES, SOME_DEPLOYMENTS

Json = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """One route."""

    name: str
    """Name of the call in generated clients."""
    method: str
    path: str
    summary: str
    answer: str | None
    """Schema of the response, in `schemas/answers.json`."""
    needs_key: bool = True


ROUTES = (
    Route("help", "GET", "/", "this help, or a page in a browser", "Help", needs_key=False),
    Route("update", "POST", "/update", "change the image and the tags of a service", "Result"),
    Route(
        "rollback",
        "POST",
        "/rollback",
        "return a service to the last revision that worked",
        "Result",
    ),
    Route("listServices", "GET", "/list", "the services of every cluster", "Services"),
    Route(
        "listDeployments",
        "GET",
        "/deployments",
        "the updates that were made, the newest first",
        "Deployments",
    ),
    Route(
        "getDeployment",
        "GET",
        "/deployments/{id}",
        "one update and its outcome",
        "WholeDeployment",
    ),
    Route("openapi", "GET", "/openapi.json", "this API as an OpenAPI document", None),
)

_AUTHENTICATION = {
    "key": "the header x-api-key, on every route but this one",
    "iam": (
        "the header x-api-key and a signature of AWS (Signature Version 4), on "
        "every route but this one"
    ),
}

_QueryParameter = tuple[str, Json, str]
"""Name, schema and description of a parameter."""

_NEXT: _QueryParameter = (
    "next",
    {"type": "string"},
    "Start of the page: the value of next in the page before.",
)
_EXAMPLE = {
    "cluster": "ECSCluster",
    "service": "ecs-dummy-service",
    "image": "busybox",
    "tag": "1.36",
}

_ERRORS = {
    "400": "the body or a parameter does not fit; errorMessage names it",
    "403": (
        "no key of this API, a setting of the function does not allow it, or AWS does not permit "
        "the function to do it"
    ),
    "404": "no such route, cluster, service or update",
    "409": "another update holds the service: try again after Retry-After seconds",
    "413": "the body is too large",
    "415": "the body is not application/json",
    "422": "ECS refuses it, or the rollout failed",
    "429": "too many requests with this key: try again after Retry-After seconds",
    "500": "the function is at fault",
    "502": "AWS is at fault: a retry may help",
    "504": "AWS did not answer in time; GET /deployments/{id} returns the outcome of an update",
}
_READ_ERRORS, _WRITE_ERRORS = ("400", "403", "404", "429", "500", "502", "504"), tuple(_ERRORS)


def help_document(tag_filters: Sequence[str], auth: str) -> Json:
    """Returns the help."""
    return {
        "name": "ecs-updater",
        "routes": [
            {"method": route.method, "path": route.path, "what": route.summary} for route in ROUTES
        ],
        "authentication": _AUTHENTICATION[auth],
        "tagFilters": list(tag_filters),
        "openapi": "openapi.json",
    }


def document(tag_filters: Sequence[str], auth: str) -> Json:
    """Returns the OpenAPI document. The server's address is relative to the document's."""
    paths: dict[str, Json] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, tag_filters, auth
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ecs-updater",
            "version": "1",
            "description": (
                "Changes the image and the tags of an Amazon ECS service, and reports what runs."
            ),
        },
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": _security_schemes(auth)},
    }


def _operation(route: Route, tag_filters: Sequence[str], auth: str) -> Json:
    return {
        "operationId": route.name,
        "summary": route.summary,
        "security": [{name: [] for name in _security_schemes(auth)}] if route.needs_key else [],
        **_input(route, tag_filters),
        "responses": _responses(route),
    }


def _security_schemes(auth: str) -> Json:
    schemes: Json = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    if auth == "iam":
        signature = {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
        schemes["iam"] = signature
    return schemes


def _input(route: Route, tag_filters: Sequence[str]) -> Json:
    """Returns the parameters or the body of a route."""
    match route.path:
        case "/update":
            return _body("Update", "ShortUpdate", _EXAMPLE)
        case "/rollback":
            return _body(
                "Rollback",
                "ShortRollback",
                {name: _EXAMPLE[name] for name in ("cluster", "service")},
            )
        case "/list":
            by_tag: list[_QueryParameter] = [
                (key, {"type": "string"}, f"The value of the tag {key}.") for key in tag_filters
            ]
            types = "|".join((*LAUNCH_TYPES, ALL))
            several = {"type": "string", "pattern": f"^({types})(,({types}))*$"}
            own: list[_QueryParameter] = [
                ("launch_type", several, "Default: FARGATE; several with commas."),
                (
                    "images",
                    {"type": "string", "enum": ["0", "1"]},
                    "1: with the image of every container.",
                ),
                ("limit", _limit(MOST_SERVICES, MOST_SERVICES), "Maximum services of a page."),
                _NEXT,
            ]
            return {"parameters": [_parameter(*parameter) for parameter in (*own, *by_tag)]}
        case "/deployments":
            own = [
                ("cluster", {"type": "string"}, "Only of this cluster, by name or ARN."),
                (
                    "service",
                    {"type": "string"},
                    "Only of this service, by ARN, or by name with cluster.",
                ),
                (
                    "limit",
                    _limit(MOST_DEPLOYMENTS, SOME_DEPLOYMENTS),
                    "Maximum updates of a page.",
                ),
                _NEXT,
            ]
            return {"parameters": [_parameter(*parameter) for parameter in own]}
        case "/deployments/{id}":
            of_path = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            return {"parameters": [of_path | {"description": "The update's id."}]}
    return {}


def _body(schema: str, short: str, example: Json) -> Json:
    either = {"anyOf": [_reference(schema), _reference(short)]}
    waits = (
        f"For a wait of more than {LONGEST_WAIT} seconds the response is 202 at once, with "
        "the address of the update."
    )
    return {
        "requestBody": {
            "required": True,
            "description": waits,
            "content": {"application/json": {"schema": either, "example": example}},
        }
    }


def _responses(route: Route) -> Json:
    changes = route.method == "POST"
    content: Json = {
        "application/json": {
            "schema": _reference(route.answer) if route.answer else {"type": "object"}
        }
    }
    if route.path == "/":
        content["text/html"] = {"schema": {"type": "string"}}
    answers: Json = {"200": {"description": "OK", "content": content}}
    if changes:
        location = {
            "Location": {"description": "Address of the update.", "schema": {"type": "string"}}
        }
        answers["202"] = {
            "description": "the rollout is in progress",
            "headers": location,
            "content": content,
        }
    for status in _WRITE_ERRORS if changes else _READ_ERRORS:
        answers[status] = {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": _reference("Error")}},
        }
    return answers


def _schemas() -> Json:
    """Returns the schemas of requests and responses."""
    requests = [schema.document for schema in (*SCHEMAS.values(), *SHORT_SCHEMAS.values())]
    titles = {"UpdateEvent": "Update", "RollbackEvent": "Rollback"}
    by_name = {
        titles.get(schema["title"], schema["title"]): _without_dialect(schema)
        for schema in requests
    }
    answers: Mapping[str, Json] = json.loads(
        resources.files("ecs_updater").joinpath("schemas/answers.json").read_text("utf-8")
    )
    return {**by_name, **answers}


def _without_dialect(schema: Json) -> Json:
    """Returns a schema without `$schema`: it means the same in OpenAPI's dialect."""
    return {key: value for key, value in schema.items() if key != "$schema"}


def _reference(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _parameter(name: str, schema: Json, description: str) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def _limit(most: int, default: int) -> Json:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}
