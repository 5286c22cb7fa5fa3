"""A clock that stands still until somebody sleeps: simulated time, shared by the simulated ECS and
the code under test.
"""

import heapq
import random
from collections.abc import Callable
from itertools import count
from threading import RLock
from types import SimpleNamespace
from typing import Any

START = 1_800_000_000.0
"""When simulated time begins, unless a test says otherwise: 2027-01-15T08:00:00Z."""


class Clock:
    """Simulated time.

    ``sleep`` lets it pass at once, and lets happen, in its order, whatever is due until then.
    """

    def __init__(self, start: float = START):
        self.start = start
        self.slept: list[float] = []
        """What was slept, in seconds, call by call: how a poll paced itself."""
        self.lock = RLock()
        """Held while the world changes, so that threads may share the clock."""
        self._now = start
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    def now(self) -> float:
        """Seconds since the epoch, like ``time.time``; it never goes back, so it also stands in for
        ``time.monotonic``.
        """
        return self._now

    @property
    def elapsed(self) -> float:
        """Seconds since simulated time began."""
        return self._now - self.start

    def sleep(self, seconds: float) -> None:
        """Lets ``seconds`` pass, like ``time.sleep``, and notes them in ``slept``."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Lets ``seconds`` pass that nobody slept: what a call took, what a test skips."""
        with self.lock:
            end = self._now + max(seconds, 0)
            while self._agenda and self._agenda[0][0] <= end:
                due, _, happen = heapq.heappop(self._agenda)
                self._now = max(self._now, due)
                happen()
            self._now = end

    def after(self, seconds: float, happen: Callable[[], object]) -> None:
        """Puts on the agenda what is to happen ``seconds`` from now; of two for the same moment the
        earlier entry comes first.
        """
        heapq.heappush(self._agenda, (self._now + max(seconds, 0), next(self._order), happen))

    def drive_sdk(self, monkeypatch: Any) -> None:
        """Lets the SDK wait on this clock, between attempts and in its waiters, with the same
        jitter in every run.
        """
        import botocore.endpoint  # pylint: disable=import-outside-toplevel
        import botocore.waiter  # pylint: disable=import-outside-toplevel

        sleeper = SimpleNamespace(sleep=self.advance)
        monkeypatch.setattr(botocore.endpoint, "time", sleeper)
        monkeypatch.setattr(botocore.waiter, "time", sleeper)
        random.seed(0)
