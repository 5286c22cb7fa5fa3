"""A ledger in memory, for updates without a table: the same steps, known to this process only.

A function without LEDGER_TABLE has one per invocation, the command line one per batch.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from ..context import Clock
from ..errors import LeaseHeldError
from ..throttling import LocalRateLimiter, Rate
from .batch import Batch, Batches, Member
from .entry import Entry, Success, iso
from .lease import SKEW, Holder, Lease, Leases, LeaseTerm
from .open_entries import OpenEntries, OpenEntry, Page
from .store import Begun, History

Key = tuple[str, int]
"""Service and number of an entry."""


class MemoryHistory(History):
    """Entries in memory. Is thread-safe."""

    is_kept = False

    def __init__(self, clock: Callable[[], float] = time.time):  # pylint: disable=super-init-not-called
        self._clock = clock
        self._entries: dict[Key, Entry] = {}
        self._keys: dict[str, Key] = {}
        """Key of the latest entry by `request_id`."""
        self._lock = threading.RLock()
        self.failures: Counter[str | None] = Counter()
        """Number of failed updates by batch."""

    def begin(self, entry: Entry, lease: LeaseTerm | None = None) -> Begun:
        """Stores the entry, unless its `request_id` has one that may not be repeated."""
        with self._lock:
            earlier = self.find(entry.request_id)
            if earlier and not earlier.may_be_repeated:
                return Begun(earlier, False)
            now = iso(self._clock())
            return Begun(self._store(replace(entry, begun_at=now, updated_at=now)), True)

    def refuse(self, entry: Entry) -> Entry:
        """Stores an update that has ended before it began, unless its `request_id` has an entry."""
        with self._lock:
            now = iso(self._clock())
            earlier = self.find(entry.request_id)
            return earlier or self.finish(replace(entry, begun_at=now))

    def advance(self, entry: Entry) -> Entry:
        """Stores the progress of an update."""
        return self._store(replace(entry, updated_at=iso(self._clock())))

    def finish(self, entry: Entry) -> Entry:
        """Stores the end of an update."""
        now = iso(self._clock())
        self.failures[entry.batch] += entry.has_failed
        return self._store(replace(entry, updated_at=now, ended_at=now))

    def give_up(self, entry: Entry) -> None:
        """Stores that a failed update is not repeated."""
        self.finish(replace(entry, may_be_repeated=False))

    def take_over(self, entry: Entry, lease: LeaseTerm) -> Entry:
        """Makes the holder of `lease` the owner. Raises LeaseHeldError if the update has ended."""
        stored = self._entries[entry.service, entry.number]
        if stored.is_ended:
            raise LeaseHeldError(f"ecs_service_name {entry.service}: the update has ended")
        return self._store(replace(stored, owner=lease.holder.id, fence=lease.fence))

    def find(self, request_id: str) -> Entry | None:
        """Returns the latest entry of a `request_id`."""
        with self._lock:
            key = self._keys.get(request_id)
            return self._entries[key] if key else None

    def unfinished(self, service: str | None = None) -> list[Entry]:
        """Returns the open entries of a service or of all, the oldest first."""
        with self._lock:
            entries = [entry for entry in self._entries.values() if not entry.is_ended]
        return [entry for entry in entries if service in (None, entry.service)]

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
            key = entry.service, entry.number
            self._entries[key] = entry
            self._keys[entry.request_id] = key
        return entry


_FENCES = itertools.count(1)
"""Fences of all ledgers of this process, which number the entries."""


class MemoryLeases(Leases):
    """Leases of this process. They have no end."""

    def __init__(self, clock: Callable[[], float] = time.time):  # pylint: disable=super-init-not-called
        self._clock = clock
        self._held: set[str] = set()
        self._released_at: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def held(self, service: str, holder: Holder, deadline: float = 0.0) -> Iterator[Lease]:
        """Takes the lease and releases it at the end. Raises LeaseHeldError without a wait."""
        with self._lock:
            if service in self._held:
                raise LeaseHeldError(f"ecs_service_name {service} is held by this process")
            self._held.add(service)
            # One clock has no skew.
            previous_until = self._released_at.get(service, 0.0) - SKEW
            term = LeaseTerm(service, holder, next(_FENCES), 0.0, previous_until)
        try:
            yield _MemoryLease(self, term, self._clock)
        finally:
            with self._lock:
                self._released_at[service] = self._clock()
                self._held.discard(service)


class _MemoryLease(Lease):
    def confirm(self, seconds: float) -> None:
        """Does nothing: the lease has no end."""

    def lasts(self, seconds: float) -> bool:
        """Returns true: the lease has no end."""
        return True

    def keep(self) -> None:
        """Does nothing: the lease has no end."""


class MemoryOpenEntries(OpenEntries):
    """The open entries of a history in memory, on one page."""

    def __init__(self, history: MemoryHistory):  # pylint: disable=super-init-not-called
        self._history = history

    def of(self, service: str) -> list[OpenEntry]:
        """Returns the open entries of a service. Empty key: of all services."""
        entries = self._history.unfinished(service or None)
        return [OpenEntry(f"{entry.service}#{entry.number}", entry) for entry in entries]

    def pages(self) -> Iterator[Page]:
        """Yields one page with all open entries."""
        yield Page(self.of(""), True)


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
        self.open_entries = MemoryOpenEntries(self.history)
        self.batches = MemoryBatches(self.history)
        self._rate_limiter: LocalRateLimiter | None = None
        self._lock = threading.Lock()

    def rate_limiter(self, limits: Mapping[str, Rate], clock: Clock) -> LocalRateLimiter:
        """Returns the rate limiter that all users of the ledger share."""
        with self._lock:
            self._rate_limiter = self._rate_limiter or LocalRateLimiter(limits, clock)
            return self._rate_limiter
