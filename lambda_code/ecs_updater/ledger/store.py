"""Stores entries: one for each `request_id`, written only by its owner.

Each write replaces the whole entry if owner and state are as expected, or as already written. So a
lost response is harmless, and a holder that lost its entry cannot write it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from ..aws.dynamodb import ConditionFailed, Delete, Item, Put, Table, Update, Write
from ..errors import LeaseHeldError, LedgerError, one_line
from ..log import logger
from ..model.field_types import check_types
from .batch import count_failure
from .entry import ENTRY, REACHED_FROM, Entry, State, Success, from_item, to_item
from .lease import LeaseTerm, check_is_held, lost_error
from .open_entries import OPEN, OpenEntries, read

RETENTION_DAYS = 90
"""Days for which an ended entry and its `request_id` are kept."""

UPDATES = "UPDATES"
"""Partition key of the index with the entries of all services."""

_LAST_SUCCESS, _REQUEST = "LAST_SUCCESS", "REQUEST"

_IS_NEW = "attribute_not_exists(#pk)"
_BEGIN_TRIES = 3


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

    # Writing

    def begin(self, entry: Entry, lease: LeaseTerm | None = None) -> Begun:
        """Stores a new entry, its `request_id` and its marker as open. One call.

        Returns the earlier entry of the `request_id` instead, unless that may be repeated. Raises
        LeaseHeldError if another holder has taken `lease`, because entries sort by their fences.
        """
        now = self._now()
        entry = replace(entry, begun_at=now, updated_at=now)
        marker = {"pk": OPEN, "sk": _open_key(entry)}
        writes: list[Write] = [Put(marker | {"service": entry.service, "number": entry.number})]
        if lease:
            writes.append(check_is_held(lease))
        # The request expires with its entry, not while the entry is open.
        request = _request_item(entry)
        earlier: Item | None = None
        for _ in range(_BEGIN_TRIES):
            condition, values = _IS_NEW, dict[str, Any]()
            if earlier:
                condition = f"{_IS_NEW} OR (#service = :service AND #number = :number)"
                values = {name: earlier[name] for name in ("service", "number")}
            try:
                self._table.write(
                    Put(_item(entry), _IS_NEW), Put(request, condition, values), *writes
                )
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
            if stored and not stored.may_be_repeated:
                return Begun(stored, False)
        raise _contended(entry)

    def refuse(self, entry: Entry) -> Entry:
        """Stores an update that has ended before it began. One call.

        Returns the earlier entry of its `request_id` instead, with a second call.
        """
        now = self._now()
        entry = replace(entry, begun_at=now, updated_at=now, ended_at=now)
        expires = {"expires": self._expires()}
        items = (_item(entry) | expires, _request_item(entry) | expires)
        try:
            self._table.write(*(Put(item, _IS_NEW) for item in items), *self._failure(entry))
            return entry
        except ConditionFailed as error:
            same, earlier = error.items[:2]
        if same:
            return from_item(same)
        stored = self._entry(earlier["service"], earlier["number"]) if earlier else None
        if stored is None:
            raise _contended(entry)
        return stored

    def advance(self, entry: Entry) -> Entry:
        """Stores the progress of an update. One call.

        Raises LeaseHeldError if another holder has taken the entry.
        """
        entry = replace(entry, updated_at=self._now())
        try:
            self._table.put(self._progress(entry))
        except ConditionFailed as error:
            raise self._write_error(entry, error.items[0]) from error
        return entry

    def finish(self, entry: Entry) -> Entry:
        """Stores the end of an update, its success, and the failure of its batch.

        An entry that has ended never changes: the same end again is harmless. One call, or two
        if a later update succeeded. Raises LeaseHeldError like `advance`.
        """
        now = self._now()
        entry = replace(entry, updated_at=now, ended_at=now)
        writes: list[Write] = [
            self._progress(entry),
            Delete(OPEN, _open_key(entry)),
            Put(_request_item(entry) | {"expires": self._expires()}),
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
        try:
            self._table.write(update, *self._failure(replace(entry, may_be_repeated=False)))
        except ConditionFailed:
            pass

    def take_over(self, entry: Entry, lease: LeaseTerm) -> Entry:
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

    # Reading

    def find(self, request_id: str) -> Entry | None:
        """Returns the entry of a `request_id`, or None. Two calls, one without an entry."""
        request = self._table.get(*request_key(request_id))
        return self._entry(request["service"], request["number"]) if request else None

    def unfinished(self, service: str | None = None) -> list[Entry]:
        """Returns the open entries of a service or of all, the oldest first.

        One call, and one for each entry. An unreadable entry is logged and left out: it must not
        stop the updates of its service.
        """
        markers = self._table.query(OPEN, f"{service}#" if service else "")
        if not markers:
            return []
        open_entries = OpenEntries(self._table).named_by(markers)
        entries = _readable(open_entry.found for open_entry in open_entries)
        return sorted(entries, key=lambda entry: entry.number)

    def last_success(self, service: str) -> Success | None:
        """Returns the service's last success. None: it has none, or it is unreadable. One call."""
        item = self._table.get(service, _LAST_SUCCESS) or {}
        attributes: dict[str, Any] = {field.name: item.get(field.name) for field in fields(Success)}
        success = Success(**attributes)
        try:
            check_types(success)
        except TypeError:
            return None
        return success

    def latest(self, service: str, most: int = 20) -> list[Entry]:
        """Returns the service's latest entries, the latest first. One call.

        An unreadable entry is logged and left out.
        """
        items = self._table.query(service, ENTRY, newest_first=True, most=most)
        return list(_readable(map(read, items)))

    def later(self, entry: Entry) -> list[Entry]:
        """Returns those of the service's latest twenty entries that began later. One call."""
        return [later for later in self.latest(entry.service) if later.number > entry.number]

    # Items

    def _progress(self, entry: Entry) -> Put:
        """Returns the write of an entry, on the condition that owner and state allow it."""
        item, (condition, states) = _item(entry), _ADVANCE[entry.state]
        if entry.state is State.ENDED:
            item["expires"] = self._expires()
        return Put(item, condition, states | {"owner": entry.owner})

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

    def _failure(self, entry: Entry) -> list[Write]:
        """Returns the write that counts a failure, if the update failed in a batch."""
        batch = entry.batch if entry.has_failed else None
        return [count_failure(batch, self._expires())] if batch else []

    def _now(self) -> str:
        moment = datetime.fromtimestamp(self._clock(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _expires(self) -> int:
        return int(self._clock() + self._retention)


def _advance_condition(state: State) -> tuple[str, dict[str, str]]:
    """Returns the condition for an entry to reach `state`, and its values."""
    values = {f"state{index}": earlier.value for index, earlier in enumerate(REACHED_FROM[state])}
    return f"#owner = :owner AND #state IN ({', '.join(f':{name}' for name in values)})", values


_ADVANCE = {state: _advance_condition(state) for state in State}


def _contended(entry: Entry) -> LedgerError:
    return LedgerError(
        f"request_id {one_line(entry.request_id)} is begun by too many at once, try again"
    )


def request_key(request_id: str) -> tuple[str, str]:
    """Returns the key of the item that has the key of a `request_id`'s entry."""
    return f"{_REQUEST}#{request_id}", _REQUEST


def entry_key(number: int) -> str:
    """Returns the sort key of an entry."""
    return f"{ENTRY}{number:015d}"


def _open_key(entry: Entry) -> str:
    return f"{entry.service}#{entry.number:015d}"


def _readable(entries: Iterable[Entry | LedgerError]) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry, Entry):
            yield entry
        else:
            logger.warning("an entry of the ledger is left as it is", reason=str(entry))


def _item(entry: Entry) -> Item:
    return {"pk": entry.service, "sk": entry_key(entry.number), "feed": UPDATES} | to_item(entry)


def _request_item(entry: Entry) -> Item:
    pk, sk = request_key(entry.request_id)
    return {"pk": pk, "sk": sk, "service": entry.service, "number": entry.number}


def _last_success(success: Success) -> Put:
    item = {"pk": success.service, "sk": _LAST_SUCCESS} | asdict(success)
    return Put(
        item, "attribute_not_exists(#number) OR #number <= :number", {"number": success.number}
    )
