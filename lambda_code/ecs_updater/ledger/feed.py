"""The ledger for who only reads it: entries page by page, the newest first, as the table has them."""

from dataclasses import dataclass

from ..aws.dynamodb import Index, Item, Table
from .entry import Entry
from .failure import told
from .history import ENTRY, UPDATES, History

RECENT = Index("recent", "feed", "begun_at")
"""The entries of all services. It follows the table within a second or so."""

SHOWN = (
    *("request_id", "number", "service", "cluster_arn", "service_arn", "action", "before", "after"),
    *("state", "verdict", "cause", "deployment_id", "rollback", "begun_at", "updated_at", "ended_at"),
)
"""What of an entry a list shows: the index has these and no others."""

_CALLS_AT_MOST = 20
"""How many calls one page may take to find the entries of one cluster among those of all."""


@dataclass(frozen=True)
class Place:
    """Where a page begins: after which item of the table or of the index."""

    key: Item


class Feed:
    """The entries in the ledger's table. All methods raise LedgerError."""

    def __init__(self, table: Table):
        self._table = table
        self._history = History(table)

    def of_service(self, service: str, most: int, after: Place | None = None) -> tuple[list[Item], Place | None]:
        """A service's entries, by its key, and where the next page begins; None at the end."""
        found: list[Item] = []
        key = after.key if after else None
        while len(found) < most:
            with told(self._table):
                items, key = self._table.page(service, most - len(found), only=SHOWN, prefix=ENTRY, after=key)
            found += items
            if key is None:
                return found, None
        return found, Place(key) if key else None

    def of_all(self, most: int, after: Place | None = None, cluster: str | None = None) -> tuple[list[Item], Place | None]:
        """The entries of all services, or of those of one cluster, by its ARN. Such a page may be short although more follows."""
        found: list[Item] = []
        key = after.key if after else None
        for _ in range(_CALLS_AT_MOST):
            # Of one cluster's only some are among the next: more are read at once, and what comes too early is read again.
            with told(self._table):
                items, key = self._table.page(UPDATES, most, only=SHOWN, index=RECENT, after=key)
            for item in items:
                if cluster in (None, item["cluster_arn"]):
                    found.append(item)
                if len(found) == most:
                    is_last = item is items[-1] and key is None
                    return found, None if is_last else Place({name: item[name] for name in ("feed", "begun_at", "pk", "sk")})
            if key is None:
                return found, None
        return found, Place(key) if key else None

    def one(self, request_id: str) -> Entry | None:
        """One update; None when there is none, or none any more. Two calls."""
        return self._history.find(request_id)
