"""A proxy on loopback that passes AWS calls on to the emulator and remembers them: who called,
which operation, about what.

Clients are given its address for their endpoint. A request goes on as it came, its Host header too,
so that its signature stays right. Bodies stay in memory and no credential is kept but the access
key's id.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import boto3

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}
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


class Recorder:
    """The proxy's address, and the calls that came through it."""

    def __init__(self, port: int):
        self.calls: list[Call] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            """Passes one connection's requests on."""

            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in _HOP_BY_HOP
                }
                connection = HTTPConnection("127.0.0.1", port, timeout=300)
                try:
                    connection.request(self.command, self.path, body, headers)
                    with connection.getresponse() as answer:
                        content = answer.read()
                finally:
                    connection.close()
                if call := _call(
                    self.command,
                    self.path,
                    dict(self.headers.items()),
                    body,
                    (answer.status, content),
                ):
                    recorder.calls.append(call)
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                        self.send_header(name, value)
                length = (
                    answer.getheader("Content-Length", "0")
                    if self.command == "HEAD"
                    else str(len(content))
                )
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on

            def log_message(self, format: str, *args: Any) -> None:  # pylint: disable=redefined-builtin  # Its name there.
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Recorder"]:
        """Passes requests on until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _call(
    method: str, target: str, headers: dict[str, str], body: bytes, answer: tuple[int, bytes]
) -> Call | None:
    """What a request asked for; None for one that is not signed."""
    headers = {name.lower(): value for name, value in headers.items()}
    credential = _CREDENTIAL.search(headers.get("authorization", ""))
    if not credential:
        return None
    key, service = credential.groups()
    if target.startswith("/v2/") and service == "apigateway":  # Both are signed for under one name.
        service = "apigatewayv2"
    operation, parameters = _asked(service, method, urlsplit(target), headers, body)
    return Call(
        key,
        _SDK_NAMES.get(service, service),
        operation,
        parameters,
        answer[0],
        answer[1].decode("utf-8", "replace"),
    )


def _asked(
    service: str, method: str, url: SplitResult, headers: dict[str, str], body: bytes
) -> tuple[str, dict[str, Any]]:
    """The operation of a request and its parameters, in whichever of AWS's protocols it is."""
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2], json.loads(body or b"{}")
    if "form-urlencoded" in headers.get("content-type", "") or "Action" in query:
        form = query | dict(parse_qsl(body.decode(), keep_blank_values=True))
        return form["Action"], form
    operation, labels = _rest_operation(service, method, unquote(url.path), query)
    # The payload of an invocation is the function's, and not Lambda's.
    is_json = body[:1] == b"{" and operation != "Invoke"
    return operation, query | labels | (json.loads(body) if is_json else {})


def _rest_operation(
    service: str, method: str, path: str, query: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """The operation of a request to a service that tells it by method and path, and what the path
    names.
    """
    found = [
        (len(wanted), operation, match.groupdict())
        for operation, its_method, pattern, wanted in _routes(service)
        if its_method == method
        and wanted.items() <= query.items()
        and (match := pattern.fullmatch(path))
    ]
    assert found, (service, method, path, sorted(query))
    # The one whose query says most: ?tagging is in the path of an operation, and only of that.
    _, operation, labels = max(found, key=lambda one: (one[0], -len(one[1])))
    return operation, labels


@cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], dict[str, str]]]:
    """Operation, method, path and fixed query of everything that a service can do."""
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
