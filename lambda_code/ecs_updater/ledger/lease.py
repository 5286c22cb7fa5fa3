"""The lease of one service: whoever has it may write to that service, until it expires.

ECS has no conditional write, so a lease lowers the risk of two writers and cannot forbid them: it
is confirmed before each write, with more time left than the write can take. It is one item, taken
by one conditional write. The item stays when the lease is given back, for its ``fence``: a number
that grows with each taking, by which later writes to the ledger tell who came last.

Two machines' clocks may differ by ``SKEW``: who has a lease counts it as over that much sooner.
"""

import math
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..aws.dynamodb import ConditionFailed, Item, Table, Update
from ..errors import LeaseHeldError, LedgerError, Outcome, one_line
from .entry import iso

LEASE_SECONDS = 120
"""For how long a lease is taken, and longer than any single call of ECS can last: after a kill the
service is free no later.
"""

SKEW = 5
"""The most seconds by which two clocks are thought to differ."""

KEPT_SECONDS = 86_400
"""For how long an item stays after the end of its lease.

The TTL removes no lease that is held: none lasts for so long.
"""

SORT_KEY = "LEASE"

_SHORTEST_POLL, _LONGEST_POLL = 0.3, 3.0


@dataclass(frozen=True)
class Holder:
    """Who takes a lease: one attempt of one update.

    A retry is another holder, also of the same ``request_id``: the first one may still be running.
    """

    id: str
    request_id: str

    @classmethod
    def of(cls, request_id: str) -> "Holder":
        """A new one."""
        return cls(uuid.uuid4().hex, request_id)


@dataclass(frozen=True)
class LeaseTerm:
    """A lease as its holder knows it."""

    service: str
    holder: Holder
    fence: int
    expires_at: float
    """Seconds since the epoch."""
    previous_until: float = -math.inf
    """Until when the holder before may have written to the service, in seconds since the epoch."""

    def is_stale(self, read_at: float) -> bool:
        """Whether another holder may have written to the service since it was read, at ``read_at``:
        then read it again.
        """
        return self.previous_until + SKEW >= read_at

    def margin(self, now: float) -> float:
        """For how many seconds it can still be relied on."""
        return self.expires_at - SKEW - now


class Leases:
    """The leases in the ledger's table.

    Every method is one call, except where it says otherwise. All raise LedgerError.
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
        self._clock = clock
        self._sleep = sleep

    def acquire(self, service: str, holder: Holder, deadline: float = -math.inf) -> LeaseTerm:
        """Takes the lease: when it is free or expired, or already this holder's, because an answer
        got lost.

        Until ``deadline``, in seconds since the epoch, tries again when it is held or the table
        cannot be reached; the last try begins no later than then. Whatever was read before is stale
        after more than one try. Raises LeaseHeldError.
        """
        tries = 0
        while True:
            tries += 1
            trouble, pause = self._take(service, holder, tries)
            if isinstance(trouble, LeaseTerm):
                return trouble if tries == 1 else replace(trouble, previous_until=math.inf)
            now = self._clock()
            if now >= deadline:
                raise trouble
            self._sleep(min(pause, deadline - now))

    def renew(self, lease: LeaseTerm) -> LeaseTerm:
        """Makes the lease last its full time from now.

        Raises LeaseHeldError if it is not this holder's any more.
        """
        until = self._clock() + self.seconds
        renewal = Update(
            lease.service,
            SORT_KEY,
            "SET #expires_at = :until, #expires = :expires",
            "#holder = :holder AND #fence = :fence",
            {
                "until": until,
                "expires": _forgotten_at(until),
                "holder": lease.holder.id,
                "fence": lease.fence,
            },
        )
        try:
            self._table.change(renewal)
        except ConditionFailed as refused:
            raise lost(lease, refused.items[0]) from refused
        return replace(lease, expires_at=until)

    def check(self, lease: LeaseTerm) -> float:
        """For how many seconds the lease can still be relied on.

        Raises LeaseHeldError if it is not this holder's any more.
        """
        now = self._clock()  # Before the call: the time that it takes is the lease's.
        item = self._table.get(lease.service, SORT_KEY)
        if item is None or (item.get("holder"), item["fence"]) != (lease.holder.id, lease.fence):
            raise lost(lease, item)
        return replace(lease, expires_at=item["expires_at"]).margin(now)

    def release(self, service: str, holder: Holder) -> bool:
        """Gives the lease back; False when it was not this holder's, or not any more.

        To do so twice is harmless.
        """
        give_back = Update(
            service,
            SORT_KEY,
            "SET #expires_at = :now REMOVE #holder, #request_id, #since",
            "#holder = :holder",
            {"holder": holder.id, "now": self._clock()},
        )
        try:
            self._table.change(give_back)
        except ConditionFailed:
            return False
        return True

    @contextmanager
    def held(self, service: str, holder: Holder, deadline: float = -math.inf) -> Iterator["Lease"]:
        """Takes the lease as ``acquire`` does, and gives it back at the end."""
        lease = Lease(self, self.acquire(service, holder, deadline), self._clock)
        try:
            yield lease
        finally:
            try:
                self.release(service, holder)
            except LedgerError as error:
                # What was done under the lease is done all the same; the lease expires.
                lease.not_released = error

    def _take(
        self, service: str, holder: Holder, tries: int
    ) -> tuple[LeaseTerm | LedgerError | LeaseHeldError, float]:
        """The lease, or why not and how long to wait before the next try.

        Raises LedgerError where trying again cannot help.
        """
        now = self._clock()
        until = now + self.seconds
        # A first fence is a time, in milliseconds: after the item was removed, by the TTL or by
        # somebody, the numbers still grow.
        taking = Update(
            service,
            SORT_KEY,
            "SET #previous_until = if_not_exists(#expires_at, :never), #holder = :holder, "
            "#request_id = :request_id, "
            "#since = :now, #expires_at = :until, #expires = :expires, #fence = "
            "if_not_exists(#fence, :first) + :one",
            "attribute_not_exists(#holder) OR #expires_at < :now OR #holder = :holder",
            {
                "holder": holder.id,
                "request_id": holder.request_id,
                "now": now,
                "until": until,
                "expires": _forgotten_at(until),
                "never": 0,
                "first": int(now * 1000),
                "one": 1,
            },
        )
        pause = min(_LONGEST_POLL, _SHORTEST_POLL * 1.5 ** min(tries, 20)) * random.uniform(
            0.5, 1.5
        )
        try:
            item = self._table.update(taking)
            return LeaseTerm(service, holder, item["fence"], until, item["previous_until"]), 0
        except ConditionFailed as refused:
            item = refused.items[0] or {}
            rest = item.get("expires_at", now) - now
            return _held(service, item), min(pause, max(rest, 0.05))
        except LedgerError as error:
            if error.outcome in (Outcome.REFUSED, Outcome.NOT_PERMITTED):
                raise
            if error.outcome is Outcome.UNKNOWN:
                self._give_up(service, holder)
            return error, pause

    def _give_up(self, service: str, holder: Holder) -> None:
        """Gives back what may have been taken, lest a caller who tries again find the service held
        by nobody.
        """
        try:
            self.release(service, holder)
        except LedgerError:
            pass  # Then it expires.


class Lease:
    """A lease while it is held: what an update confirms before each write, and keeps while it
    waits.
    """

    def __init__(self, leases: Leases, lease: LeaseTerm, clock: Callable[[], float]):
        self._leases = leases
        self._clock = clock
        self.term = lease
        self.not_released: LedgerError | None = None
        """Why the lease could not be given back, for the log."""

    def confirm(self, seconds: float) -> None:
        """Makes sure, with one write, that the lease is held and can be relied on for ``seconds``:
        before each write to ECS.

        Raises LeaseHeldError or LedgerError: then nothing may be written.
        """
        self.term = self._leases.renew(self.term)
        if not self.lasts(seconds):
            service, margin = self.term.service, self.term.margin(self._clock())
            raise LedgerError(
                f"the lease of {service} lasts for {margin:.0f} s, the next write "
                f"may take {seconds:.0f} s"
            )

    def lasts(self, seconds: float) -> bool:
        """Whether the lease can be relied on for ``seconds``, by the clock and without a call."""
        return self.term.margin(self._clock()) >= seconds

    def keep(self) -> None:
        """Renews the lease when half of it is over: at each turn of a wait.

        Raises LeaseHeldError or LedgerError.
        """
        if self.term.margin(self._clock()) < self._leases.seconds / 2:
            self.term = self._leases.renew(self.term)


def _forgotten_at(until: float) -> int:
    return int(until) + KEPT_SECONDS


def _held(service: str, item: Item) -> LeaseHeldError:
    return LeaseHeldError(
        f"ecs_service_name {service} is held by {_other(item)} until "
        f"{_time(item, 'expires_at')}, try again"
    )


def still_held(lease: LeaseTerm) -> Update:
    """The write that changes nothing, for a transaction that may succeed only while no other holder
    has taken ``lease``.
    """
    condition = "#holder = :holder AND #fence = :fence"
    return Update(
        lease.service,
        SORT_KEY,
        "SET #fence = :fence",
        condition,
        {"holder": lease.holder.id, "fence": lease.fence},
    )


def lost(lease: LeaseTerm, item: Item | None) -> LeaseHeldError:
    """The error of a holder whose lease is not its own any more; ``item`` is the lease as it is in
    the table.
    """
    whose = f"{_other(item)} has taken it" if item and "holder" in item else "its lease is gone"
    return LeaseHeldError(
        f"ecs_service_name {lease.service} is not held by this update any more: {whose}, try again"
    )


def _other(item: Item) -> str:
    return (
        f"another update (request_id {one_line(str(item.get('request_id')))}, since "
        f"{_time(item, 'since')})"
    )


def _time(item: Item, name: str) -> str:
    return iso(item[name]) if name in item else "an unknown time"
