"""The body of a request as an event of the contract. Pure: text in, event out."""

import re
from collections.abc import Mapping
from typing import Any

from ..errors import (
    ClusterNotFoundError,
    EcsUpdaterError,
    InvalidEventError,
    InvalidImageError,
    MediaTypeError,
    NotAllowedError,
    PayloadTooLargeError,
    ServiceNotFoundError,
    one_line,
)
from ..model.event_parser import SCHEMAS, SHORT_SCHEMAS, UPDATE
from ..model.image import ImageReference
from ..model.json_document import json_document

LONGEST_WAIT = 25
"""The most seconds that a request waits for a rollout: API Gateway gives up after 29."""

_MOST = SCHEMAS[UPDATE].document["properties"]["wait_seconds"]["maximum"]

_BYTES_AT_MOST = 256 << 10
"""An event with all that the schema allows is less than half of it."""

_CONTRACT = {
    "cluster": "ecs_cluster_name",
    "service": "ecs_service_name",
    "container": "ecs_container_name",
}
"""Fields of the short form that have another name in the contract."""

_SHORT = {**{long: short for short, long in _CONTRACT.items()}, "ecs_image_name": "image"}
_LONG_NAMES = re.compile(rf"\b(?:{'|'.join(_SHORT)})\b")

_TO_THE_LETTER = (ClusterNotFoundError, NotAllowedError, ServiceNotFoundError)
"""Errors whose sentences the contract gives, field names included: callers compare them."""


def value_of(body: str | None, media_type: str | None) -> Any:
    """The JSON value of a request's body.

    Raises MediaTypeError, PayloadTooLargeError or InvalidEventError.
    """
    if (media_type or "").partition(";")[0].strip().lower() != "application/json":
        given = one_line(media_type or "without a type", 100)
        raise MediaTypeError(f"the body must be application/json, not {given}: set Content-Type")
    return _parsed(body or "")


def event_of(value: Any, action: str) -> Any:
    """The event of a body for ``action``, which need not fit the contract yet: any JSON value, the
    short form made a long one.

    Raises InvalidEventError for another action or a wrong short form, InvalidImageError for a short
    form's image.
    """
    if not isinstance(value, dict):
        return value
    event = value
    if is_short(value):
        SHORT_SCHEMAS[action].check(value)
        event = _long(value)
    if event.get("action", action) != action:
        raise InvalidEventError(
            f"action: this is POST /{action}, which does {action} alone: leave the field out"
        )
    return {"action": action} | event


def waits_too_long(event: Any) -> bool:
    """Whether ``event`` asks to wait for longer than a request can.

    What the schema does not take, it is left to refuse.
    """
    seconds = event.get("wait_seconds") if isinstance(event, dict) else None
    # True is an int too, and small.
    return isinstance(seconds, int) and LONGEST_WAIT < seconds <= _MOST


def is_short(event: Any) -> bool:
    """Whether an event is in the short form: it has fields of that one, and none of the contract's
    own.
    """
    is_named_so = isinstance(event, dict) and event.keys() & {"cluster", "service", "image", "tag"}
    return bool(is_named_so) and not any(name.startswith("ecs_") for name in event)


def in_short_names(error: EcsUpdaterError) -> EcsUpdaterError:
    """The same error with the names that the fields have in the short form."""
    if not isinstance(error, _TO_THE_LETTER):
        error.args = (_renamed(str(error)),)
    if isinstance(error, InvalidEventError):
        error.violation, error.violations = (
            _renamed(error.violation),
            tuple(map(_renamed, error.violations)),
        )
    return error


def _renamed(sentence: str) -> str:
    return _LONG_NAMES.sub(lambda name: _SHORT[name[0]], sentence)


def _long(short: Mapping[str, Any]) -> dict[str, Any]:
    """The contract's event for a short one.

    No tags to merge is how the contract says that the tags stay.
    """
    event = {
        _CONTRACT.get(name, name): value
        for name, value in short.items()
        if name not in ("image", "tag")
    }
    if "image" not in short:
        return event
    return {
        **event,
        "ecs_image_name": _image(short["image"], short["tag"]),
        "ecs_tag": {},
        "ecs_tag_mode": "merge",
    }


def _image(repository: str, tag: str) -> str:
    """The reference.

    ``tag`` is a tag, a digest, or both: ``1.36``, ``sha256:…``, ``1.36@sha256:…``.
    """
    name = repository.rpartition("/")[2]
    if ":" in name or "@" in name:
        given = one_line(repository, 100)
        raise InvalidEventError(
            f"image: {given!r} has a tag or a digest of its own: leave it out, tag says it"
        )
    ImageReference.parse(repository)
    separator = "" if tag.startswith("@") else "@" if ":" in tag and "@" not in tag else ":"
    reference = f"{repository}{separator}{tag}"
    try:
        ImageReference.parse(reference)
    except InvalidImageError:
        raise InvalidEventError(
            f"tag: {one_line(tag, 100)!r} is neither a tag (1 to 128 letters, digits, _ . or -, "
            "not beginning with . or -) nor a "
            "digest (sha256: and 64 hexadecimal digits, in lower case)"
        ) from None
    return reference


def _parsed(body: str) -> Any:
    if len(body.encode("utf-8", "surrogatepass")) > _BYTES_AT_MOST:
        raise PayloadTooLargeError(
            f"the body has more than {_BYTES_AT_MOST >> 10} KB, which no event needs"
        )
    try:
        return json_document(body, "the body")
    except RecursionError:
        raise InvalidEventError("the event is nested too deeply") from None
