"""The ways in over HTTP: both functions behind API Gateway, with scopes of their callers."""

import base64
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ecs_updater.api.access import Access
from ecs_updater.api.get_routes import status_app
from ecs_updater.api.post_routes import update_app
from ecs_updater.api.service_list import ServiceList
from ecs_updater.aws.parameter import Parameter
from ecs_updater.deployments.approvals import answer_hook
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import EcsUpdaterError
from ecs_updater.handlers import api_status, api_update
from ecs_updater.ledger.queries import UpdateQueries
from ecs_updater.model.scopes import Scopes

from .. import http
from . import samples
from .answers import (
    READ_STAGES,
    Answer,
    Event,
    context_of,
    delivered,
    hidden_in_text,
    replaced,
)
from .mutation import SECRET, Generator, members_of
from .setting import Setting

_METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "POST", "post", "")
_MEDIA = (
    *("application/json; charset=utf-8", "APPLICATION/JSON", "text/plain", "", "a" * 9000),
    *("application/json\n", "multipart/form-data; boundary=x", "\ud800", ";", "*/*"),
)


def http_post(setting: Setting) -> Event:
    """The function of the routes that change a service."""
    draw = setting.draw
    id_ = draw.pick(("update-1", "update-1", "~dXBkYXRlLTE", "r-1", draw.text()))
    routes = ["/update", "/rollback", f"/deployments/{id_}/approve", f"/deployments/{id_}/reject"]
    changes, answers = routes[:2], routes[2:]
    path = draw.pick(changes * 5 + answers if setting.awaited == "hook" else changes + answers * 3)
    route = path if path in routes[:2] else "approve"
    body = draw.written(draw.mutated(samples.body(draw, route, setting.awaited)))
    event, text = _request(draw, _method(draw, "POST"), path, body)

    def invoke() -> Answer:
        world, settings = setting.world, setting.environment
        app = update_app(
            lambda event, call: deploy(event, settings, world.boundary, call, world.table),
            lambda answer, call: answer_hook(answer, settings, world.boundary, call, world.table),
            _access(setting),
        )
        with replaced(api_update, APP=app):
            return _response_of(lambda: api_update.lambda_handler(event, context_of(29)))

    return Event(text, hidden_in_text(body) | _hidden_headers(event), invoke)


def http_get(setting: Setting, client: Any) -> Event:
    """The function of the routes that read."""
    draw, world = setting.draw, setting.world
    id_ = draw.pick(("update-1", "~dXBkYXRlLTE", draw.text()))
    routes = ["/list", "/deployments", f"/deployments/{id_}"]
    path = draw.pick([*routes * 3, "/", "/openapi.json", draw.text()])
    query = {
        str(name): [str(each) for each in values] if isinstance(values, list) else [str(values)]
        for name, values in members_of(draw.mutated(samples.query(draw, path)))
    }
    event, text = _request(draw, _method(draw, "GET"), path, None, query)

    def invoke() -> Answer:
        queries = UpdateQueries(world.table) if world.table else None
        services = ServiceList(setting.reader(client))
        app = status_app(services, queries, os.environ, _access(setting))
        with replaced(api_status, APP=app):
            return _response_of(lambda: api_status.lambda_handler(event, context_of(29)))

    return Event(text, _hidden_headers(event), invoke)


def _access(setting: Setting) -> Access:
    """Returns what the callers may do, from the parameter of the case."""
    parameter = None
    if (text := setting.scopes) is not None:
        name = "/ecs-updater/scopes"
        parameter = Parameter(name, "SCOPES_PARAMETER", lambda text: Scopes.parse(text, name))
        parameter._read = lambda: text  # type: ignore[method-assign]  # pylint: disable=protected-access
    return Access(setting.environment, setting.world.boundary.targets, parameter)


def _method(draw: Generator, right: str) -> str:
    return draw.pick(_METHODS) if draw.chance(0.08) else right


def _request(
    draw: Generator, method: str, path: str, body: str | None, query: Any = None
) -> tuple[Any, str]:
    """Returns the event of an HTTP request, and its text."""
    media = draw.pick(_MEDIA) if draw.chance(0.1) else "application/json"
    headers = {"Content-Type": media, "x-api-key": draw.secret()} | draw.some(
        {"Authorization": draw.secret, "accept": "text/html", "X-Odd": draw.text}
    )
    event = http.event(method, "/", body, headers, **samples.IDENTITY)
    event["requestContext"]["authorizer"] = samples.AUTHORIZER
    event["path"] = event["resource"] = path
    if query:
        event["multiValueQueryStringParameters"] = query
    if body is not None and draw.chance(0.06):
        encoded = base64.b64encode(body.encode("utf-8", "surrogatepass")).decode()
        event["body"] = draw.pick((encoded, encoded[:-3], "\x00", body))
        event["isBase64Encoded"] = True
    if draw.chance(0.15):
        text, changed = delivered(draw, lambda _: draw.mutated(event, 2))
        return changed, text
    return event, json.dumps(event)


def _hidden_headers(event: Any) -> set[str]:
    """Returns the secrets in headers, unless they stand elsewhere, too."""
    headers = event.get("headers") if isinstance(event, dict) else None
    if not isinstance(headers, Mapping):
        return set()
    found = set(SECRET.findall(str(list(headers.values()))))
    rest = {
        name: value for name, value in event.items() if name not in ("headers", "multiValueHeaders")
    }
    return found - set(SECRET.findall(str(rest)))


def _response_of(call: Callable[[], Any]) -> Answer:
    """Returns the answer of a handler behind API Gateway. An error is a response, too."""
    try:
        response = call()
    except EcsUpdaterError as error:
        return Answer([type(error).__name__], True, True, [str(error)])
    status, wrong = response["statusCode"], []
    text = response["body"]
    found = json.loads(text) if "json" in str(response["multiValueHeaders"]) else {}
    name = found.get("errorType") or ""
    if status >= 400 and not name:
        wrong.append(f"status {status} without an errorType")
    stage = re.match(r"\[ERROR\]\[(\w+)\]", found.get("errorMessage") or "")
    is_refused = bool(stage and (stage[1] in READ_STAGES)) or name == "InvalidImageError"
    return Answer([f"{status} {name}".strip()], is_refused, status >= 400, [text], wrong)
