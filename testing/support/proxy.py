"""HTTP servers on loopback between a client and the emulator: they throttle requests, or record
them.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from fakes.ecs_buckets import THROTTLED, Buckets

PATIENCE = 600
"""Maximum seconds for an answer of the emulator."""

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


class Proxy(ThreadingHTTPServer):
    """Forwards requests to 127.0.0.1:`port`. Subclasses override the methods below."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port

    @property
    def url(self) -> str:
        """Address of this server."""
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serves until the end of the block."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        with self:
            thread.start()
            try:
                yield self
            finally:
                self.shutdown()
                thread.join()

    def before(self, request: Request) -> Answer | None:
        """Called with each request. A returned answer is sent instead of forwarding the request."""

    def answered(self, request: Request, answer: Answer) -> None:
        """Called when the emulator has answered, before the client gets the answer."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that do not wait for their answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, self.headers, body)
        own = self.server.before(request)
        answer = own or self._ask(request)
        if not own:
            self.server.answered(request, answer)
        self.send_response_only(answer.status)
        length = str(len(answer.content))
        for name, value in answer.headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(answer.content)

    def _ask(self, request: Request) -> Answer:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        upstream = HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            upstream.request(request.method, request.path, request.body, headers)
            # The response has the socket where it is the last one of the connection.
            with upstream.getresponse() as answer:
                return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            upstream.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _forward

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        """Logs nothing."""


class QuotaProxy(Proxy):
    """Throttles calls of ECS as ECS does, and counts them. All buckets are full at first."""

    def __init__(self, port: int):
        super().__init__(port)
        self.buckets = Buckets()
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        """When each operation was first and last answered, in seconds of the monotonic clock."""

    def before(self, request: Request) -> Answer | None:
        service, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
        if service != "AmazonEC2ContainerServiceV20141113" or self.buckets.take(
            operation, time.monotonic()
        ):
            return None
        status, error = THROTTLED
        headers = [("Content-Type", "application/x-amz-json-1.1")]
        return Answer(status, headers, json.dumps(error).encode())

    def answered(self, request: Request, answer: Answer) -> None:
        if answer.status < 300:
            operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
            self.last[operation] = time.monotonic()
            self.first.setdefault(operation, self.last[operation])
