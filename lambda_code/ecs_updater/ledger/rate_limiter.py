"""Limits the calls of ECS by all users of a ledger: a token bucket in the table per bucket of ECS.

A caller takes its tokens first and then waits until they are there, so callers are served in order.
A bucket is one number, the time at which it is full again (generic cell rate algorithm). To take
tokens is one conditional write, or two after a time without calls.
"""

import time
from collections.abc import Callable, Mapping

from .. import metrics
from ..aws.dynamodb import ConditionFailed, Table, Update
from ..errors import LedgerError
from ..throttling import Rate

_KEY = "PACE"
_TRIES = 8


class SharedRateLimiter:
    """The token buckets in the ledger's table."""

    def __init__(
        self,
        table: Table,
        limits: Mapping[str, Rate],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ):
        """`limits`: the rates of ECS by bucket."""
        self._table, self._clock, self._sleep = table, clock, sleep
        self._limits = {name: rate.with_margin() for name, rate in limits.items()}

    def take(self, bucket: str, count: int, most_seconds: float, prefix: str = "") -> bool:
        """Takes `count` tokens and waits until they are there.

        `prefix`: beginning of ECS's ARNs in a target, which has buckets of its own. Empty: home.
        Returns False, and takes none, if the wait is longer than `most_seconds`. Raises
        LedgerError.
        """
        wait = self._reserve(bucket, count, most_seconds, prefix) if count else 0.0
        if wait:
            self._sleep(wait)
            metrics.measure_rate_limit_wait(wait)
        return wait is not None

    def _reserve(self, bucket: str, count: int, most_seconds: float, prefix: str) -> float | None:
        """Takes tokens. Returns the seconds until they are there, or None."""
        rate = self._limits[bucket]
        seconds, depth = count / rate.per_second, rate.burst / rate.per_second
        for _ in range(_TRIES):
            now = self._clock()
            latest = now + depth + most_seconds - seconds
            if latest < now:
                return None
            add = Update(
                _KEY,
                f"{prefix}{bucket}",
                "SET #full_at = #full_at + :seconds",
                ":now <= #full_at AND #full_at <= :latest",
                {"seconds": seconds, "now": now, "latest": latest},
            )
            restart = Update(
                _KEY,
                f"{prefix}{bucket}",
                "SET #full_at = :full_at",
                "attribute_not_exists(#full_at) OR #full_at < :now",
                {"full_at": now + seconds, "now": now},
            )
            for change in (add, restart):
                try:
                    full_at: float = self._table.update(change)["full_at"]
                    return max(0.0, full_at - depth - now)
                except ConditionFailed as error:
                    item = error.items[0]
                if item and item["full_at"] > latest:
                    return None
        raise LedgerError(f"too many callers take tokens of {bucket} at once, try again")
