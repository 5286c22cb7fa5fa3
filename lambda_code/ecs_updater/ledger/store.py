"""Entries in the table: begun once for each ``request_id``, written by their owner only, and found
again.

An entry is written whole, on the condition that its owner and its state are what they were or
already what they become. So an answer that got lost does no harm, and whoever lost an entry to
another holder cannot write it any more.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from ..aws.dynamodb import ConditionFailed, Delete, Item, Put, Table, Update, Write
from ..errors import LeaseHeldError, LedgerError, one_line
from ..log import logger
from .batch import failure_of
from .entry import ENTRY, Entry, State, Success, check_types, from_item, to_item
from .lease import LeaseTerm, lost, still_held
from .open_entries import OPEN, OpenEntries, read

RETENTION_DAYS = 90
"""For how long an entry, and the memory of its ``request_id``, is kept."""

UPDATES = "UPDATES"
"""Under which key the index of all services' entries has an entry."""

_LAST_SUCCESS, _REQUEST = "LAST_SUCCESS", "REQUEST"

_BEGIN_TRIES = 3


@dataclass(frozen=True)
class Begun:
    """What came of beginning an entry."""

    entry: Entry
    is_new: bool
    """Whether it is the one that was to begin; otherwise it is an earlier one of the same
    ``request_id``.
    """


class History:
    """The entries in the ledger's table. All methods raise LedgerError."""

    is_kept = True
    """Whether another process can go on with what is in it."""

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
        """Writes the intent: the entry, what finds it by its ``request_id``, and that it is open.
        One call.

        Raises LeaseHeldError, and writes nothing, where another holder has taken ``lease`` since:
        entries sort as updates happen. Where there is an entry of this ``request_id`` already, that
        one is the answer, unless it may be repeated.
        """
        now = self._now()
        entry = replace(entry, begun_at=now, updated_at=now)
        earlier: Item | None = None
        for _ in range(_BEGIN_TRIES):
            try:
                self._table.write(
                    *self._intent(entry, instead_of=earlier),
                    *([still_held(lease)] if lease else []),
                )
                return Begun(entry, True)
            except ConditionFailed as refused:
                same, earlier = refused.items[:2]
                if lease and (taken := refused.items[-1]):
                    raise lost(lease, taken) from refused
            if same:
                if (same["owner"], same["request_id"]) != (entry.owner, entry.request_id):
                    raise ValueError(
                        "one lease is for one update: under this one another was begun"
                    )
                return Begun(from_item(same), True)  # One's own: an answer got lost.
            stored = self._entry(earlier["service"], earlier["number"]) if earlier else None
            if stored and not stored.may_be_repeated:
                return Begun(stored, False)
        raise LedgerError(f"request_id {one_line(entry.request_id)} is begun by too many at once")

    def refuse(self, entry: Entry) -> Entry:
        """Writes an update that has ended before it was begun; the entry that then has its
        ``request_id``, an earlier one included.

        One call, two where there is an earlier one.
        """
        now = self._now()
        entry = replace(entry, begun_at=now, updated_at=now, ended_at=now)
        written, request, _ = self._intent(entry, instead_of=None)
        assert isinstance(written, Put)
        assert isinstance(request, Put)
        written = replace(written, item=written.item | {"expires": self._expires()})
        request = replace(request, item=request.item | {"expires": self._expires()})
        try:
            self._table.write(written, request, *self._counted(entry))
            return entry
        except ConditionFailed as refused:
            same, earlier = refused.items[:2]
        stored = (
            from_item(same)
            if same
            else self._entry(earlier["service"], earlier["number"])
            if earlier
            else None
        )
        if stored is None:
            raise LedgerError(
                f"request_id {one_line(entry.request_id)} is begun by too many at once"
            )
        return stored

    def advance(self, entry: Entry) -> Entry:
        """Writes how far the owner of ``entry`` came.

        One call. Raises LeaseHeldError if another holder has taken the entry.
        """
        entry = replace(entry, updated_at=self._now())
        try:
            self._table.put(self._progress(entry))
        except ConditionFailed as refused:
            raise self._not_written(entry, refused.items[0]) from refused
        return entry

    def end(self, entry: Entry) -> Entry:
        """Writes how ``entry``, in the state ENDED, ended; the entry as it is stored. One call, two
        after a later success.

        It is not open any more then, and is the service's last success if it ended so and no later
        one did. What has ended stays as it is: the same end again is harmless. Raises
        LeaseHeldError as ``advance``.
        """
        now = self._now()
        entry = replace(entry, updated_at=now, ended_at=now)
        request = _request_item(entry) | {"expires": self._expires()}
        writes: list[Write] = [
            self._progress(entry),
            Delete(OPEN, _open_key(entry)),
            Put(request),
            *self._counted(entry),
        ]
        success = Success.of(entry)
        attempts = [[*writes, _last_success(success)], writes] if success else [writes]
        for attempt in attempts:
            try:
                self._table.write(*attempt)
                return entry
            except ConditionFailed as refused:
                stored = refused.items[0]
                end = stored and (stored["owner"], stored["state"], stored.get("verdict"))
                if stored and end == (entry.owner, entry.state, entry.verdict):
                    return from_item(stored)  # One's own: an answer got lost.
                if stored or attempt is attempts[-1]:
                    raise self._not_written(entry, stored) from refused
        raise AssertionError("the last attempt returns or raises")

    def give_up(self, entry: Entry) -> None:
        """Makes an end of which a retry was another attempt the last one, since nobody tries again.
        One call.

        Harmless when a retry came after all.
        """
        last = Update(
            entry.service,
            entry_key(entry.number),
            "SET #may_be_repeated = :no",
            "#state = :ended AND #may_be_repeated = :yes AND #owner = :owner",
            {"no": False, "yes": True, "ended": State.ENDED.value, "owner": entry.owner},
        )
        try:
            self._table.write(last, *self._counted(replace(entry, may_be_repeated=False)))
        except ConditionFailed:
            pass

    def take_over(self, entry: Entry, lease: LeaseTerm) -> Entry:
        """Makes the holder of ``lease`` the owner of an entry that is not ended; the entry as it
        then is. One call.

        Whoever owned it cannot write it any more. Raises LeaseHeldError if a later holder has it or
        it has ended.
        """
        taking = Update(
            entry.service,
            entry_key(entry.number),
            "SET #owner = :owner, #fence = :fence",
            "#state <> :ended AND (#fence < :fence OR #owner = :owner)",
            {"owner": lease.holder.id, "fence": lease.fence, "ended": State.ENDED.value},
        )
        try:
            return from_item(self._table.update(taking))
        except ConditionFailed as refused:
            raise self._not_written(entry, refused.items[0]) from refused

    # Reading

    def find(self, request_id: str) -> Entry | None:
        """The entry of this ``request_id``. Two calls, one when there is none."""
        request = self._request(request_id)
        return self._entry(request["service"], request["number"]) if request else None

    def unfinished(self, service: str | None = None) -> list[Entry]:
        """The entries that are not ended, of one service or of all, the oldest first. One call, and
        one for each that there is.

        One that cannot be read is logged, and left as it is: it must not stop the updates of its
        service.
        """
        markers = self._table.query(OPEN, f"{service}#" if service else "")
        if not markers:
            return []
        entries = _readable(one.found for one in OpenEntries(self._table).named_by(markers))
        return sorted(entries, key=lambda entry: entry.number)

    def last_success(self, service: str) -> Success | None:
        """The service's last update whose rollout succeeded. One call."""
        item = self._table.get(service, _LAST_SUCCESS)
        return _success(item) if item else None

    def latest(self, service: str, most: int = 20) -> list[Entry]:
        """The service's latest entries, the latest first; one that cannot be read is logged and
        left out. One call.
        """
        items = self._table.query(service, ENTRY, newest_first=True, most=most)
        return list(_readable(read(item) for item in items))

    def later(self, entry: Entry) -> list[Entry]:
        """The service's entries that were begun after ``entry``, of the latest twenty. One call."""
        return [one for one in self.latest(entry.service) if one.number > entry.number]

    # Items

    def _intent(self, entry: Entry, instead_of: Item | None) -> tuple[Write, ...]:
        only_once, values = "attribute_not_exists(#pk)", {}
        if instead_of:
            only_once = "attribute_not_exists(#pk) OR (#service = :service AND #number = :number)"
            values = {"service": instead_of["service"], "number": instead_of["number"]}
        marker: Item = {
            "pk": OPEN,
            "sk": _open_key(entry),
            "service": entry.service,
            "number": entry.number,
        }
        # What leads to the entry by its request_id expires with the entry: not while that is open.
        return (
            Put(_item(entry), "attribute_not_exists(#pk)"),
            Put(_request_item(entry), only_once, values),
            Put(marker),
        )

    def _progress(self, entry: Entry) -> Put:
        """The entry as it becomes, if its owner is the same and it has not gone further."""
        item, (condition, states) = _item(entry), _ADVANCE[entry.state]
        if entry.state is State.ENDED:
            item |= {"expires": self._expires()}
        return Put(item, condition, states | {"owner": entry.owner})

    def _not_written(self, entry: Entry, stored: Item | None) -> Exception:
        which = f"the update of request_id {one_line(entry.request_id)}"
        if stored is None:
            return LedgerError(f"{which} is gone from the table {self._table.name}")
        if stored["owner"] != entry.owner or stored["state"] == State.ENDED:
            what = (
                "has been ended"
                if stored["state"] == State.ENDED
                else "has been taken over by a later one"
            )
            return LeaseHeldError(f"ecs_service_name {entry.service}: {which} {what}, try again")
        return LedgerError(f"{which} is {stored['state']} already, it cannot become {entry.state}")

    def _request(self, request_id: str) -> Item | None:
        return self._table.get(*request_key(request_id))

    def _entry(self, service: str, number: int) -> Entry | None:
        item = self._table.get(service, entry_key(number))
        return from_item(item) if item else None

    def _counted(self, entry: Entry) -> list[Write]:
        """What counts the end of an update as a failure of its batch, where it is one."""
        return (
            [failure_of(entry.batch, self._expires())] if entry.batch and entry.has_failed else []
        )

    def _now(self) -> str:
        moment = datetime.fromtimestamp(self._clock(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _expires(self) -> int:
        return int(self._clock() + self._retention)


def _advance_condition(state: State) -> tuple[str, dict[str, str]]:
    """Returns the condition for an entry to come to ``state``, and its values."""
    before = state.reached_from[:-1] if state is State.ENDED else state.reached_from
    names = {f"state{index}": earlier.value for index, earlier in enumerate(before)}
    return f"#owner = :owner AND #state IN ({', '.join(f':{name}' for name in names)})", names


_ADVANCE = {state: _advance_condition(state) for state in State}


def request_key(request_id: str) -> tuple[str, str]:
    """The table's keys of what leads to the entry of a ``request_id``."""
    return f"{_REQUEST}#{request_id}", _REQUEST


def entry_key(number: int) -> str:
    """The sort key of a service's entry of this number."""
    return f"{ENTRY}{number:015d}"


def _open_key(entry: Entry) -> str:
    return f"{entry.service}#{entry.number:015d}"


def _readable(found: Iterable[Entry | LedgerError]) -> Iterator[Entry]:
    for one in found:
        if isinstance(one, Entry):
            yield one
        else:
            logger.warning("an entry of the ledger is left as it is", reason=str(one))


def _success(item: Mapping[str, Any]) -> Success | None:
    """The last success of which these are the attributes; None where this version cannot read
    it.
    """
    try:
        attributes: dict[str, Any] = {one.name: item.get(one.name) for one in fields(Success)}
        success = Success(**attributes)
        check_types(success)
    except TypeError:
        return None
    return success


def _item(entry: Entry) -> Item:
    return {"pk": entry.service, "sk": entry_key(entry.number), "feed": UPDATES} | to_item(entry)


def _request_item(entry: Entry) -> Item:
    """What leads to an entry by its ``request_id``."""
    pk, sk = request_key(entry.request_id)
    return {"pk": pk, "sk": sk, "service": entry.service, "number": entry.number}


def _last_success(success: Success) -> Put:
    item = {"pk": success.service, "sk": _LAST_SUCCESS} | asdict(success)
    return Put(
        item, "attribute_not_exists(#number) OR #number <= :number", {"number": success.number}
    )
