"""The `POST` routes, which change a service."""

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
from .app import json_response, new_app, request_id
from .body import event_of, in_short_names, is_short, value_of, waits_too_long
from .serializers import id_of

Update = Callable[[Any, Call], Answer]


def update_app(update: Update) -> APIGatewayRestResolver:
    """Returns the router."""
    app = new_app()

    @app.post("/update")
    def _update() -> Response[str]:
        return _posted(app, update, UPDATE)

    @app.post("/rollback")
    def _rollback() -> Response[str]:
        return _posted(app, update, ROLLBACK)

    return app


def _posted(app: APIGatewayRestResolver, update: Update, action: str) -> Response[str]:
    request = app.current_event
    call = replace(
        Call.of(app.lambda_context),
        id=request.request_context.request_id,
        caller=_caller(request.raw_event),
    )
    is_accepted_only = False

    def work() -> Answer:
        nonlocal is_accepted_only
        log.add_log_keys(None, call.id)
        value = value_of(request.decoded_body, request.headers.get("content-type"))
        event = event_of(value, action)
        app.context["request_id"] = _id_in(event) or call.id
        log.add_log_keys(event)
        if waits_too_long(event):
            # The caller polls the update by its id, and the reconciler ends it.
            is_accepted_only, event = True, {**event, "wait_seconds": 0}
        try:
            return update(event, call)
        except EcsUpdaterError as error:
            if is_short(value):
                in_short_names(error)
            raise

    body = log.log_update(None, app.lambda_context, work)["body"]
    id_ = request_id(app)
    if is_accepted_only and body["deployment"]["verdict"] == Verdict.IN_PROGRESS:
        location = {"Location": f"deployments/{id_of(id_)}"}
        return json_response({"requestId": id_, **body}, 202, location)
    return json_response({"requestId": id_, **body})


def _id_in(event: Any) -> str | None:
    id_ = event.get("request_id") if isinstance(event, dict) else None
    return id_ if isinstance(id_, str) and 0 < len(id_) <= 128 else None


def _caller(event: dict[str, Any]) -> str:
    """Returns the signing user, the id of the API key, and the address."""
    identity = event.get("requestContext", {}).get("identity") or {}
    parts = {
        "user": identity.get("userArn"),
        "API key": identity.get("apiKeyId"),
        "address": identity.get("sourceIp"),
    }
    return ", ".join(f"{kind} {name}" for kind, name in parts.items() if name) or "HTTP"
