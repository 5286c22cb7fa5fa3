"""Where the next page begins, as a text that goes to the caller and back. Pure.

It is a key, not a number of entries: what appears or goes between two pages moves nothing, so
nothing is lost or told twice.
"""

import base64
import binascii
import json
from collections.abc import Mapping

from ..errors import InvalidQueryError

NOT_OURS = "next: this is not what an earlier page of the same list gave as next"

_LIMIT = 8192


def token_of(place: Mapping[str, str]) -> str:
    """The text for a place, whose names and values are strings."""
    return (
        base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode())
        .decode()
        .rstrip("=")
    )


def place_of(token: str | None, names: tuple[str, ...]) -> dict[str, str] | None:
    """The place of a text, which has these names; None for none. Raises InvalidQueryError."""
    if token is None:
        return None
    try:
        if len(token) > _LIMIT:
            raise ValueError
        place = json.loads(
            base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, binascii.Error, RecursionError):
        place = None
    if (
        not isinstance(place, dict)
        or set(place) != set(names)
        or not all(isinstance(one, str) for one in place.values())
    ):
        raise InvalidQueryError(NOT_OURS)
    return place
