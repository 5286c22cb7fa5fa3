"""One invocation of a handler or command: its id, caller, time and clock."""

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
    """Source of time, which a test replaces."""

    now: Callable[[], float] = time.monotonic
    """Returns seconds since an arbitrary moment."""
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    """Returns a number between 0 and 1."""
    epoch: Callable[[], float] = time.time
    """Returns seconds since 1970, the same on all machines."""


REAL_TIME = Clock()


CALLS: ContextVar[list[str] | None] = ContextVar("calls", default=None)
"""Operations of the requests that the current work has sent. None: they are not counted."""


REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""`request_id` of the update whose write comes next. The write has it in its user agent."""


@contextmanager
def counted() -> Iterator[list[str]]:
    """Yields a list to which each request of this context is added, retries included.

    A thread has its own context: work that starts threads runs them in a copy of its context.
    """
    calls: list[str] = []
    token = CALLS.set(calls)
    try:
        yield calls
    finally:
        CALLS.reset(token)


_LAST_SECONDS, _LAST_SHARE = 50.0, 0.4
"""Remaining seconds when a wait ends, for the time-outs of the last call and the response. A
function with little time keeps this share of it.
"""

_UPDATE_SECONDS = 45.0
"""Minimum remaining seconds to start an update after waiting for the lease."""

ANSWER_BYTES = 4 << 20
"""Maximum bytes of a response's content. Lambda's limit is 6 MB and counts escaped text."""


@dataclass(frozen=True)
class Call:
    """One invocation and its remaining time."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Default `request_id` of an event. Lambda's own retries have the same, a client's do not."""
    caller: str | None = None
    time_left: Callable[[], float] = lambda: math.inf
    """Returns the seconds until the function's time-out."""
    clock: Clock = REAL_TIME
    batch: str | None = None
    scope: Any = None
    """`model.scopes.Scope` of the caller. None: only the function's settings bound the request."""
    lambda_request_id: str | None = None
    """Lambda's id of the invocation, for the log. None: no function runs it."""

    @classmethod
    def of(cls, context: Any) -> "Call":
        """Returns the call of a Lambda context.
        https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
        """
        left = getattr(context, "get_remaining_time_in_millis", None)
        id_ = getattr(context, "aws_request_id", None)
        return cls(
            id=id_ or uuid.uuid4().hex,
            caller=getattr(context, "invoked_function_arn", None),
            time_left=(lambda: left() / 1000) if left else lambda: math.inf,
            lambda_request_id=id_,
        )

    def request_id(self, event: Any) -> str:
        """Returns the `request_id` of any event, by default this call's id."""
        id_ = event.get("request_id") if isinstance(event, dict) else None
        return id_ if isinstance(id_, str) and 0 < len(id_) <= 128 else self.id

    def seconds_to_wait(self, most: float) -> float:
        """Returns the seconds that a wait may take: at most `most`."""
        left = self.time_left()
        return min(most, left - min(_LAST_SECONDS, _LAST_SHARE * left))

    def deadline(self, wait_seconds: float) -> float:
        """Returns the moment of `clock.now` at which a wait of `wait_seconds` ends."""
        return self.clock.now() + self.seconds_to_wait(wait_seconds)

    def latest_begin(self, deadline: float) -> float:
        """Returns when a wait for the lease ends, in seconds since the epoch.

        At `deadline`, a moment of `clock.now`, or when too little time is left for an update.
        """
        left = min(deadline - self.clock.now(), self.time_left() - _UPDATE_SECONDS)
        return self.clock.epoch() + left
