"""A server on loopback between a client and the emulator: what those that hold back, count or
throttle have in common.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeVar

PATIENCE = 300
"""Seconds that an answer of the emulator may take."""

_NOT_PASSED_ON = {
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
}


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


class Proxy(ThreadingHTTPServer):
    """Passes on to 127.0.0.1:``port`` what it gets.

    What else is done is said in methods that a class of its own overrides.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port

    @property
    def url(self) -> str:
        """Where a client finds it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def before(self, headers: Mapping[str, str]) -> Answer | None:
        """Called with a request's headers; an answer of its own, and the request is not passed
        on.
        """

    def answered(self, headers: Mapping[str, str], status: int) -> None:
        """Called with a request's headers when the emulator has answered, and the client does not
        know yet.
        """

    def passed_on(self, status: int) -> None:
        """Called when the client has been sent the emulator's answer."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not wait for its answer is no failure here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        own = self.server.before(self.headers)
        answer = own or self._ask(body)
        if not own:
            self.server.answered(self.headers, answer.status)
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)
        if not own:
            self.server.passed_on(answer.status)

    def _ask(self, body: bytes) -> Answer:
        upstream = HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            # Which has the socket for itself where it is the connection's last one.
            with upstream.getresponse() as answer:
                return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            upstream.close()

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        """Nothing: the output belongs to whoever uses it."""


_P = TypeVar("_P", bound=Proxy)


@contextmanager
def serving(proxy: _P) -> Iterator[_P]:
    """The proxy at work, until the end of the block."""
    with proxy:
        thread = threading.Thread(
            target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
