"""Which routes there are, for the help, the OpenAPI document and the tests that hold the
infrastructure against them. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Route:
    """One route."""

    name: str
    """By which generated clients call it."""
    method: str
    path: str
    what: str
    answer: str | None
    """The schema of its answer, in ``schemas/answers.json``."""
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
        "one update, and what became of it",
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


def document(tag_filters: Sequence[str], auth: str) -> dict[str, Any]:
    """The help, as JSON."""
    return {
        "name": "ecs-updater",
        "routes": [
            {"method": route.method, "path": route.path, "what": route.what} for route in ROUTES
        ],
        "authentication": _AUTHENTICATION[auth],
        "tagFilters": list(tag_filters),
        "openapi": "openapi.json",
    }
