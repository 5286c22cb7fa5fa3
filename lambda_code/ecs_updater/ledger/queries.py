"""The ledger for who only reads it: entries page by page, the newest first, as the table has
them.
"""

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..aws.dynamodb import Index, Item, Table
from ..context import ANSWER_BYTES
from ..errors import LedgerError
from ..log import logger
from .entry import ENTRY, Entry, State
from .open_entries import read
from .store import UPDATES, History, entry_key, request_key

RECENT = Index("recent", "feed", "begun_at")
"""The entries of all services. It follows the table within a second or so."""

SHOWN = (
    *("request_id", "number", "service", "cluster_arn", "service_arn", "action", "before", "after"),
    *(
        "state",
        "verdict",
        "cause",
        "deployment_id",
        "rollback",
        "begun_at",
        "updated_at",
        "ended_at",
    ),
)
"""The attributes of an entry that a list shows.

The index has all attributes, so that this list can grow.
"""

_CALLS_AT_MOST = 20
"""How many calls one page may take to find the entries of one cluster among those of all."""


class UpdateQueries:
    """The entries in the ledger's table.

    A place is the key of an item: the page begins after it. All methods raise LedgerError.
    """

    def __init__(self, table: Table):
        self._table = table
        self._history = History(table)

    def of_service(
        self, service: str, most: int, after: Item | None = None
    ) -> tuple[list[Item], Item | None]:
        """A service's entries, by its key, and where the next page begins; None at the end.

        See ``of_all`` for short pages.
        """
        page = partial(self._table.page, service, only=SHOWN, prefix=ENTRY)
        return self._gathered(page, ("pk", "sk"), most, after, lambda item: True)

    def of_all(
        self, most: int, after: Item | None = None, cluster: str | None = None
    ) -> tuple[list[Item], Item | None]:
        """The entries of all services, or of those of one cluster, by its ARN.

        A page may be short although more follows: it has no more bytes than Lambda's answers, and
        costs a bounded number of calls.
        """
        page = partial(self._table.page, UPDATES, only=SHOWN, index=RECENT)
        names = (RECENT.hash_key, RECENT.range_key, "pk", "sk")
        return self._gathered(
            page, names, most, after, lambda item: cluster in (None, item["cluster_arn"])
        )

    def _gathered(
        self,
        page: Callable[..., tuple[list[Item], Item | None]],
        names: tuple[str, ...],
        most: int,
        after: Item | None,
        is_wanted: Callable[[Item], bool],
    ) -> tuple[list[Item], Item | None]:
        """Reads on until there are enough; ``names`` are those of a place's key."""
        found: list[Item] = []
        size, key = 0, after
        for _ in range(_CALLS_AT_MOST):
            items, following = page(most, after=key)
            for item in filter(is_wanted, filter(_is_readable, items)):
                size += len(json.dumps(item))
                # A page has one entry at least, or nobody would come past it.
                if found and size > ANSWER_BYTES:
                    return found, _key(found[-1], names)
                found.append(item)
                if len(found) == most:
                    is_last = item is items[-1] and following is None
                    return found, None if is_last else _key(item, names)
            key = following
            if key is None:
                return found, None
        return found, key

    def one(self, request_id: str) -> Entry | None:
        """One update; None when there is none, or none any more. Two calls."""
        return self._history.find(request_id)


def _is_readable(item: Item) -> bool:
    """Whether the item is an entry, in whatever state.

    One that is not is logged and left out of the list.
    """
    found = read({**item, "owner": "", "fence": 0, "state": State.ENDED.value})
    if isinstance(found, LedgerError) or not isinstance(item.get("state"), str):
        logger.warning(
            "an update is left out of the list",
            reason=str(found),
            key=f"{item.get('pk')} {item.get('sk')}",
        )
        return False
    return True


def _key(item: Item, names: tuple[str, ...]) -> Item:
    return {name: item[name] for name in names}


_READ = (*SHOWN, "may_be_repeated", "error_type", "error_attributes", "fingerprint")


class Progress:
    """Reads the entries of many ``request_id``s together: a hundred with two calls, and none again
    that has ended for good.
    """

    def __init__(self, table: Table):
        self._table = table
        self._ended: dict[str, Item] = {}

    def of(self, request_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The entry of each that has one, by ``request_id``. One that is not there has not begun.
        Raises LedgerError.

        Of an entry there are the attributes that a list shows, see ``ledger.feed.SHOWN``,
        ``error_type``, ``error_attributes``, ``may_be_repeated`` and ``fingerprint``: the entry can
        be one of another update with the same ``request_id``.
        """
        wanted = [one for one in dict.fromkeys(request_ids) if one not in self._ended]
        found = dict(self._ended)
        # A repetition after a failure is another entry, so where it is has to be asked again
        # until it has ended for good.
        requests = self._table.get_many([request_key(one) for one in wanted], ["service", "number"])
        places = {
            item["pk"].partition("#")[2]: (item["service"], entry_key(item["number"]))
            for item in requests
        }
        entries = self._table.get_many(list(places.values()), _READ)
        by_place = {(item["pk"], item["sk"]): item for item in entries}
        for request_id, place in places.items():
            if item := by_place.get(place):
                found[request_id] = item
                if item.get("state") == "ENDED" and not item.get("may_be_repeated"):
                    self._ended[request_id] = item
        return found
