"""``POST``: what changes a service. The body is an event of the contract, or its short form."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from .. import log
from ..context import Call
from ..deployments.response import Answer
from ..errors import EcsUpdaterError
from ..model.event_parser import ROLLBACK, UPDATE
from ..model.verdict import Verdict
from . import http_response
from .app import new_app, request_id
from .body import event_of, in_short_names, is_short, value_of, waits_too_long
from .serializers import id_of

Do = Callable[[Any, Call], Answer]
"""Does an update or a rollback: an event, and the call that asks for it."""


def door(do: Do) -> APIGatewayRestResolver:
    """The routes."""
    app = new_app()

    @app.post("/update")
    def _update() -> Response[str]:
        return _posted(app, do, UPDATE)

    @app.post("/rollback")
    def _rollback() -> Response[str]:
        return _posted(app, do, ROLLBACK)

    return app


def _posted(app: APIGatewayRestResolver, do: Do, action: str) -> Response[str]:
    request = app.current_event
    call = replace(
        Call.of(app.lambda_context),
        id=request.request_context.request_id,
        caller=_caller(request.raw_event),
    )
    waits = False

    def work() -> Answer:
        nonlocal waits
        log.tell_about(None, call.id)
        value = value_of(request.decoded_body, request.headers.get("content-type"))
        event = event_of(value, action)
        app.context["request_id"] = _id_in(event) or call.id
        log.tell_about(event)
        if waits_too_long(event):
            # The caller follows it by its id, and the completer ends it.
            waits, event = True, {**event, "wait_seconds": 0}
        try:
            return do(event, call)
        except EcsUpdaterError as error:
            if is_short(value):
                in_short_names(error)
            raise

    body = log.logged(None, app.lambda_context, work)["body"]
    id_ = request_id(app)
    goes_on = waits and body["deployment"]["verdict"] == Verdict.IN_PROGRESS
    headers = {"Location": f"deployments/{id_of(id_)}"} if goes_on else {}
    return http_response.of_json({"requestId": id_, **body}, 202 if goes_on else 200, headers)


def _id_in(event: Any) -> str | None:
    id_ = event.get("request_id") if isinstance(event, dict) else None
    return id_ if isinstance(id_, str) and 0 < len(id_) <= 128 else None


def _caller(event: dict[str, Any]) -> str:
    """Who asks: the user that signed the request, the API key by its id, the address."""
    identity = event.get("requestContext", {}).get("identity") or {}
    named = {
        "user": identity.get("userArn"),
        "API key": identity.get("apiKeyId"),
        "address": identity.get("sourceIp"),
    }
    return ", ".join(f"{what} {name}" for what, name in named.items() if name) or "HTTP"
