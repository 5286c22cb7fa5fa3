"""A server between a client and the emulator, which can hold requests back and tells which answers it has passed on."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PATIENCE = 60
_NOT_PASSED_ON = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


class Relay(ThreadingHTTPServer):
    """Passes on to 127.0.0.1:``port`` what it gets."""

    daemon_threads = True

    def __init__(self, port: int, held: bool = False, on_answer: Callable[[int], object] | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.on_answer = on_answer
        self.statuses: list[int] = []
        """The status of each answer, in the order in which they were passed on."""
        self.asked = threading.Event()
        """Set when the first request has come."""
        self.open = threading.Event()
        """While it is not set requests are held back."""
        if not held:
            self.open.set()

    @property
    def url(self) -> str:
        """Where a client finds it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address) -> None:
        """A client that does not wait for its answer is no failure of a test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.set()
        assert self.server.open.wait(_PATIENCE), "nobody has let this request go on"
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=_PATIENCE)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        self.server.statuses.append(answer.status)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        if self.server.on_answer:
            self.server.on_answer(answer.status)

    do_GET = do_POST = do_PUT = _pass_on

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        """Nothing: the output belongs to the tests."""


@contextmanager
def relay(port: int, held: bool = False, on_answer: Callable[[int], object] | None = None) -> Iterator[Relay]:
    """A relay to 127.0.0.1:``port``: ``held`` until it is opened, ``on_answer`` called with the status of each answer."""
    with Relay(port, held, on_answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.open.set()
            server.shutdown()
