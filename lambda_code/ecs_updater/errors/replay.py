"""An error as the ledger keeps it, and the same error again for a repetition of the request.

One way for all classes of errors.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .base import EcsUpdaterError
from .server import InternalError


def attributes_of(error: Exception) -> dict[str, Any]:
    """The attributes that the error has beside its message, as JSON values: a tuple becomes a list,
    an unknown type its text.
    """
    attributes: dict[str, Any] = json.loads(json.dumps(vars(error), default=str))
    return attributes


def rebuilt(name: str, message: str, attributes: Mapping[str, Any]) -> EcsUpdaterError:
    """The error of the class ``name`` with this message and these attributes, its lists as tuples.

    A class that this version does not know becomes InternalError. An attribute that was not kept
    has the default of its class.
    """
    kind = next((one for one in _kinds(EcsUpdaterError) if one.__name__ == name), InternalError)
    # Without __init__, which would make another message of this one.
    error = kind.__new__(kind, message)
    error.details = {}
    vars(error).update(
        {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in attributes.items()
        }
    )
    return error


def _kinds(kind: type[EcsUpdaterError]) -> Iterator[type[EcsUpdaterError]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _kinds(derived)
