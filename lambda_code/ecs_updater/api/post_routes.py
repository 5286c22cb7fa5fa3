"""The `POST` routes, which change a service: from a body to an event of the contract, or to the
answer to a hook.

A body of an update or a rollback is an event, or its short form.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from .. import log
from ..context import Call
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
from ..model.event_parser import (
    HOOK_ANSWER_SCHEMA,
    ROLLBACK,
    SCHEMAS,
    SHORT_SCHEMAS,
    UPDATE,
    parse_json,
)
from ..model.hook import ACTIONS, APPROVE, REJECT, Approval, HookAnswer
from ..model.image import ImageReference
from ..model.request import SETTING_FIELDS
from ..model.verdict import Verdict
from .access import Access
from .app import json_response, new_app, request_id
from .serializers import id_of, request_id_of

Update = Callable[[Any, Call], log.Answer]
AnswerHook = Callable[[HookAnswer, Call], Approval]

LONGEST_WAIT = 25
"""Maximum seconds that a request waits for a rollout. API Gateway's time-out is 29 seconds."""

_MAX_WAIT = SCHEMAS[UPDATE].document["properties"]["wait_seconds"]["maximum"]

_MAX_BYTES = 256 << 10
"""Maximum bytes of a body. The longest valid event has less than half of them."""

_CONTRACT = {
    "cluster": "ecs_cluster_name",
    "service": "ecs_service_name",
    "container": "ecs_container_name",
}
"""Contract's names of fields that have another name in the short form."""

_SHORT = {**{long: short for short, long in _CONTRACT.items()}, "ecs_image_name": "image"}
_LONG_NAMES = re.compile(rf"\b(?:{'|'.join(_SHORT)})\b")

_FULL_FORM = "the short form has no settings: send the event with all of its ecs_ names"

_FIXED_MESSAGES = (ClusterNotFoundError, NotAllowedError, ServiceNotFoundError)
"""Errors whose messages the contract fixes, field names included: callers compare them."""


def update_app(update: Update, answer_hook: AnswerHook, access: Access) -> APIGatewayRestResolver:
    """Returns the router. The calls of `update` and `answer_hook` have the caller's scope."""
    app = new_app()

    @app.post("/update")
    def _update() -> Response[str]:
        return _posted(app, update, UPDATE, access)

    @app.post("/rollback")
    def _rollback() -> Response[str]:
        return _posted(app, update, ROLLBACK, access)

    @app.post("/deployments/<id_>/approve")
    def _approve(id_: str) -> Response[str]:
        return _answered(app, answer_hook, id_, APPROVE, access)

    @app.post("/deployments/<id_>/reject")
    def _reject(id_: str) -> Response[str]:
        return _answered(app, answer_hook, id_, REJECT, access)

    return app


def _answered(
    app: APIGatewayRestResolver, answer_hook: AnswerHook, id_: str, name: str, access: Access
) -> Response[str]:
    """Answers the hook of a body for the update with this id in the lists."""
    own, update_id = _call(app), request_id_of(id_)

    def work() -> log.Answer:
        call = _admitted(app, access, own)
        value = _body_of(app)
        HOOK_ANSWER_SCHEMA.check(value)
        answer = HookAnswer(update_id, value["hookId"], ACTIONS[name])
        return {"requestId": update_id, "approval": answer_hook(answer, call).to_json()}

    return json_response(log.log_answer(name, update_id, own, work))


def _call(app: APIGatewayRestResolver) -> Call:
    id_ = app.current_event.request_context.request_id
    return replace(Call.of(app.lambda_context), id=id_, caller=None)


def _admitted(app: APIGatewayRestResolver, access: Access, call: Call) -> Call:
    """Returns the call with caller and scope. The following log lines have the caller."""
    call = access.admit(app.current_event.raw_event, call)
    log.add_caller(call, app.current_event.raw_event)
    return call


def _body_of(app: APIGatewayRestResolver) -> Any:
    request = app.current_event
    try:
        body = request.decoded_body
    except ValueError as error:
        raise InvalidEventError(f"the body is not text in base64: {error}") from None
    return _value_of(body, request.headers.get("content-type"))


def _posted(
    app: APIGatewayRestResolver, update: Update, action: str, access: Access
) -> Response[str]:
    own = _call(app)
    is_accepted_only = False

    def work() -> log.Answer:
        nonlocal is_accepted_only
        call = _admitted(app, access, own)
        value = _body_of(app)
        event = _event_of(value, action)
        app.context["request_id"] = call.request_id(event)
        log.add_log_keys(event, call, http_request_id=call.id)
        if _waits_too_long(event):
            # The caller polls the update by its id, and the reconciler ends it.
            is_accepted_only, event = True, {**event, "wait_seconds": 0}
        try:
            return update(event, call)
        except EcsUpdaterError as error:
            if _is_short(value):
                _in_short_names(error)
            raise

    body = log.log_update({"action": action}, own, work)["body"]
    id_ = request_id(app)
    if is_accepted_only and body["deployment"]["verdict"] == Verdict.IN_PROGRESS:
        location = {"Location": f"deployments/{id_of(id_)}"}
        return json_response({"requestId": id_, **body}, 202, location)
    return json_response({"requestId": id_, **body})


def _value_of(body: str | None, media_type: str | None) -> Any:
    """Returns the JSON value of a body.

    Raises MediaTypeError, PayloadTooLargeError or InvalidEventError.
    """
    if (media_type or "").partition(";")[0].strip().lower() != "application/json":
        actual = one_line(media_type or "without a type", 100)
        raise MediaTypeError(f"the body must be application/json, not {actual}: set Content-Type")
    text = body or ""
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        raise PayloadTooLargeError(
            f"the body has more than {_MAX_BYTES >> 10} KB, which no event needs"
        )
    try:
        return parse_json(text, "the body")
    except RecursionError:
        raise InvalidEventError("the event is nested too deeply") from None


def _event_of(value: Any, action: str) -> Any:
    """Returns the event of a body. A short form becomes an event, any other value stays.

    Raises InvalidEventError for another action or an invalid short form, and InvalidImageError for
    the image of a short form.
    """
    if not isinstance(value, dict):
        return value
    event = value
    if _is_short(value):
        try:
            SHORT_SCHEMAS[action].check(value)
        except InvalidEventError as error:
            if value.keys() & {name.removeprefix("ecs_") for name in SETTING_FIELDS}:
                error.with_hint(_FULL_FORM)
            raise
        event = _long(value)
    if event.get("action", action) != action:
        raise InvalidEventError(
            f"action: this is POST /{action}, which only does {action}: leave the field out"
        )
    return {"action": action} | event


def _waits_too_long(event: Any) -> bool:
    """Returns whether `event` has a valid `wait_seconds` that is too long for a request."""
    seconds = event.get("wait_seconds") if isinstance(event, dict) else None
    # True is an int, and less than the limit.
    return isinstance(seconds, int) and LONGEST_WAIT < seconds <= _MAX_WAIT


def _is_short(event: Any) -> bool:
    """Returns whether an event has fields of the short form and none of the contract's own."""
    if not isinstance(event, dict) or any(name.startswith("ecs_") for name in event):
        return False
    return bool(event.keys() & {"cluster", "service", "image", "tag"})


def _in_short_names(error: EcsUpdaterError) -> None:
    """Replaces the field names in the error's messages by those of the short form."""
    if not isinstance(error, _FIXED_MESSAGES):
        error.args = (_renamed(str(error)),)
    if isinstance(error, InvalidEventError):
        error.violation, error.violations = (
            _renamed(error.violation),
            tuple(map(_renamed, error.violations)),
        )


def _renamed(sentence: str) -> str:
    return _LONG_NAMES.sub(lambda name: _SHORT[name[0]], sentence)


def _long(short: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the event of a short form. Merging no tags leaves the service's tags unchanged."""
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
    """Returns the image reference.

    `tag` is a tag, a digest, or both: `1.36`, `sha256:…`, `1.36@sha256:…`.
    """
    name = repository.rpartition("/")[2]
    if ":" in name or "@" in name:
        raise InvalidEventError(
            f"image: {one_line(repository, 100)!r} has a tag or a digest: move it to the field tag"
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
