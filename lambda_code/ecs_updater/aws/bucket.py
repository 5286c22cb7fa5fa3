"""A token bucket, as AWS counts calls: so many at once, and so many per second after that."""

import threading

from ..clock import REAL_TIME, Clock


class Bucket:
    """Lets its callers, any number of threads, wait until there is a token for each."""

    def __init__(self, burst: float, rate: float, clock: Clock = REAL_TIME):
        """``burst``: the tokens of a full bucket; ``rate``: those that come per second."""
        self._burst, self._rate, self._clock = burst, rate, clock
        self._tokens = burst
        self._at = clock.now()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Takes a token, and waits as long as that takes: each caller has a place in the row, so
        none is passed over.
        """
        with self._lock:
            now = self._clock.now()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1
            self._at = now
            missing = -self._tokens
        if missing > 0:
            self._clock.sleep(missing / self._rate)
