"""A proxy on loopback in front of the emulator that throttles calls of ECS as ECS does, and counts them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .ecs_buckets import THROTTLED, Buckets

_ECS = "AmazonEC2ContainerServiceV20141113."
_NOT_PASSED_ON = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


class QuotaProxy(ThreadingHTTPServer):
    """Passes on to 127.0.0.1:``port`` what there is a token for. All buckets are full at first."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.buckets = Buckets()
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        """When an operation was first and last answered, whatever the service, in seconds of a clock of its own."""

    @property
    def url(self) -> str:
        """Where a client finds it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not wait for its answer is no failure here."""

    def answered(self, operation: str) -> None:
        """Notes the moment."""
        now = time.monotonic()
        self.first.setdefault(operation, now)
        self.last[operation] = now


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: QuotaProxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "")
        operation = target.rpartition(".")[2]
        if target.startswith(_ECS) and not self.server.buckets.take(operation, time.monotonic()):
            status, error = THROTTLED
            self._answer(status, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(error).encode())
            return
        upstream = HTTPConnection("127.0.0.1", self.server.port, timeout=300)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if answer.status < 300:
            self.server.answered(operation)
        self._answer(answer.status, answer.getheaders(), content)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        """Says nothing."""


@contextmanager
def quota_proxy(port: int) -> Iterator[QuotaProxy]:
    """A proxy to 127.0.0.1:``port``, until the end of the block."""
    with QuotaProxy(port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
