"""Time for several threads at once: it passes when all of them sleep, as far as the first of them
sleeps.
"""

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence

START = 1_800_000_000.0
_PATIENCE = 1800


class SharedTime:
    """Seconds since the epoch, which only sleeping moves; one thread alone moves them at once."""

    def __init__(self) -> None:
        self.now = START
        self._awake = 1
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Sleeps. Fails when nobody ever wakes the thread."""
        woken = threading.Event()
        with self._lock:
            heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
            self._one_less()
        assert woken.wait(_PATIENCE), "nobody woke it"

    def run(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Runs tasks, each in a thread, to their ends. Raises the first failure of one."""
        failures: list[BaseException] = []

        def whole(task: Callable[[], None]) -> None:
            try:
                task()
            except BaseException as failure:  # pylint: disable=broad-exception-caught  # It is raised again below.
                failures.append(failure)
            finally:
                with self._lock:
                    self._one_less()

        threads = [threading.Thread(target=whole, args=(task,)) for task in tasks]
        self._awake = len(threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._awake = 1
        for failure in failures:
            raise failure

    def _one_less(self) -> None:
        self._awake -= 1
        if self._awake or not self._sleepers:
            return
        self.now = max(self.now, self._sleepers[0][0])
        while self._sleepers and self._sleepers[0][0] <= self.now:
            _, _, woken = heapq.heappop(self._sleepers)
            self._awake += 1
            woken.set()
