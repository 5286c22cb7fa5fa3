"""A JSON text that somebody else wrote, read strictly: what two readers could take for two values
is refused. Pure.

https://datatracker.ietf.org/doc/html/rfc8259#section-4
"""

import json
from typing import Any

from ..errors import InvalidEventError


def json_document(text: str, name: str) -> Any:
    """The value of ``text``. ``name``: how a sentence calls it, such as ``the body``.

    Raises InvalidEventError for what is no JSON or has a key twice in one object, and
    RecursionError for what is nested too deeply.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise InvalidEventError(
                    f"{name} has the key {key!r} twice in one object: leave one of the two out"
                )
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=_no_number)
    except ValueError as error:
        raise InvalidEventError(f"{name} is no JSON: {error}") from None


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
