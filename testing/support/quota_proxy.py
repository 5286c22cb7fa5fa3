"""A proxy on loopback in front of the emulator that throttles calls of ECS as ECS does, and counts
them.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from fakes.ecs_buckets import THROTTLED, Buckets

from .proxy import Answer, Proxy, serving

_ECS = "AmazonEC2ContainerServiceV20141113."


class QuotaProxy(Proxy):
    """Passes on to 127.0.0.1:``port`` what there is a token for. All buckets are full at first."""

    def __init__(self, port: int, clock: Callable[[], float]):
        super().__init__(port)
        self._clock = clock
        self.buckets = Buckets()
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        """When an operation was first and last answered, whatever the service, in seconds of a
        clock of its own.
        """

    def before(self, headers: Mapping[str, str]) -> Answer | None:
        target = headers.get("X-Amz-Target", "")
        if not target.startswith(_ECS) or self.buckets.take(_operation(headers), self._clock()):
            return None
        status, error = THROTTLED
        return Answer(
            status, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(error).encode()
        )

    def answered(self, headers: Mapping[str, str], status: int) -> None:
        if status < 300:
            now = self._clock()
            self.first.setdefault(_operation(headers), now)
            self.last[_operation(headers)] = now


def _operation(headers: Mapping[str, str]) -> str:
    return headers.get("X-Amz-Target", "").rpartition(".")[2]


@contextmanager
def quota_proxy(port: int, clock: Callable[[], float] = time.monotonic) -> Iterator[QuotaProxy]:
    """A proxy to 127.0.0.1:``port``, until the end of the block."""
    with serving(QuotaProxy(port, clock)) as server:
        yield server
