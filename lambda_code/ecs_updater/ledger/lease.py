"""The lease of a service: only its holder writes to the service, until the lease expires.

ECS has no conditional writes. A lease lowers the risk of two concurrent writers and cannot exclude
it. So each write to ECS first renews the lease for longer than the write can take. A lease is one
item, taken by one conditional write. The item stays after the release, because its `fence` grows
with each holder and orders the entries.

The clocks of two machines can differ by `SKEW`: the holder ends its lease earlier by that time.
"""

import math
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .. import metrics
from ..aws.dynamodb import ConditionFailed, Item, Table, Update
from ..errors import LASTING, LeaseHeldError, LedgerError, Outcome, one_line
from ..throttling import backoff
from .entry import iso

LEASE_SECONDS = 120
"""Duration of a lease: longer than any call of ECS. After a kill the service is free again then."""

SKEW = 5
"""Maximum seconds between two clocks."""

KEPT_SECONDS = 86_400
"""Seconds from the end of a lease to its TTL, which therefore never deletes a held lease."""

SORT_KEY = "LEASE"

_IS_HELD = "#holder = :holder AND #fence = :fence"
_FIRST_POLL, _LONGEST_POLL, _POLL_FACTOR = 0.3, 3.0, 1.5


@dataclass(frozen=True)
class Holder:
    """The holder of a lease: one attempt of one update.

    A retry of the same `request_id` is another holder, because the first attempt may still run.
    """

    id: str
    request_id: str

    @classmethod
    def of(cls, request_id: str) -> "Holder":
        """Returns a new holder."""
        return cls(uuid.uuid4().hex, request_id)


class Leases:
    """The leases in the ledger's table.

    Each method makes one call and raises LedgerError, unless it documents more.
    """

    def __init__(
        self,
        table: Table,
        *,
        seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._table = table
        self.seconds = seconds
        self.clock = clock
        self._sleep = sleep

    def acquire(self, service: str, holder: Holder, deadline: float = -math.inf) -> "Lease":
        """Takes a lease that is free, expired or already the holder's, after a lost response.

        Until `deadline`, in seconds since the epoch, tries again if the lease is held or the table
        cannot be reached. After more than one try all earlier reads are stale. Raises
        LeaseHeldError.
        """
        begin, tries = self.clock(), 0
        while True:
            tries += 1
            taken, longest = self._take(service, holder)
            now = self.clock()
            if tries > 1 and (isinstance(taken, Lease) or now >= deadline):
                metrics.measure_lease_wait(now - begin)
            if isinstance(taken, Lease):
                if tries > 1:
                    taken.previous_until = math.inf
                return taken
            if now >= deadline:
                raise taken
            pause = backoff(tries, _FIRST_POLL, _LONGEST_POLL, _POLL_FACTOR)
            self._sleep(min(pause * random.uniform(0.5, 1.5), longest, deadline - now))

    def renew(self, lease: "Lease") -> None:
        """Renews the lease for its full duration from now.

        Raises LeaseHeldError if another holder took it.
        """
        until = self.clock() + self.seconds
        renewal = Update(
            lease.service,
            SORT_KEY,
            "SET #expires_at = :until, #expires = :expires",
            _IS_HELD,
            {
                "until": until,
                "expires": int(until) + KEPT_SECONDS,
                "holder": lease.holder.id,
                "fence": lease.fence,
            },
        )
        try:
            self._table.change(renewal)
        except ConditionFailed as error:
            raise lost_error(lease, error.items[0]) from error
        lease.expires_at = until

    def release(self, service: str, holder: Holder) -> bool:
        """Releases the lease. Returns False if the holder does not have it, or no longer.

        It can be called twice.
        """
        release = Update(
            service,
            SORT_KEY,
            "SET #expires_at = :now REMOVE #holder, #request_id, #since",
            "#holder = :holder",
            {"holder": holder.id, "now": self.clock()},
        )
        try:
            self._table.change(release)
        except ConditionFailed:
            return False
        return True

    @contextmanager
    def held(self, service: str, holder: Holder, deadline: float = -math.inf) -> Iterator["Lease"]:
        """Takes the lease like `acquire`, and releases it at the end."""
        lease = self.acquire(service, holder, deadline)
        try:
            yield lease
        finally:
            try:
                self.release(service, holder)
            except LedgerError as error:
                # The work is done and the lease expires.
                lease.not_released = error

    def _take(
        self, service: str, holder: Holder
    ) -> tuple["Lease | LedgerError | LeaseHeldError", float]:
        """Returns the lease, or the error and the maximum seconds before the next try.

        Raises LedgerError if another try cannot succeed.
        """
        now = self.clock()
        until = now + self.seconds
        # The first fence is a time in milliseconds, so fences grow also if the item was deleted.
        update = Update(
            service,
            SORT_KEY,
            "SET #previous_until = if_not_exists(#expires_at, :never), #holder = :holder, "
            "#request_id = :request_id, "
            "#since = :now, #expires_at = :until, #expires = :expires, #fence = "
            "if_not_exists(#fence, :first) + :step",
            "attribute_not_exists(#holder) OR #expires_at < :now OR #holder = :holder",
            {
                "holder": holder.id,
                "request_id": holder.request_id,
                "now": now,
                "until": until,
                "expires": int(until) + KEPT_SECONDS,
                "never": 0,
                "first": int(now * 1000),
                "step": 1,
            },
        )
        try:
            item = self._table.update(update)
            return Lease(self, service, holder, item["fence"], until, item["previous_until"]), 0
        except ConditionFailed as error:
            item = error.items[0] or {}
            held = LeaseHeldError(
                f"ecs_service_name {service} is held by {_other_update(item)} until "
                f"{_time(item, 'expires_at')}, try again"
            )
            return held, max(item.get("expires_at", now) - now, 0.05)
        except LedgerError as error:
            if error.outcome in LASTING:
                raise
            if error.outcome is Outcome.UNKNOWN:
                # The lease may be taken. If it cannot be released either, it expires.
                with suppress(LedgerError):
                    self.release(service, holder)
            return error, math.inf


@dataclass
class Lease:
    """A held lease. An update confirms it before each write and keeps it during a wait."""

    leases: Leases
    service: str
    holder: Holder
    fence: int
    expires_at: float
    """Seconds since the epoch."""
    previous_until: float = -math.inf
    """End of the previous holder's lease in seconds since the epoch."""
    not_released: LedgerError | None = None
    """Why the lease could not be released, for the log."""

    def is_stale(self, read_at: float) -> bool:
        """Returns whether another holder may have written to the service since `read_at`."""
        return self.previous_until + SKEW >= read_at

    def margin(self) -> float:
        """Returns for how many seconds the lease is valid. Makes no call."""
        return self.expires_at - SKEW - self.leases.clock()

    def confirm(self, seconds: float) -> None:
        """Renews the lease before a write to ECS that takes at most `seconds`.

        Raises LeaseHeldError or LedgerError: then the caller must not write.
        """
        self.leases.renew(self)
        if (margin := self.margin()) < seconds:
            raise LedgerError(
                f"the lease of {self.service} lasts for {margin:.0f} s, the next write "
                f"may take {seconds:.0f} s"
            )

    def keep(self) -> None:
        """Renews the lease during a wait, after half of its duration.

        Raises LeaseHeldError or LedgerError.
        """
        if self.margin() < self.leases.seconds / 2:
            self.leases.renew(self)


def check_is_held(lease: Lease) -> Update:
    """Returns a write without an effect that fails in a transaction if the lease is lost."""
    values = {"holder": lease.holder.id, "fence": lease.fence}
    return Update(lease.service, SORT_KEY, "SET #fence = :fence", _IS_HELD, values)


def lost_error(lease: Lease, item: Item | None) -> LeaseHeldError:
    """Returns the error for a lost lease. `item`: the lease in the table."""
    is_taken = item and "holder" in item
    reason = f"{_other_update(item or {})} has taken it" if is_taken else "its lease is gone"
    return LeaseHeldError(
        f"ecs_service_name {lease.service} is not held by this update any more: {reason}, try again"
    )


def _other_update(item: Item) -> str:
    return (
        f"another update (request_id {one_line(str(item.get('request_id')))}, since "
        f"{_time(item, 'since')})"
    )


def _time(item: Item, name: str) -> str:
    return iso(item[name]) if name in item else "an unknown time"
