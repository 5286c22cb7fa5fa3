"""The API's help and its OpenAPI document: `schemas/openapi.json` and the schemas of the events.

OpenAPI 3.1, because its schemas are JSON Schema: 3.0 has no `patternProperties`, which tags need.
https://spec.openapis.org/oas/v3.1.1.html
"""

from collections.abc import Sequence

from ..model.event_parser import HOOK_ANSWER_SCHEMA, SCHEMAS, SHORT_SCHEMAS, Schema
from .serializers import Json

_AUTHENTICATION = {
    "key": "the header x-api-key, on every route but this one",
    "iam": (
        "the header x-api-key and a signature of AWS (Signature Version 4), on "
        "every route but this one"
    ),
    "jwt": "the header Authorization with a bearer token, on every route but this one",
}

_SCHEMES = {"key": ("key",), "iam": ("key", "iam"), "jwt": ("jwt",)}
"""The security schemes that a request needs together."""

_ERRORS = {
    "400": "the body or a parameter does not fit; errorMessage names it",
    "401": "the bearer token is missing or not valid",
    "403": (
        "no key of this API, a setting of the function does not allow it, or AWS does not permit "
        "the function to do it"
    ),
    "404": "no such route, cluster, service or update",
    "409": (
        "another update holds the service: try again after Retry-After seconds; or the hook awaits "
        "no answer, and errorMessage has its state"
    ),
    "413": "the body is too large",
    "415": "the body is not application/json",
    "422": "ECS refuses it, or the rollout failed",
    "429": "too many requests: try again after Retry-After seconds",
    "500": "the function is at fault",
    "502": "AWS is at fault: a retry may help",
    "504": "AWS did not answer in time; GET /deployments/{id} returns the outcome of an update",
}
_READ_ERRORS = ("400", "401", "403", "404", "429", "500", "502", "504")
_WRITE_ERRORS = tuple(_ERRORS)


def help_document(tag_filters: Sequence[str], auth: str) -> Json:
    """Returns the help."""
    return {
        "name": "ecs-updater",
        "routes": [
            {"method": method.upper(), "path": path, "what": operation["summary"]}
            for path, operations in Schema("openapi").document["paths"].items()
            for method, operation in operations.items()
        ],
        "authentication": _AUTHENTICATION[auth],
        "tagFilters": list(tag_filters),
        "openapi": "openapi.json",
    }


def document(tag_filters: Sequence[str], auth: str) -> Json:
    """Returns the OpenAPI document. The server's address is relative to the document's."""
    whole = Schema("openapi").document  # A new one each time, which is completed below.
    components, paths = whole["components"], whole["paths"]
    schemes = components["securitySchemes"]
    components["securitySchemes"] = {name: schemes[name] for name in _SCHEMES[auth]}
    security: list[Json] = [{name: [] for name in components["securitySchemes"]}]
    for operations in paths.values():
        for method, operation in operations.items():
            operation.setdefault("security", security)
            for status in _WRITE_ERRORS if method == "post" else _READ_ERRORS:
                if status == "401" and auth != "jwt":
                    continue
                operation["responses"][status] = {
                    "description": _ERRORS[status],
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}
                    },
                }
    paths["/list"]["get"]["parameters"] += [
        {
            "name": key,
            "in": "query",
            "required": False,
            "description": f"The value of the tag {key}.",
            "schema": {"type": "string"},
        }
        for key in tag_filters
    ]
    for schema in (*SCHEMAS.values(), *SHORT_SCHEMAS.values(), HOOK_ANSWER_SCHEMA):
        # Without `$schema`: it means the same in OpenAPI's dialect.
        fields = {key: value for key, value in schema.document.items() if key != "$schema"}
        components["schemas"][fields["title"].removesuffix("Event")] = fields
    return whole
