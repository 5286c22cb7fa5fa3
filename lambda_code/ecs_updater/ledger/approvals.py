"""The answers to PAUSE hooks in the entry of an update.

An answer is stored before it is sent to ECS, and confirmed afterwards. So of two answers at once
one is sent, and the entry has who gave it, also after a kill. An answer that is not confirmed is
replaced after `SENDING_SECONDS`, if the hook still awaits one.

The owner of an entry replaces the whole item. So each write of the owner has the condition that it
knows all answers, see `conditions`.
"""

import time
from collections.abc import Callable, Sequence

from ..aws.dynamodb import ConditionFailed, Table, Update
from ..errors import LedgerError, one_line
from ..model.hook import Approval
from .conditions import answers_condition
from .entry import Entry, State, entry_key, from_item, seconds, stored_answers

SENDING_SECONDS = 120.0
"""Seconds from the record of an answer until its process has sent it, or does not exist any more.
"""

_TRIES = 10
"""Maximum changes by others at the same time: a stage has at most ten PAUSE hooks."""

_IS_OPEN = "#state <> :ended"

Change = Callable[[Sequence[Approval]], Sequence[Approval]]


class Approvals:
    """The answers in the ledger's table. All methods raise LedgerError. One call, if nobody else
    writes at the same time.
    """

    def __init__(self, table: Table, clock: Callable[[], float] = time.time):
        self._table, self._clock = table, clock

    def claim(self, entry: Entry, approval: Approval) -> Entry:
        """Stores an answer that is about to be sent.

        Returns the stored entry. It lacks the answer if the update has ended, or if the hook has
        another answer that was sent or is being sent.
        """

        def add(stored: Sequence[Approval]) -> Sequence[Approval]:
            # The answer itself is stored if the response of the first try was lost.
            earlier = [other for other in stored if other.hook_id == approval.hook_id]
            if any(other.is_confirmed or self.is_being_sent(other) for other in earlier):
                return stored
            return [*(other for other in stored if other not in earlier), approval]

        return self._change(entry, add, must_be_open=True)

    def confirm(self, entry: Entry, confirmed: Approval) -> Entry:
        """Stores that ECS has taken an answer."""

        def replace(stored: Sequence[Approval]) -> Sequence[Approval]:
            return [confirmed if other.id == confirmed.id else other for other in stored]

        return self._change(entry, replace)

    def withdraw(self, entry: Entry, approval: Approval) -> Entry:
        """Removes an answer that ECS has not taken."""

        def remove(stored: Sequence[Approval]) -> Sequence[Approval]:
            return [other for other in stored if other.id != approval.id]

        return self._change(entry, remove)

    def is_being_sent(self, approval: Approval) -> bool:
        """Returns whether the process of an answer that is not confirmed may still send it."""
        return self._clock() - (seconds(approval.at) or 0.0) < SENDING_SECONDS

    def _change(self, entry: Entry, change: Change, *, must_be_open: bool = False) -> Entry:
        """Changes the answers of the stored entry, and returns the entry."""
        for _ in range(_TRIES):
            if must_be_open and entry.is_ended:
                return entry
            wanted = change(entry.approvals)
            if wanted == entry.approvals:
                return entry
            condition, values = answers_condition(entry)
            if must_be_open:
                condition, values = f"{condition} AND {_IS_OPEN}", {**values, "ended": State.ENDED}
            update = Update(
                entry.service,
                entry_key(entry.number),
                "SET #approvals = :wanted" if wanted else "REMOVE #approvals",
                condition,
                {**values, **({"wanted": stored_answers(wanted)} if wanted else {})},
            )
            try:
                return from_item(self._table.update(update))
            except ConditionFailed as error:
                (item,) = error.items
                if item is None:
                    break
                entry = from_item(item)
        raise LedgerError(
            f"the answer could not be stored for request_id {one_line(entry.request_id)}: the "
            "entry is gone, or too many answer at once: read the update again"
        )
