"""The last push of each service that was accepted, so that an older one is never deployed after it.

The function of the pushes writes it before it sends the message. The queue's worker compares it
with a message: the message of an earlier push is no longer wanted.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ..aws.dynamodb import ConditionFailed, Put, Table
from ..errors import LedgerError, one_line
from ..model.field_types import build
from ..model.push import Push

REQUEST_PREFIX = "push-"
"""Prefix of the `request_id` of a push's update."""

_PUSH = "PUSH"


@dataclass(frozen=True)
class AcceptedPush:
    """A push whose update is sent to the queue."""

    service: str
    """The service's key."""
    request_id: str
    accepted_at: int
    """Seconds since the epoch."""
    push: Push


class AcceptedPushes:
    """The accepted pushes in the ledger's table. All methods raise LedgerError."""

    def __init__(self, table: Table):
        self._table = table

    def last(self, service: str) -> AcceptedPush | None:
        """Returns the last accepted push of a service. None: there is none. One call."""
        item = self._table.get(service, _PUSH)
        if item is None:
            return None
        try:
            return build(AcceptedPush, {**item, "service": service})
        except TypeError as error:
            raise LedgerError(
                f"the item {service} {_PUSH} cannot be read ({one_line(str(error))}): delete it "
                "from the table"
            ) from None

    def accept(self, accepted: AcceptedPush, last: AcceptedPush | None) -> bool:
        """Stores a push if `last` is still the last one. Returns whether it is stored. One call."""
        item: dict[str, Any] = {
            "pk": accepted.service,
            "sk": _PUSH,
            "request_id": accepted.request_id,
            "accepted_at": accepted.accepted_at,
            "push": asdict(accepted.push),
        }
        condition, values = "attribute_not_exists(#request_id)", dict[str, Any]()
        if last:
            condition, values = "#request_id = :last", {"last": last.request_id}
        try:
            self._table.put(Put(item, condition, values))
        except ConditionFailed as error:
            stored = error.items[0] or {}
            # The answer to the first try of this call was lost.
            return stored.get("request_id") == accepted.request_id
        return True

    def is_overtaken(self, service: str, request_id: Any) -> bool:
        """Returns whether a later push was accepted than the one of `request_id`. One call.

        False, without a call, for the `request_id` of another update.
        """
        if not isinstance(request_id, str) or not request_id.startswith(REQUEST_PREFIX):
            return False
        last = self.last(service)
        return last is not None and last.request_id != request_id
