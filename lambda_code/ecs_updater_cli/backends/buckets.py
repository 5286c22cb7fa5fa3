"""ECS's rates, in memory: for who has no ledger to share them in, and for who only reads."""

from collections.abc import Mapping

from ecs_updater.context import Clock
from ecs_updater.throttling import Rate, TokenBucket

_SHARE = 0.98
"""A network that is not always as quick brings calls to ECS a little sooner after one another than
they were let go.
"""


class Buckets:
    """A token bucket for each that ECS has. For any number of threads of this process."""

    def __init__(self, rates: Mapping[str, Rate], clock: Clock):
        self._buckets = {
            name: TokenBucket(max(1, rate.burst - 1), rate.per_second * _SHARE, clock)
            for name, rate in rates.items()
        }

    def take(self, bucket: str, count: int, most_seconds: float) -> bool:
        """Takes ``count`` tokens and waits until they are there, for as long as that lasts; see
        ``fleet.pacing``.
        """
        del most_seconds
        for _ in range(count):
            self._buckets[bucket].take()
        return True
