"""A server between a client and the emulator, which can hold requests back and tells which answers
it has passed on.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from .proxy import Proxy, serving

_PATIENCE = 600


class Relay(Proxy):
    """Passes on to 127.0.0.1:``port`` what it gets."""

    def __init__(
        self, port: int, held: bool = False, on_answer: Callable[[int], object] | None = None
    ):
        super().__init__(port)
        self.on_answer = on_answer
        self.statuses: list[int] = []
        """The status of each answer, in the order in which they were passed on."""
        self.asked = threading.Event()
        """Set when the first request has come."""
        self.open = threading.Event()
        """While it is not set requests are held back."""
        if not held:
            self.open.set()

    def before(self, headers: Mapping[str, str]) -> None:
        self.asked.set()
        assert self.open.wait(_PATIENCE), "nobody has let this request go on"

    def answered(self, headers: Mapping[str, str], status: int) -> None:
        self.statuses.append(status)

    def passed_on(self, status: int) -> None:
        if self.on_answer:
            self.on_answer(status)


@contextmanager
def relay(
    port: int, held: bool = False, on_answer: Callable[[int], object] | None = None
) -> Iterator[Relay]:
    """A relay to 127.0.0.1:``port``: ``held`` until it is opened, ``on_answer`` called with the
    status of each answer.
    """
    with serving(Relay(port, held, on_answer)) as server:
        try:
            yield server
        finally:
            server.open.set()
