"""One invocation, whatever the door that it came through."""

import math
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Clock:
    """Time as the code knows it."""

    now: Callable[[], float] = time.monotonic
    """Seconds, from any beginning."""
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    """From 0 to 1."""
    epoch: Callable[[], float] = time.time
    """Seconds since 1970, which other machines know too."""


REAL_TIME = Clock()


CALLS: ContextVar[list[str] | None] = ContextVar("calls", default=None)
"""The operations of the requests that the current work has sent; None: nobody counts them."""


@contextmanager
def counted() -> Iterator[list[str]]:
    """Lists the requests that this context sends until the end of the block, retries included.

    A thread has a context of its own: work that hands a part of itself to other threads runs them
    in a copy of its context.
    """
    calls: list[str] = []
    token = CALLS.set(calls)
    try:
        yield calls
    finally:
        CALLS.reset(token)


_LAST_SECONDS, _LAST_SHARE = 50.0, 0.4
"""What is left of the function's time when a wait ends: for the last call to run into its
time-outs, and to answer.

Where a function has little time, this share of it.
"""


_UPDATE_SECONDS = 45.0
"""What is left of the function's time when an update begins that had to wait for its turn."""


ANSWER_BYTES = 4 << 20
"""The most bytes that an answer is made of: Lambda's end at 6 MB, in which its text is quoted once
more.
"""


@dataclass(frozen=True)
class Call:
    """Which invocation it is, and how long it may take."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """The ``request_id`` of events that bring none: Lambda's own retries have the same, a client's
    have another one.
    """
    caller: str | None = None
    """Who asks, as far as the door knows."""
    time_left: Callable[[], float] = lambda: math.inf
    """Seconds until the function is ended."""
    clock: Clock = REAL_TIME
    batch: str | None = None
    """The batch of the ledger that it is of, if of one."""

    @classmethod
    def of(cls, context: Any) -> "Call":
        """That of Lambda's context.
        https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
        """
        left = getattr(context, "get_remaining_time_in_millis", None)
        return cls(
            id=getattr(context, "aws_request_id", None) or uuid.uuid4().hex,
            caller=getattr(context, "invoked_function_arn", None),
            time_left=(lambda: left() / 1000) if left else lambda: math.inf,
        )

    def seconds_to_wait(self, most: float) -> float:
        """At most ``most`` seconds, and no more than the function's time leaves for a wait."""
        left = self.time_left()
        return min(most, left - min(_LAST_SECONDS, _LAST_SHARE * left))

    def deadline(self, wait_seconds: float) -> float:
        """The moment of the clock until which a call that may wait so long waits."""
        return self.clock.now() + self.seconds_to_wait(wait_seconds)

    def latest_begin(self) -> float:
        """The moment of the clock after which nothing is begun any more."""
        return self.clock.now() + self.time_left() - _UPDATE_SECONDS
