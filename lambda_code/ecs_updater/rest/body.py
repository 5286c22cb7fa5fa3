"""The body of a request as an event of the contract. Pure: text in, event out."""

import json
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidEventError, MediaTypeError, PayloadTooLargeError, one_line
from ..event import SCHEMAS, SHORT_SCHEMAS, UPDATE

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


def event_of(body: str | None, media_type: str | None, action: str) -> Any:
    """The event of a request for ``action``, which need not fit the contract yet: any JSON value, the short form made a long one.

    Raises MediaTypeError, PayloadTooLargeError, and InvalidEventError for what is no JSON, another action, or a wrong short form.
    """
    if (media_type or "").partition(";")[0].strip().lower() != "application/json":
        given = one_line(media_type or "without a type", 100)
        raise MediaTypeError(f"the body must be application/json, not {given}: set Content-Type")
    event = _parsed(body or "")
    if not isinstance(event, dict):
        return event
    if is_short(event):
        SHORT_SCHEMAS[action].check(event)
        event = _long(event)
    if event.get("action", action) != action:
        raise InvalidEventError(f"action: this is POST /{action}, which does {action} alone: leave the field out")
    return {"action": action} | event


def waits_too_long(event: Any) -> bool:
    """Whether ``event`` asks to wait for longer than a request can. What the schema does not take, it is left to refuse."""
    seconds = event.get("wait_seconds") if isinstance(event, dict) else None
    return isinstance(seconds, int) and LONGEST_WAIT < seconds <= _MOST  # True is an int too, and small.


def is_short(event: Any) -> bool:
    """Whether an event is in the short form: it has fields of that one, and none of the contract's own."""
    is_named_so = isinstance(event, dict) and event.keys() & {"cluster", "service", "image", "tag"}
    return bool(is_named_so) and not any(name.startswith("ecs_") for name in event)


def _long(short: Mapping[str, Any]) -> dict[str, Any]:
    """The contract's event for a short one. No tags to merge is how the contract says that the tags stay."""
    event = {_CONTRACT.get(name, name): value for name, value in short.items() if name not in ("image", "tag")}
    if "image" not in short:
        return event
    name = short["image"].rpartition("/")[2]
    if ":" in name or "@" in name:
        image = one_line(short["image"], 100)
        raise InvalidEventError(f"image: {image!r} has a tag or a digest of its own: leave it out, tag says it")
    return {**event, "ecs_image_name": f"{short['image']}:{short['tag']}", "ecs_tag": {}, "ecs_tag_mode": "merge"}


def _parsed(body: str) -> Any:
    if len(body.encode("utf-8", "surrogatepass")) > _BYTES_AT_MOST:
        raise PayloadTooLargeError(f"the body has more than {_BYTES_AT_MOST >> 10} KB, which no event needs")
    try:
        return json.loads(body, parse_constant=_no_number)
    except RecursionError:
        raise InvalidEventError("the event is nested too deeply") from None
    except ValueError as error:
        raise InvalidEventError(f"the body is no JSON: {error}") from None


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
