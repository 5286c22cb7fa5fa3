"""Reads entries for lists and for the progress of a batch: the attributes as they are stored."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..aws.dynamodb import Index, Item, Table
from ..context import ANSWER_BYTES
from ..errors import LedgerError
from ..log import logger
from .entry import ENTRY, UPDATES, State, entry_key, request_key
from .store import History, read

RECENT = Index("recent", "feed", "begun_at")
"""The entries of all services."""

SHOWN = (
    *("request_id", "number", "service", "cluster_arn", "service_arn", "action"),
    *("before", "after", "state", "verdict", "cause", "deployment_id", "rollback", "rollout"),
    *("begun_at", "updated_at", "ended_at", "batch", "approvals", "caller"),
)
"""Attributes of an entry in a list. The index has all attributes, so this list can grow."""

_MAX_CALLS, _CALL_ENTRIES = 20, 100
"""Maximum calls for a page of selected entries, and the entries of each call."""


class UpdateQueries(History):
    """The entries in the ledger's table, the latest first.

    A page begins after the key of an item. All methods raise LedgerError.
    """

    def of_service(
        self, service: str, most: int, after: Item | None = None
    ) -> tuple[list[Item], Item | None]:
        """Returns entries of a service and the key of the last one. None: no page follows.

        `service` is the service's key. See `of_all` for short pages.
        """
        page = partial(self._table.page, service, only=SHOWN, prefix=ENTRY)
        return self._page(page, ("pk", "sk"), most, after)

    def of_all(
        self,
        most: int,
        after: Item | None = None,
        cluster: str | None = None,
        is_wanted: Callable[[Item], bool] | None = None,
    ) -> tuple[list[Item], Item | None]:
        """Returns entries of all services, or of the cluster with this ARN, like `of_service`.

        `is_wanted` returns whether the caller may read an entry. None: all of them. A page can be
        short before the last one, because its size and its calls are limited.
        """
        page = partial(self._table.page, UPDATES, only=SHOWN, index=RECENT)
        names = (RECENT.hash_key, RECENT.range_key, "pk", "sk")

        def is_selected(item: Item) -> bool:
            is_in_cluster = cluster in (None, item["cluster_arn"])
            return is_in_cluster and (is_wanted is None or is_wanted(item))

        has_selection = cluster is not None or is_wanted is not None
        found, key = self._page(page, names, most, after, is_selected if has_selection else None)
        if key and is_wanted and not (found and key == _key(found[-1], names)):
            # The entry of this key can be one that the caller may not read: only its time is kept.
            # `~` sorts after it, so that the next page begins with the entries of the same time.
            key = {**key, "begun_at": f"{key['begun_at']}~", "pk": "-", "sk": ENTRY}
        return found, key

    def _page(
        self,
        read_page: Callable[..., tuple[list[Item], Item | None]],
        names: tuple[str, ...],
        most: int,
        after: Item | None,
        is_selected: Callable[[Item], bool] | None = None,
    ) -> tuple[list[Item], Item | None]:
        """Reads until the page is full. `names` are the attributes of a key."""
        found: list[Item] = []
        size, key = 0, after
        at_once = max(most, _CALL_ENTRIES) if is_selected else most
        for _ in range(_MAX_CALLS):
            items, key = read_page(at_once, after=key)
            for item in filter(_is_readable, items):
                if is_selected and not is_selected(item):
                    continue
                size += len(json.dumps(item))
                # A page has at least one entry, so that the next page begins after it.
                if found and size > ANSWER_BYTES:
                    return found, _key(found[-1], names)
                found.append(item)
                if len(found) == most:
                    is_last = item is items[-1] and key is None
                    return found, None if is_last else _key(item, names)
            if key is None:
                break
        return found, key


def problem_of(item: Item) -> LedgerError | None:
    """Returns why an item with the attributes `SHOWN` is not a valid entry in any state.

    None: it is valid.
    """
    found = read({**item, "owner": "", "fence": 0, "state": State.ENDED.value})
    if isinstance(found, LedgerError):
        return found
    if isinstance(item.get("state"), str):
        return None
    return LedgerError(
        f"the entry {item.get('pk')} {item.get('sk')} has no state: correct or delete this item of "
        "the table"
    )


def _is_readable(item: Item) -> bool:
    """Returns whether the item is a valid entry, and logs an item that is not."""
    problem = problem_of(item)
    if problem:
        logger.warning(
            "an update is left out of the list",
            reason=str(problem),
            key=f"{item.get('pk')} {item.get('sk')}",
        )
    return problem is None


def _key(item: Item, names: tuple[str, ...]) -> Item:
    return {name: item[name] for name in names}


_READ = (
    *(*SHOWN, "may_be_repeated", "fingerprint", "task"),
    *("error_type", "error_message", "error_attributes"),
)


class Progress:
    """Reads the entries of many `request_id`s: 100 with two calls.

    An entry that has ended for good is read once.
    """

    def __init__(self, table: Table):
        self._table = table
        self._ended: dict[str, Item] = {}

    def of(self, request_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Returns the stored entries by `request_id`. Raises LedgerError.

        An entry has the attributes `SHOWN`, `may_be_repeated`, `fingerprint`, `task` and those of
        its error. The fingerprint can be another event's with the same `request_id`.
        """
        wanted = [id_ for id_ in dict.fromkeys(request_ids) if id_ not in self._ended]
        found = dict(self._ended)
        # A repetition after a failure has a new entry, so its key is read until the entry has
        # ended for good.
        requests = self._table.get_many([request_key(id_) for id_ in wanted], ["service", "number"])
        keys = {
            item["pk"].partition("#")[2]: (item["service"], entry_key(item["number"]))
            for item in requests
        }
        entries = self._table.get_many(list(keys.values()), _READ)
        by_key = {(item["pk"], item["sk"]): item for item in entries}
        for request_id, key in keys.items():
            if item := by_key.get(key):
                found[request_id] = item
                if item.get("state") == State.ENDED and not item.get("may_be_repeated"):
                    self._ended[request_id] = item
        return found
