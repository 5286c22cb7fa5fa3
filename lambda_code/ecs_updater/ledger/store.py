"""Stores entries: one for each `request_id`, written only by its owner.

Each write replaces the whole entry if owner and state are as expected, or as already written. So a
lost response is harmless, and a holder that lost its entry cannot write it.

An open entry has a marker with the time since which it waits: its begin, then its latest poll by
the reconciler. A run of the reconciler may end before the last entry, also by a kill. The next run
polls those first that have waited longest, so every entry has its turn.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from ..aws.dynamodb import ConditionFailed, Delete, Item, Put, Table, Update, Write
from ..context import Clock
from ..errors import LeaseHeldError, LedgerError, one_line
from ..log import logger
from ..model.field_types import build
from ..throttling import Rate
from .batch import Batches, count_failure
from .conditions import ADVANCE, advance_with_answers, with_answers
from .entry import (
    ENTRY,
    LAST_SUCCESS,
    OPEN,
    WAITS_SINCE,
    Entry,
    State,
    Success,
    entry_key,
    from_item,
    iso,
    notify_item,
    open_item,
    request_item,
    request_key,
    to_item,
)
from .lease import Lease, Leases, check_is_held, lost_error
from .rate_limiter import SharedRateLimiter
from .shared_revisions import SharedRevisions

RETENTION_DAYS = 90
"""Days for which an ended entry and its `request_id` are kept."""

PAGE = 100
"""Entries in memory, or more if one service has more. An entry has up to 400 KB."""

_IS_NEW = "attribute_not_exists(#pk)"
_BEGIN_TRIES = 3


@dataclass(frozen=True)
class OpenEntry:
    """An entry that has not ended."""

    marker: str
    found: Entry | LedgerError
    """The entry, or the error that names an unreadable item."""

    @property
    def service(self) -> str:
        """The service's key."""
        return self.marker.rpartition("#")[0]


@dataclass(frozen=True)
class Begun:
    """The entry of a `request_id`, new or earlier."""

    entry: Entry
    is_new: bool


class History:
    """The entries in the ledger's table. All methods raise LedgerError."""

    is_kept = True
    """Whether another process can resume the updates."""

    def __init__(
        self,
        table: Table,
        *,
        retention_days: int = RETENTION_DAYS,
        clock: Callable[[], float] = time.time,
    ):
        self._table = table
        self._retention = retention_days * 86_400
        self._clock = clock

    def begin(self, entry: Entry, lease: Lease | None = None) -> Begun:
        """Stores a new entry and its `request_id`. One call.

        The entry is open and gets its marker, or has ended because the update was rejected. Returns
        the earlier entry of the `request_id` instead, unless an open one may repeat it. Raises
        LeaseHeldError if another holder has taken `lease`, because entries sort by their fences.
        """
        writes: list[Write] = [check_is_held(lease)] if lease else []
        now, expires = iso(self._clock()), dict[str, Any]()
        entry = replace(entry, begun_at=now, updated_at=now)
        if entry.state is State.ENDED:
            entry, expires = replace(entry, ended_at=now), {"expires": self._expires()}
            writes = [Put(notify_item(entry) | expires), *writes, *self._failure(entry)]
        else:
            # The request expires with its entry, not while the entry is open.
            writes.insert(0, Put(open_item(entry) | {WAITS_SINCE: self._clock()}))
        item, request = to_item(entry) | expires, request_item(entry) | expires
        earlier: Item | None = None
        for _ in range(_BEGIN_TRIES):
            condition, values = _IS_NEW, dict[str, Any]()
            if earlier:
                condition = f"{_IS_NEW} OR (#service = :service AND #number = :number)"
                values = {name: earlier[name] for name in ("service", "number")}
            try:
                self._table.write(Put(item, _IS_NEW), Put(request, condition, values), *writes)
                return Begun(entry, True)
            except ConditionFailed as error:
                same, earlier = error.items[:2]
                if lease and (taken := error.items[-1]):
                    raise lost_error(lease, taken) from error
            if same:
                if (same["owner"], same["request_id"]) != (entry.owner, entry.request_id):
                    raise ValueError("one lease is for one update: its fence has another entry")
                return Begun(from_item(same), True)  # The response of the first try was lost.
            stored = self._entry(earlier["service"], earlier["number"]) if earlier else None
            if stored and (entry.is_ended or not stored.may_be_repeated):
                return Begun(stored, False)
        raise LedgerError(
            f"request_id {one_line(entry.request_id)} is begun by too many at once, try again"
        )

    def advance(self, entry: Entry) -> Entry:
        """Stores the progress of an update. One call.

        Raises LeaseHeldError if another holder has taken the entry.
        """
        entry = replace(entry, updated_at=iso(self._clock()))
        try:
            condition, values = (
                advance_with_answers(entry) if entry.approvals else ADVANCE[entry.state]
            )
            self._table.put(Put(to_item(entry), condition, {**values, "owner": entry.owner}))
        except ConditionFailed as error:
            if answered := with_answers(entry, error.items[0]):
                return self.advance(answered)
            raise self._write_error(entry, error.items[0]) from error
        return entry

    def finish(self, entry: Entry) -> Entry:
        """Stores the end of an update, its success, and the failure of its batch.

        The marker of its verdict makes the reconciler send the verdict.

        An entry that has ended never changes: the same end again is harmless. One call, or two
        if a later update succeeded. Raises LeaseHeldError like `advance`.
        """
        now = iso(self._clock())
        entry = replace(entry, updated_at=now, ended_at=now)
        expires = {"expires": self._expires()}
        condition, values = advance_with_answers(entry) if entry.approvals else ADVANCE[entry.state]
        writes: list[Write] = [
            Put(to_item(entry) | expires, condition, {**values, "owner": entry.owner}),
            Delete(OPEN, open_item(entry)["sk"]),
            Put(request_item(entry) | expires),
            Put(notify_item(entry) | expires),
            *self._failure(entry),
        ]
        success = Success.of(entry)
        attempts = [[*writes, _last_success(success)], writes] if success else [writes]
        for attempt in attempts:
            try:
                self._table.write(*attempt)
                return entry
            except ConditionFailed as error:
                stored = error.items[0]
                if stored and (stored["owner"], stored["state"], stored.get("verdict")) == (
                    entry.owner,
                    entry.state,
                    entry.verdict,
                ):
                    return from_item(stored)  # The response of the first try was lost.
                if answered := with_answers(entry, stored):
                    return self.finish(answered)
                if stored or attempt is attempts[-1]:
                    raise self._write_error(entry, stored) from error
        raise AssertionError("the last attempt returns or raises")

    def give_up(self, entry: Entry) -> None:
        """Stores that a failed update is not repeated. No effect after a repetition. One call."""
        update = Update(
            entry.service,
            entry_key(entry.number),
            "SET #may_be_repeated = :no",
            "#state = :ended AND #may_be_repeated = :yes AND #owner = :owner",
            {"no": False, "yes": True, "ended": State.ENDED.value, "owner": entry.owner},
        )
        with suppress(ConditionFailed):
            self._table.write(update, *self._failure(replace(entry, may_be_repeated=False)))

    def take_over(self, entry: Entry, lease: Lease) -> Entry:
        """Makes the holder of `lease` the owner of an open entry. Returns the entry. One call.

        The earlier owner cannot write the entry any more. Raises LeaseHeldError if the entry has a
        later owner or has ended.
        """
        update = Update(
            entry.service,
            entry_key(entry.number),
            "SET #owner = :owner, #fence = :fence",
            "#state <> :ended AND (#fence < :fence OR #owner = :owner)",
            {"owner": lease.holder.id, "fence": lease.fence, "ended": State.ENDED.value},
        )
        try:
            return from_item(self._table.update(update))
        except ConditionFailed as error:
            raise self._write_error(entry, error.items[0]) from error

    def find(self, request_id: str) -> Entry | None:
        """Returns the entry of a `request_id`, or None. Two calls, one without an entry."""
        request = self._table.get(*request_key(request_id))
        return self._entry(request["service"], request["number"]) if request else None

    def last_success(self, service: str) -> Success | None:
        """Returns the service's last success. None: it has none, or it is unreadable. One call."""
        try:
            return build(Success, self._table.get(service, LAST_SUCCESS) or {})
        except TypeError:
            return None

    def latest(self, service: str, most: int = 20) -> list[Entry]:
        """Returns the service's latest entries, the latest first. One call.

        An unreadable entry is logged and left out.
        """
        items = self._table.query(service, ENTRY, newest_first=True, most=most)
        return list(_readable(map(read, items)))

    def unfinished(self, service: str = "") -> list[Entry]:
        """Returns the open entries like `open_entries`.

        An unreadable entry is logged and left out: it must not stop the updates of its service.
        """
        entries = self.open_entries(service)
        return list(_readable(entry.found for entry in entries)) if entries else []

    def open_entries(self, service: str) -> list[OpenEntry]:
        """Returns the open entries of a service, the oldest first. Empty key: of all services.

        One call, and one for each entry.
        """
        markers = self._table.query(OPEN, f"{service}#" if service else "")
        if not markers:
            return []
        return self._found(markers, (self._table.get(*key) for key in _entry_keys(markers)))

    def open_pages(self, service: str = "") -> Iterator[list[OpenEntry]]:
        """Yields the open entries of a service, the longest-waiting first. Empty key: of all.

        A page has all entries of its services. One call for each MB of markers and for each page.
        """
        for markers in _pages(self._table.query(OPEN, f"{service}#" if service else "")):
            yield self._found(markers, self._table.get_many(list(_entry_keys(markers))))

    def begin_poll(self, entries: Iterable[Entry]) -> None:
        """Stores that entries wait since now, unless they have ended. One call for each."""
        for entry in entries:
            key, change = open_item(entry), f"SET #{WAITS_SINCE} = :now"
            update = Update(
                key["pk"], key["sk"], change, "attribute_exists(#pk)", {"now": self._clock()}
            )
            with suppress(ConditionFailed):
                self._table.change(update)

    def shared_revisions(self, batch: str) -> SharedRevisions:
        """Returns the revisions that the services of a batch share."""
        return SharedRevisions(self._table, batch, retention=self._retention, clock=self._clock)

    def _write_error(self, entry: Entry, stored: Item | None) -> Exception:
        update = f"the update of request_id {one_line(entry.request_id)}"
        if stored is None:
            return LedgerError(f"{update} is gone from the table {self._table.name}")
        has_ended = stored["state"] == State.ENDED
        if not has_ended and stored["owner"] == entry.owner:
            state = stored["state"]
            return LedgerError(f"{update} is {state} already, it cannot become {entry.state}")
        reason = "has been ended" if has_ended else "has been taken over by a later one"
        return LeaseHeldError(f"ecs_service_name {entry.service}: {update} {reason}, try again")

    def _entry(self, service: str, number: int) -> Entry | None:
        item = self._table.get(service, entry_key(number))
        return from_item(item) if item else None

    def _found(self, markers: Sequence[Item], items: Iterable[Item | None]) -> list[OpenEntry]:
        by_key = {(item["pk"], item["sk"]): item for item in items if item}
        entries = []
        for marker in (marker["sk"] for marker in markers):
            key = marked_key(marker)
            if key is None:
                found: Entry | LedgerError = names_no_entry(OPEN, marker)
            elif key in by_key:
                found = read(by_key[key])
            else:  # The entry was deleted from the table.
                self._table.write(Delete(OPEN, marker))
                continue
            if isinstance(found, LedgerError) or not found.is_ended:
                entries.append(OpenEntry(marker, found))
        return entries

    def _failure(self, entry: Entry) -> list[Write]:
        """Returns the write that counts a failure, if the update failed in a batch."""
        batch = entry.batch if entry.has_failed else None
        return [count_failure(batch, self._expires())] if batch else []

    def _expires(self) -> int:
        return int(self._clock() + self._retention)


def read(item: Item) -> Entry | LedgerError:
    """Returns the entry of an item, or the error of an unreadable item."""
    try:
        return from_item(item)
    except LedgerError as error:
        return error


def _pages(markers: Iterable[Item]) -> Iterator[list[Item]]:
    """Yields the markers by service in pages, those of the longest-waiting service first."""
    by_service: dict[str, list[Item]] = {}
    for marker in markers:
        by_service.setdefault(marker["sk"].rpartition("#")[0], []).append(marker)
    page: list[Item] = []
    for group in sorted(by_service.values(), key=lambda group: min(map(_waits_since, group))):
        if page and len(page) + len(group) > PAGE:
            yield page
            page = []
        page += group
    if page:
        yield page


def _waits_since(marker: Item) -> float:
    """Returns seconds since the epoch, or 0 for a marker of an earlier version."""
    since = marker.get(WAITS_SINCE)
    return since if isinstance(since, int | float) else 0.0


def _entry_keys(markers: Iterable[Item]) -> Iterator[tuple[str, str]]:
    return filter(None, (marked_key(marker["sk"]) for marker in markers))


def marked_key(marker: str) -> tuple[str, str] | None:
    """Returns the key of the entry that a marker names. None: the marker is not valid."""
    service, _, number = marker.rpartition("#")
    return (service, f"{ENTRY}{number}") if service and number.isdecimal() else None


def names_no_entry(pk: str, marker: str) -> LedgerError:
    """Returns the error of a marker that is not valid."""
    return LedgerError(f"the item {pk} {marker} names no entry: delete it from the table")


def _readable(entries: Iterable[Entry | LedgerError]) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry, Entry):
            yield entry
        else:
            logger.warning("an entry of the ledger is left as it is", reason=str(entry))


def _last_success(success: Success) -> Put:
    item = {"pk": success.service, "sk": LAST_SUCCESS} | asdict(success)
    return Put(
        item, "attribute_not_exists(#number) OR #number <= :number", {"number": success.number}
    )


class TableLedger:
    """The parts of the ledger in a table. A `memory.MemoryLedger` has the same."""

    def __init__(self, table: Table, retention_days: int, clock: Clock):
        self._table, self._days, self._clock = table, retention_days, clock
        self.history = History(table, retention_days=retention_days, clock=clock.epoch)
        self.leases = Leases(table, clock=clock.epoch, sleep=clock.sleep)

    @property
    def batches(self) -> Batches:
        """The batches of the queue."""
        return Batches(self._table, retention_days=self._days, clock=self._clock.epoch)

    def rate_limiter(self, limits: Mapping[str, Rate], clock: Clock) -> SharedRateLimiter:
        """Returns a rate limiter that shares its tokens with all users of the table."""
        return SharedRateLimiter(self._table, limits, clock=clock.epoch, sleep=clock.sleep)


_Ledger = TypeVar("_Ledger")


def ledger_of(table: Table | _Ledger, retention_days: int, clock: Clock) -> TableLedger | _Ledger:
    """Returns the ledger in a table. A ledger in memory is returned as it is."""
    return TableLedger(table, retention_days, clock) if isinstance(table, Table) else table
