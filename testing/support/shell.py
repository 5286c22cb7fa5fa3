"""A shell in which everything is set that could lead a local run elsewhere, and a server that
nothing may ever talk to.
"""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

CANARY = "canary-of-the-shell"
# What a shell may have in it: the function's own settings, the Makefile's, and what leads the SDK
# elsewhere.
HOSTILE = {
    **dict.fromkeys(
        ["CONTAINER_NAME", "IMAGE", "TASK_DEF", "UNKNOWN_FIELDS", "POWERTOOLS_LOG_LEVEL"], CANARY
    ),
    **dict.fromkeys(
        [
            "CLUSTER_NAME",
            "SERVICE_NAME",
            "STACK_NAME",
            "TAG_NAME",
            "BUILD_DIR",
            "EMULATOR_HOST",
            "SAM_MODE",
        ],
        CANARY,
    ),
    **dict.fromkeys(
        ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], CANARY
    ),
    **dict.fromkeys(
        [
            "AWS_SESSION_TOKEN",
            "AWS_REGION",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "SECRET",
        ],
        CANARY,
    ),
    "CDPATH": ".",
}
ENDPOINTS = ["AWS_ENDPOINT_URL"] + [
    f"AWS_ENDPOINT_URL_{name}" for name in ("ECS", "CLOUDFORMATION", "LAMBDA", "S3", "STS")
]
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


class Elsewhere(NamedTuple):
    """A server that nothing may ever talk to: its address, and the first bytes of everything that
    did.
    """

    url: str
    received: list[bytes]


@contextmanager
def another_program(port: int = 0) -> Iterator[Elsewhere]:
    """A program that listens, notes what comes and hangs up."""
    received: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        """One connection."""

        def handle(self):
            received.append(self.request.recv(200))

    class Server(socketserver.ThreadingTCPServer):
        """The program."""

        allow_reuse_address = True  # Else its port would not be free at once when it has ended.

    with Server(("127.0.0.1", port), Handler) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        try:
            yield Elsewhere(f"http://127.0.0.1:{server.server_address[1]}", received)
        finally:
            server.shutdown()
