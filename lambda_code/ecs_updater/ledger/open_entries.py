"""Reads the open entries by their markers, page by page, after the last entry of the last run.

    pk           sk              item
    -----------  --------------  ----------------------------------------------------------
    OPEN         service#number  marker: the sort key has the key of an open entry
    OPEN-CURSOR  OPEN-CURSOR     `after`: sort key of the last marker of the last run

A run may end before the last marker, also by a kill. The next run continues after its cursor and
goes once around, so every entry has its turn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..aws.dynamodb import Delete, Item, Put, Table
from ..errors import LedgerError
from .entry import ENTRY, Entry, from_item

OPEN = "OPEN"
PAGE = 100
"""Maximum entries in memory. An entry has up to 400 KB."""

_CURSOR = "OPEN-CURSOR"


@dataclass(frozen=True)
class OpenEntry:
    """An entry that has not ended."""

    marker: str
    """Sort key of its marker."""
    found: Entry | LedgerError
    """The entry, or the error that names an unreadable item."""

    @property
    def service(self) -> str:
        """The service's key."""
        return self.marker.rpartition("#")[0]


@dataclass(frozen=True)
class Page:
    """Open entries, sorted by service and age."""

    entries: Sequence[OpenEntry]
    is_all: bool
    """Whether the page has all open entries."""


class OpenEntries:
    """The open entries in the ledger's table. All methods raise LedgerError."""

    def __init__(self, table: Table):
        self._table = table

    def of(self, service: str) -> list[OpenEntry]:
        """Returns the open entries of a service, the oldest first. Empty key: of all services.

        One call, and one for each entry.
        """
        return self.named_by(self._table.query(OPEN, f"{service}#" if service else ""))

    def named_by(self, markers: Sequence[Item]) -> list[OpenEntry]:
        """Returns the open entries of markers. One call for each."""
        return self._read(markers, (self._table.get(*key) for key in _entry_keys(markers)))

    def pages(self) -> Iterator[Page]:
        """Yields the open entries of all services, once around.

        Two calls for each page, and two more if there are several.
        """
        markers = self._markers("")
        if len(markers) < PAGE:
            yield self._page(markers, is_all=True)
            return
        begin = str((self._table.get(_CURSOR, _CURSOR) or {}).get("after", ""))
        yield from self._between(begin, "")
        if begin:
            yield from self._between("", begin)

    def go_on_after(self, entry: OpenEntry) -> None:
        """Stores that the next run begins after this entry. One call."""
        self._table.put(Put({"pk": _CURSOR, "sk": _CURSOR, "after": entry.marker}))

    def _between(self, after: str, last: str) -> Iterator[Page]:
        """Yields the pages after a marker, up to and with `last`. Empty: up to the end."""
        while markers := self._markers(after):
            wanted = [marker for marker in markers if not last or marker["sk"] <= last]
            yield self._page(wanted)
            if len(wanted) < PAGE:
                return
            after = markers[-1]["sk"]

    def _markers(self, after: str) -> list[Item]:
        return self._table.query(OPEN, after=after, most=PAGE)

    def _page(self, markers: Sequence[Item], *, is_all: bool = False) -> Page:
        items = self._table.get_many(list(_entry_keys(markers)))
        return Page(self._read(markers, items), is_all)

    def _read(self, markers: Sequence[Item], items: Iterable[Item | None]) -> list[OpenEntry]:
        by_key = {(item["pk"], item["sk"]): item for item in items if item}
        entries = []
        for marker in (marker["sk"] for marker in markers):
            key = _entry_key(marker)
            if key is None:
                found: Entry | LedgerError = LedgerError(
                    f"the item {OPEN} {marker} names no entry: delete it from the table"
                )
            elif key in by_key:
                found = read(by_key[key])
            else:  # The entry was deleted from the table.
                self._table.write(Delete(OPEN, marker))
                continue
            if isinstance(found, LedgerError) or not found.is_ended:
                entries.append(OpenEntry(marker, found))
        return entries


def read(item: Item) -> Entry | LedgerError:
    """Returns the entry of an item, or the error of an unreadable item."""
    try:
        return from_item(item)
    except LedgerError as error:
        return error


def _entry_keys(markers: Iterable[Item]) -> Iterator[tuple[str, str]]:
    return filter(None, (_entry_key(marker["sk"]) for marker in markers))


def _entry_key(marker: str) -> tuple[str, str] | None:
    """Returns the key of the entry that a marker names. None: the marker is not valid."""
    service, _, number = marker.rpartition("#")
    return (service, f"{ENTRY}{number}") if service and number.isdecimal() else None
