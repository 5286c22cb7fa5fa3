"""What the API can do, for programs and for a person with curl. Pure."""

from collections.abc import Sequence
from typing import Any

from .routes import ROUTES

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
