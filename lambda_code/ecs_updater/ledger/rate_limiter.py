"""How fast all who share a ledger call ECS together: one token bucket in the table for each bucket
that ECS has.

Whoever wants to call takes a token before, and is told how long to wait for it: each has a place in
the row, so none is passed over, and what one does not need another has. A bucket is one number, the
moment at which it is full again (the "generic cell rate algorithm"), so to take is one conditional
write, two after a time without calls.

Clocks that differ, and a network that is not always as quick, bring calls to ECS a little sooner
after one another than they were let go: so a token and a fiftieth of the rate are left.
"""

import time
from collections.abc import Callable, Mapping

from ..aws.dynamodb import ConditionFailed, Table, Update
from ..errors import LedgerError
from ..throttling import Rate

_KEY = "PACE"
_TRIES = 8


class Pace:
    """The buckets in the ledger's table."""

    def __init__(
        self,
        table: Table,
        rates: Mapping[str, Rate],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ):
        """``rates``: those of ECS, by the bucket's name."""
        self._table, self._clock, self._sleep = table, clock, sleep
        self._rates = {
            name: Rate(max(1, rate.burst - 1), rate.per_second * 0.98)
            for name, rate in rates.items()
        }

    def take(self, bucket: str, count: int, most_seconds: float) -> bool:
        """Takes ``count`` tokens and waits until they are there; False, and none is taken, where
        that lasts over ``most_seconds``.

        Raises LedgerError.
        """
        wait = self._reserve(bucket, count, most_seconds) if count else 0.0
        if wait is None:
            return False
        if wait > 0:
            self._sleep(wait)
        return True

    def _reserve(self, bucket: str, count: int, most_seconds: float) -> float | None:
        """Takes tokens; the seconds until they are there, or None."""
        rate = self._rates[bucket]
        seconds, depth = count / rate.per_second, rate.burst / rate.per_second
        for _ in range(_TRIES):
            now = self._clock()
            latest = now + depth + most_seconds - seconds
            if latest < now:
                return None
            goes_on = Update(
                _KEY,
                bucket,
                "SET #full_at = #full_at + :seconds",
                ":now <= #full_at AND #full_at <= :latest",
                {"seconds": seconds, "now": now, "latest": latest},
            )
            was_full = Update(
                _KEY,
                bucket,
                "SET #full_at = :full_at",
                "attribute_not_exists(#full_at) OR #full_at < :now",
                {"full_at": now + seconds, "now": now},
            )
            for change in (goes_on, was_full):
                try:
                    full_at: float = self._table.update(change)["full_at"]
                    return full_at - depth - now
                except ConditionFailed as refused:
                    item = refused.items[0]
                if item and item["full_at"] > latest:
                    return None
        raise LedgerError(f"too many at once take tokens of {bucket}")
