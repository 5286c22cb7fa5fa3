"""The verdicts that are not sent yet: one marker for each ended entry.

The end of an entry stores its marker in the same transaction. `notify` of a marker is `pending`, or
the name of the only channel to which the verdict is still to be sent. The marker is deleted after
the verdict was sent, so a verdict can be sent again after a kill.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..aws.dynamodb import Delete, Item, Table, Update, Write
from ..errors import LedgerError
from .entry import NOTIFY, Entry, request_key
from .store import PAGE, marked_key, names_no_entry, read

_PENDING = "pending"


@dataclass(frozen=True)
class PendingVerdict:
    """A verdict that is not sent yet."""

    marker: Item
    entry: Entry | LedgerError | None
    """The error names an unreadable item, or a marker that is not valid. None: the entry was
    deleted from the table.
    """

    @property
    def key(self) -> str:
        """The sort key of the marker."""
        return str(self.marker["sk"])

    def is_pending_for(self, channel: str) -> bool:
        """Returns whether the verdict is still to be sent to this channel."""
        return self.marker.get("notify", _PENDING) in (_PENDING, channel)


class PendingVerdicts:
    """The markers in the ledger's table. All methods raise LedgerError."""

    def __init__(self, table: Table):
        self._table = table

    def markers(self, after: str = "") -> list[Item]:
        """Returns up to 100 markers whose sort keys come after `after`. One call."""
        return self._table.query(NOTIFY, after=after, most=PAGE)

    def found(self, markers: Sequence[Item]) -> list[PendingVerdict]:
        """Returns the markers with their entries. One call."""
        keys = [marked_key(marker["sk"]) for marker in markers]
        items = self._table.get_many([key for key in keys if key])
        by_key = {(item["pk"], item["sk"]): read(item) for item in items}
        return [
            PendingVerdict(marker, by_key.get(key) if key else names_no_entry(NOTIFY, marker["sk"]))
            for marker, key in zip(markers, keys, strict=True)
        ]

    def is_repeated(self, entry: Entry) -> bool:
        """Returns whether the `request_id` of an entry has a later entry. One call."""
        request = self._table.get(*request_key(entry.request_id))
        return request is not None and request["number"] != entry.number

    def store(self, done: Sequence[str], partly: Mapping[str, str]) -> None:
        """Deletes the markers of these keys, and stores for others the channel that is left.

        One call for at most 100 markers, none without any.
        """
        writes: list[Write] = [Delete(NOTIFY, key) for key in done]
        writes += [
            Update(NOTIFY, key, "SET #notify = :channel", values={"channel": channel})
            for key, channel in partly.items()
        ]
        if writes:
            self._table.write(*writes)
