"""The entries that have not ended, as their markers name them: all services page by page, from
where the last run stopped.

    pk           sk              item
    -----------  --------------  -------------------------------------------------------------
    OPEN         service#number  an entry that has not ended: its key is the one of the marker
    OPEN-CURSOR  OPEN-CURSOR     ``after``: the marker that the last run came to

A run has not always the time for all of them. Each goes on after the marker at which the last one
was, once around, so every entry is looked at within as many runs as it takes for all, also when one
of them ends the run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..aws.dynamodb import Delete, Item, Put, Table
from ..errors import LedgerError
from .entry import ENTRY, Entry, from_item

OPEN = "OPEN"
PAGE = 100
"""How many entries are in memory at once. An entry has up to 400 KB."""

_CURSOR = "OPEN-CURSOR"


@dataclass(frozen=True)
class OpenEntry:
    """One entry that has not ended."""

    marker: str
    """The sort key of what says that it is open."""
    found: Entry | LedgerError
    """The error where this version cannot read it; the error names the item."""

    @property
    def service(self) -> str:
        """The service's key."""
        return self.marker.rpartition("#")[0]


@dataclass(frozen=True)
class Page:
    """Some of them, by service and by age."""

    entries: Sequence[OpenEntry]
    is_all: bool
    """Whether there are no others."""


class OpenEntries:
    """The open entries in the ledger's table. All methods raise LedgerError."""

    def __init__(self, table: Table):
        self._table = table

    def of(self, service: str) -> list[OpenEntry]:
        """Those of a service, the oldest first; of all services with an empty key.

        One call, and one for each that there is.
        """
        return self.named_by(self._table.query(OPEN, f"{service}#" if service else ""))

    def named_by(self, markers: Sequence[Item]) -> list[OpenEntry]:
        """Returns the entries that markers name. One call for each."""
        items = [
            self._table.get(*_entry_key(one["sk"])) if _names_an_entry(one["sk"]) else None
            for one in markers
        ]
        return self._read(markers, [item for item in items if item])

    def pages(self) -> Iterator[Page]:
        """Those of all services, once around.

        Two calls for each page, and two more where there are several.
        """
        markers = self._markers("")
        if len(markers) < PAGE:
            yield Page(self._page(markers), True)
            return
        begin = str((self._table.get(_CURSOR, _CURSOR) or {}).get("after", ""))
        yield from self._between(begin, "")
        if begin:
            yield from self._between("", begin)

    def _between(self, after: str, last: str) -> Iterator[Page]:
        """The pages of the markers after one, up to another; up to the end where that is empty."""
        while markers := self._markers(after):
            wanted = [one for one in markers if not last or one["sk"] <= last]
            yield Page(self._page(wanted), False)
            if len(wanted) < PAGE:
                return
            after = markers[-1]["sk"]

    def go_on_after(self, entry: OpenEntry) -> None:
        """Lets the next run begin after this one. One call."""
        self._table.put(Put({"pk": _CURSOR, "sk": _CURSOR, "after": entry.marker}))

    def _markers(self, after: str) -> list[Item]:
        return self._table.query(OPEN, after=after, most=PAGE)

    def _page(self, markers: Sequence[Item]) -> list[OpenEntry]:
        keys = [_entry_key(one["sk"]) for one in markers if _names_an_entry(one["sk"])]
        return self._read(markers, self._table.get_many(keys))

    def _read(self, markers: Sequence[Item], items: Sequence[Item]) -> list[OpenEntry]:
        by_key = {(item["pk"], item["sk"]): item for item in items}
        found = [
            (marker["sk"], _found(marker["sk"], by_key.get(_entry_key(marker["sk"]))))
            for marker in markers
        ]
        for marker, entry in found:
            if entry is None:  # Deleted by somebody: what says that it is open goes too.
                self._table.write(Delete(OPEN, marker))
        return [
            OpenEntry(marker, entry)
            for marker, entry in found
            if entry and not (isinstance(entry, Entry) and entry.is_ended)
        ]


def read(item: Item) -> Entry | LedgerError:
    """The entry of an item, or why this version cannot read it."""
    try:
        return from_item(item)
    except LedgerError as error:
        return error


def _found(marker: str, item: Item | None) -> Entry | LedgerError | None:
    if not _names_an_entry(marker):
        return LedgerError(f"the item {OPEN} {marker} names no entry: delete it from the table")
    return read(item) if item else None


def _names_an_entry(marker: str) -> bool:
    service, _, number = marker.rpartition("#")
    return bool(service) and number.isdecimal()


def _entry_key(marker: str) -> tuple[str, str]:
    service, _, number = marker.rpartition("#")
    return service, f"{ENTRY}{number}"
