"""A ledger in memory, for updates without a table: the same steps, known to this process only.

A function without LEDGER_TABLE has one per invocation, the command line one per batch.
"""

import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..context import Clock
from ..errors import LeaseHeldError
from ..throttling import LocalRateLimiter, Rate
from .batch import Batch, Batches, Member
from .entry import Entry, Success, iso
from .lease import SKEW, Holder, Lease, Leases
from .shared_revisions import CLAIM_SECONDS, Claim, SharedRevisions
from .store import Begun, History, OpenEntry


class MemoryHistory(History):
    """Entries in memory. Is thread-safe."""

    is_kept = False

    def __init__(self, clock: Callable[[], float] = time.time):  # pylint: disable=super-init-not-called
        self._clock = clock
        self._entries: dict[tuple[str, int], Entry] = {}
        """Entries by service and number, in the order of their begin."""
        self._by_request_id: dict[str, Entry] = {}
        self._lock = threading.RLock()
        self.failures: Counter[str | None] = Counter()
        """Number of failed updates by batch."""
        self._shared: dict[str, MemorySharedRevisions] = {}

    def begin(self, entry: Entry, lease: Lease | None = None) -> Begun:
        """Stores the entry, unless its `request_id` has one that may not be repeated."""
        with self._lock:
            earlier = self.find(entry.request_id)
            if earlier and (entry.is_ended or not earlier.may_be_repeated):
                return Begun(earlier, False)
            entry = replace(entry, begun_at=iso(self._clock()))
            return Begun((self.finish if entry.is_ended else self.advance)(entry), True)

    def advance(self, entry: Entry) -> Entry:
        """Stores the progress of an update."""
        return self._store(replace(entry, updated_at=iso(self._clock())))

    def finish(self, entry: Entry) -> Entry:
        """Stores the end of an update."""
        self.failures[entry.batch] += entry.has_failed
        return self.advance(replace(entry, ended_at=iso(self._clock())))

    def give_up(self, entry: Entry) -> None:
        """Stores that a failed update is not repeated."""
        self.finish(replace(entry, may_be_repeated=False))

    def take_over(self, entry: Entry, lease: Lease) -> Entry:
        """Makes the holder of `lease` the owner. Raises LeaseHeldError if the update has ended."""
        stored = self._entries[entry.service, entry.number]
        if stored.is_ended:
            raise LeaseHeldError(f"ecs_service_name {entry.service}: the update has ended")
        return self._store(replace(stored, owner=lease.holder.id, fence=lease.fence))

    def find(self, request_id: str) -> Entry | None:
        """Returns the latest entry of a `request_id`."""
        with self._lock:
            return self._by_request_id.get(request_id)

    def open_entries(self, service: str) -> list[OpenEntry]:
        """Returns the open entries of a service, the oldest first. Empty key: of all services."""
        with self._lock:
            entries = [entry for entry in self._entries.values() if not entry.is_ended]
        return [
            OpenEntry(f"{entry.service}#{entry.number}", entry)
            for entry in entries
            if service in ("", entry.service)
        ]

    def ended(self) -> list[Entry]:
        """Returns the ended entries, the oldest first."""
        with self._lock:
            return [entry for entry in self._entries.values() if entry.is_ended]

    def open_pages(self, service: str = "") -> Iterator[list[OpenEntry]]:
        """Yields one page with the open entries of a service, or of all."""
        yield self.open_entries(service)

    def begin_poll(self, entries: Iterable[Entry]) -> None:
        """Does nothing: each run polls all entries."""

    def shared_revisions(self, batch: str) -> "MemorySharedRevisions":
        """Returns the revisions that the services of a batch share."""
        with self._lock:
            return self._shared.setdefault(batch, MemorySharedRevisions(self._clock))

    def last_success(self, service: str) -> Success | None:
        """Returns the service's last update whose rollout succeeded."""
        return next(filter(None, map(Success.of, self.latest(service))), None)

    def latest(self, service: str, most: int = 20) -> list[Entry]:
        """Returns the service's latest entries, the latest first."""
        with self._lock:
            entries = [entry for entry in self._entries.values() if entry.service == service]
        return entries[::-1][:most]

    def _store(self, entry: Entry) -> Entry:
        with self._lock:
            self._entries[entry.service, entry.number] = entry
            self._by_request_id[entry.request_id] = entry
        return entry


class MemorySharedRevisions(SharedRevisions):
    """The shared revisions of one batch in memory. Is thread-safe."""

    def __init__(self, clock: Callable[[], float]):  # pylint: disable=super-init-not-called
        self._clock, self._lock = clock, threading.Lock()
        self._users: dict[tuple[str, str], str] = {}
        """`request_id` by revision and service."""
        self._claims: dict[str, tuple[str, float]] = {}
        """Holder and end of the latest claim, by revision."""
        self._arns: dict[str, str] = {}

    def is_expected(self, key: str) -> bool:
        """Returns whether the revision is registered, or another update registers it."""
        with self._lock:
            return key in self._arns or self._claims.get(key, ("", 0.0))[1] >= self._clock()

    def may_use(self, key: str, service: str, request_id: str) -> bool:
        """Returns whether no other update of the service may use the revision."""
        with self._lock:
            return self._users.setdefault((key, service), request_id) == request_id

    def claim(self, key: str, holder: str, instead_of: str = "") -> Claim:
        """Claims a revision that is not registered and that no other update claims."""
        with self._lock:
            if self._arns.get(key, instead_of) != instead_of:
                return Claim(self._arns[key])
            earlier, until = self._claims.get(key, (holder, 0.0))
            if earlier != holder and until >= self._clock():
                return Claim()
            may_be_registered = key in self._claims
            self._arns.pop(key, None)
            self._claims[key] = holder, self._clock() + CLAIM_SECONDS
        return Claim(None, True, may_be_registered, self, key, holder)

    def store(self, key: str, holder: str, arn: str | None) -> None:
        """Ends the holder's claim."""
        with self._lock:
            if self._claims[key][0] == holder:
                self._claims[key] = "", 0.0
                self._arns |= {key: arn} if arn else {}


_FENCES = itertools.count(1)
"""Fences of all ledgers of this process, which number the entries."""


class MemoryLeases(Leases):
    """Leases of this process. They have no end, and nobody waits for them."""

    def __init__(self, clock: Callable[[], float] = time.time):  # pylint: disable=super-init-not-called
        self.clock, self.seconds = clock, math.inf
        self._held: set[str] = set()
        self._released_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def acquire(self, service: str, holder: Holder, deadline: float = 0.0) -> Lease:
        """Takes the lease. Raises LeaseHeldError without a wait."""
        with self._lock:
            if service in self._held:
                raise LeaseHeldError(f"ecs_service_name {service} is held by this process")
            self._held.add(service)
            # One clock has no skew.
            previous_until = self._released_at.get(service, 0.0) - SKEW
            return Lease(self, service, holder, next(_FENCES), math.inf, previous_until)

    def renew(self, lease: Lease) -> None:
        """Does nothing: the lease has no end."""

    def release(self, service: str, holder: Holder) -> bool:
        """Releases the lease."""
        with self._lock:
            self._released_at[service] = self.clock()
            self._held.discard(service)
        return True


class MemoryBatches(Batches):
    """Batches in memory."""

    def __init__(self, history: MemoryHistory):  # pylint: disable=super-init-not-called
        self._history = history
        self._batches: dict[str, Batch] = {}

    def begin(self, batch: Batch, members: Sequence[Member]) -> None:
        """Stores the batch."""
        self._batches[batch.id] = batch

    def find(self, batch_id: str) -> Batch | None:
        """Returns the batch with the number of its failures."""
        batch = self._batches.get(batch_id)
        return batch and replace(batch, failures=self._history.failures[batch_id])


class MemoryLedger:
    """A ledger in memory, in place of a table."""

    def __init__(self, clock: Callable[[], float] = time.time):
        self.history, self.leases = MemoryHistory(clock), MemoryLeases(clock)
        self.batches = MemoryBatches(self.history)
        self._rate_limiter: LocalRateLimiter | None = None
        self._lock = threading.Lock()

    def rate_limiter(self, limits: Mapping[str, Rate], clock: Clock) -> LocalRateLimiter:
        """Returns the rate limiter that all users of the ledger share."""
        with self._lock:
            self._rate_limiter = self._rate_limiter or LocalRateLimiter(limits, clock)
            return self._rate_limiter
