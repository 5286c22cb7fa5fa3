"""A deterministic scheduler: threads of which exactly one runs, in an order that a seed decides, on
simulated time.

A thread runs until it calls ``wait``: before each request to AWS, after it, and where it sleeps.
Then the seed picks the next thread among those whose time has come. Where there is none, time
passes until the first of them. So a seed is a whole run: the same seed gives the same order, the
same times and the same random numbers. Prior art: FoundationDB's simulation, TigerBeetle's VOPR.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakes.wire import Killed

_MOST_SWITCHES = 100_000
"""More than that is a run without end."""

_ROUNDING = 1e-6


@dataclass(eq=False)
class _Thread:
    """One thread, which waits for its turn."""

    name: str
    work: Callable[[], None]
    wakes_at: float
    turn: Any = field(default_factory=threading.Lock)
    """A lock that is taken, except for a moment when the thread gets its turn."""

    def __post_init__(self) -> None:
        self.turn.acquire()


class Interleaving:
    """The threads of one run."""

    def __init__(self, seed: int, now: Callable[[], float], advance: Callable[[float], object]):
        self.random = random.Random(seed)
        self.schedule: list[str] = []
        """Of each step the seconds since the run began, the thread and what it did."""
        self.switches = 0
        """How often another thread had its turn."""
        self.failures: list[BaseException] = []
        """What a thread raised: a defect of the test or of the product."""
        self.current: _Thread | None = None
        """The thread that runs; None outside of ``run``."""
        self._now, self._advance, self._begin = now, advance, now()
        self._threads: list[_Thread] = []
        self._main = _Thread("main", lambda: None, 0)
        self._turns = 0
        self._is_over = False

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Adds a thread, which runs as soon as ``run`` is called."""
        self._threads.append(_Thread(name, work, self._now()))

    def run(self) -> None:
        """Runs all threads to their ends. Raises the first failure of one."""
        threads = [
            threading.Thread(target=self._whole, args=(thread,), daemon=True)
            for thread in self._threads
        ]
        for thread in threads:
            thread.start()
        self._give_turn(self._main)
        self.current = None
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def wait(self, seconds: float) -> None:
        """Waits for ``seconds`` of simulated time; with 0 the seed decides whether another thread
        comes first.

        Outside of ``run`` time passes at once. Raises Killed where the run is given up because it
        does not end.
        """
        thread = self.current
        if thread is None:
            self._advance(seconds)
            return
        thread.wakes_at = self._now() + seconds
        self._give_turn(thread)
        if self._is_over:
            raise Killed("the run has no end")

    def note(self, what: str) -> None:
        """Writes a step of the running thread into the schedule."""
        name = self.current.name if self.current else "main"
        self.schedule.append(f"{self._now() - self._begin:9.2f} s  {name:12} {what}")

    def _whole(self, thread: _Thread) -> None:
        thread.turn.acquire()  # pylint: disable=consider-using-with  # It is not a critical section: a turn is given.
        try:
            thread.work()
        except BaseException as failure:  # pylint: disable=broad-exception-caught  # ``run`` raises it again.
            self.failures.append(failure)
        self._threads.remove(thread)
        following = self._choose() if self._threads else self._main
        self.current = following
        following.turn.release()

    def _give_turn(self, thread: _Thread) -> None:
        following = self._choose() if self._threads else self._main
        if following is thread:
            return
        self.switches += 1
        self.current = following
        following.turn.release()
        thread.turn.acquire()  # pylint: disable=consider-using-with

    def _choose(self) -> _Thread:
        self._turns += 1
        if self._turns == _MOST_SWITCHES:
            self._give_up(AssertionError(f"no end after {_MOST_SWITCHES} turns"))
        now = self._now()
        awake = [thread for thread in self._threads if thread.wakes_at <= now + _ROUNDING]
        if not awake:
            first = min(thread.wakes_at for thread in self._threads)
            try:
                self._advance(first - now)
            except Exception as failure:  # pylint: disable=broad-exception-caught  # ``run`` raises it again.
                self._give_up(failure)
            awake = [thread for thread in self._threads if thread.wakes_at <= first + _ROUNDING]
        return self.random.choice(awake)

    def _give_up(self, why: Exception) -> None:
        """Lets every thread end at its next turn."""
        self._is_over = True
        self.failures.append(why)
