"""A ledger in memory, for updates without a table: the same steps, remembered by this process only.

A function without LEDGER_TABLE has one per invocation, the command line one per batch.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from .entry import Entry, Success, iso
from .lease import Holder, Lease, Leases, LeaseTerm
from .store import Begun, History


class MemoryHistory(History):
    """Entries in memory. It raises nothing."""

    is_kept = False

    def __init__(self, clock: Callable[[], float] = time.time):  # pylint: disable=super-init-not-called
        self._clock = clock
        self._entries: dict[int, Entry] = {}
        self._lock = threading.Lock()

    def begin(self, entry: Entry, lease: LeaseTerm | None = None) -> Begun:
        """Keeps the entry."""
        now = iso(self._clock())
        return Begun(self._keep(replace(entry, begun_at=now, updated_at=now)), True)

    def advance(self, entry: Entry) -> Entry:
        """Keeps how far the update came."""
        return self._keep(replace(entry, updated_at=iso(self._clock())))

    def end(self, entry: Entry) -> Entry:
        """Keeps how the update ended."""
        now = iso(self._clock())
        return self._keep(replace(entry, updated_at=now, ended_at=now))

    def take_over(self, entry: Entry, lease: LeaseTerm) -> Entry:
        """Returns the entry: there is no other owner."""
        return self._entries.get(entry.number, entry)

    def find(self, request_id: str) -> Entry | None:
        """Returns None: each process begins anew."""
        return None

    def unfinished(self, service: str | None = None) -> list[Entry]:
        """Returns nothing: every update of this process has its own caller, who finishes it."""
        return []

    def last_success(self, service: str) -> Success | None:
        """Returns None: nothing is known of earlier processes."""
        return None

    def latest(self, service: str, most: int = 20) -> list[Entry]:
        """Returns nothing, likewise."""
        return []

    def of_request(self, request_id: str) -> Entry | None:
        """Returns the latest entry of a request of this process, for who shows its progress."""
        with self._lock:
            entries = [entry for entry in self._entries.values() if entry.request_id == request_id]
        return max(entries, key=lambda entry: entry.number, default=None)

    def _keep(self, entry: Entry) -> Entry:
        with self._lock:
            self._entries[entry.number] = entry
        return entry


_FENCES = itertools.count(1)
"""One for all ledgers of this process: entries are numbered by it."""


class MemoryLeases(Leases):
    """Leases that nobody else asks for."""

    def __init__(self, clock: Callable[[], float] = time.time):  # pylint: disable=super-init-not-called
        self._clock = clock

    @contextmanager
    def held(self, service: str, holder: Holder, deadline: float = 0.0) -> Iterator[Lease]:
        """Holds a lease without an end."""
        yield _MemoryHold(self, LeaseTerm(service, holder, next(_FENCES), 0.0), self._clock)


class _MemoryHold(Lease):
    def confirm(self, seconds: float) -> None:
        """Confirms it: it has no end."""

    def lasts(self, seconds: float) -> bool:
        """Returns true, likewise."""
        return True

    def keep(self) -> None:
        """Does nothing, likewise."""
