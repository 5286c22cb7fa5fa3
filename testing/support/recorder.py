"""A proxy on loopback that forwards AWS calls to the emulator and records them: access key,
operation and parameters.

Its address is the endpoint of the clients. A request is forwarded unchanged, with its Host header,
so that its signature stays valid. Of the credentials only the id of the access key is kept.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3

from .proxy import Answer, Proxy, Request

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
# What a service signs as, where the SDK has another name for it.
_SDK_NAMES = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}


@dataclass(frozen=True)
class Call:
    """One call as it went over the wire, and its answer."""

    access_key: str
    service: str
    operation: str
    parameters: dict[str, Any] = field(hash=False)
    status: int
    answer: str = field(repr=False)


class Recorder(Proxy):
    """Records the calls of AWS's clients."""

    def __init__(self, port: int):
        super().__init__(port)
        self.calls: list[Call] = []

    def answered(self, request: Request, answer: Answer) -> None:
        if call := _call(request, answer):
            self.calls.append(call)


def _call(request: Request, answer: Answer) -> Call | None:
    """Returns the call of a request, or None for one that is not signed."""
    credential = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if not credential:
        return None
    key, service = credential.groups()
    if request.path.startswith("/v2/") and service == "apigateway":  # Both sign with one name.
        service = "apigatewayv2"
    operation, parameters = _requested(service, request)
    name = _SDK_NAMES.get(service, service)
    content = answer.content.decode("utf-8", "replace")
    return Call(key, name, operation, parameters, answer.status, content)


def _requested(service: str, request: Request) -> tuple[str, dict[str, Any]]:
    """Returns the operation of a request and its parameters, in each of AWS's protocols."""
    url, headers, body = urlsplit(request.path), request.headers, request.body
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2], json.loads(body or b"{}")
    if "form-urlencoded" in headers.get("content-type", "") or "Action" in query:
        form = query | dict(parse_qsl(body.decode(), keep_blank_values=True))
        return form["Action"], form
    operation, labels = _rest_operation(service, request.method, unquote(url.path), query)
    # The payload of an invocation belongs to the function, not to Lambda.
    is_json = body[:1] == b"{" and operation != "Invoke"
    return operation, query | labels | (json.loads(body) if is_json else {})


def _rest_operation(
    service: str, method: str, path: str, query: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Returns the operation of a REST service, and the labels in its path."""
    found = [
        (len(wanted), operation, match.groupdict())
        for operation, its_method, pattern, wanted in _routes(service)
        if its_method == method
        and wanted.items() <= query.items()
        and (match := pattern.fullmatch(path))
    ]
    assert found, (service, method, path, sorted(query))
    # The longest query decides: ?tagging is in the path of one operation only.
    _, operation, labels = max(found, key=lambda route: (route[0], -len(route[1])))
    return operation, labels


@cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], dict[str, str]]]:
    """Returns operation, method, path and fixed query of each operation of a service."""
    client = boto3.client(_SDK_NAMES.get(service, service), region_name="eu-west-1")  # type: ignore[call-overload]
    routes = []
    for name in client.meta.service_model.operation_names:
        http = client.meta.service_model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        parts = re.split(r"(\{\w+\+?\})", path.rstrip("/") or "/")
        pattern = "".join(
            (
                rf"(?P<{part.strip('{}+')}>{'.+' if '+' in part else '[^/]+'})"
                if part.startswith("{")
                else re.escape(part)
            )
            for part in parts
        )
        routes.append(
            (
                name,
                http["method"],
                re.compile(pattern + "/?"),
                dict(parse_qsl(query, keep_blank_values=True)),
            )
        )
    return routes
