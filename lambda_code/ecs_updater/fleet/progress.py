"""How far the updates of a batch have come, as the ledger has it."""

from collections.abc import Iterable
from typing import Any

from ..aws.attributes import Item
from ..aws.dynamodb import Table
from ..ledger.failure import told
from ..ledger.feed import SHOWN
from ..ledger.history import entry_key, request_key

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
        with told(self._table):
            # A repetition after a failure is another entry, so where it is has to be asked again
            # until it has ended for good.
            requests = self._table.get_many(
                [request_key(one) for one in wanted], ["service", "number"]
            )
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
