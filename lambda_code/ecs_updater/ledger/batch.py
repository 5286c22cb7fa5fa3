"""Many services that are updated together: which they are, and whether those that have not begun
still may.

    pk        sk             item
    --------  -------------  ------------------------------------------------------------
    BATCH#id  BATCH          ``id``, ``begun_at``, ``caller``, ``size``, ``max_failures``,
                             ``failures``, ``stopped``
    BATCH#id  MEMBER#number  one service's event, see ``Member``

What became of a member its entry says, which is found by the member's ``request_id``: a batch
repeats nothing of that but the number of failures, which is written with the entry's own end, in
one transaction.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..aws.dynamodb import ConditionFailed, Item, Put, Table, Update
from ..errors import InvalidEventError
from .entry import iso

_BATCH, _MEMBER = "BATCH", "MEMBER#"
_WRITES = 25
"""How many members are written with one call, which takes 100 writes and 4 MB."""


@dataclass(frozen=True)
class Batch:
    """A batch as a whole."""

    id: str
    begun_at: str
    """ISO 8601, UTC."""
    size: int
    """How many services it has."""
    caller: str | None = None
    max_failures: int | None = None
    """After so many failures no further service is begun; None: all are."""
    failures: int = 0
    """How many updates of it have ended in another way than was asked for."""
    stopped: str | None = None
    """Why somebody stopped what has not begun; None: nobody did."""

    @property
    def why_over(self) -> str | None:
        """Why no further service is begun; None while they are."""
        if self.stopped:
            return self.stopped
        if self.max_failures is not None and self.failures >= self.max_failures:
            failed = "one update" if self.failures == 1 else f"{self.failures} updates"
            has = "has" if self.failures == 1 else "have"
            return (
                f"{failed} of the batch {has} failed, and after {self.max_failures} no "
                "further one was to begin"
            )
        return None


@dataclass(frozen=True)
class Member:
    """One service of a batch."""

    number: int
    """From 1, in the order in which they were given."""
    request_id: str
    event: Mapping[str, Any]
    """The contract's, ``request_id`` included."""
    group: str | None = None
    """Groups can be deployed one after another."""


class Batches:
    """The batches in the ledger's table. All methods raise LedgerError."""

    def __init__(
        self, table: Table, *, retention_days: int, clock: Callable[[], float] = time.time
    ):
        self._table, self._retention, self._clock = table, retention_days * 86_400, clock

    def begin(self, batch: Batch, members: Sequence[Member]) -> None:
        """Writes who is in it, before anything is done.

        Raises InvalidEventError where there is a batch of this id already.
        """
        expires = int(self._clock() + self._retention)
        whole = {
            "pk": _key(batch.id),
            "sk": _BATCH,
            **{name: value for name, value in vars(batch).items() if value is not None},
            "expires": expires,
        }
        try:
            self._table.put(Put(whole, "attribute_not_exists(#pk)"))
        except ConditionFailed:
            raise InvalidEventError(
                f"batch: there is one of the id {batch.id} already, take another"
            ) from None
        for first in range(0, len(members), _WRITES):
            self._table.write(
                *(Put(_member(batch.id, one, expires)) for one in members[first : first + _WRITES])
            )

    def find(self, batch_id: str) -> Batch | None:
        """A batch as it is; None when there is none, or none any more. One call."""
        item = self._table.get(_key(batch_id), _BATCH)
        # Nobody began it: of messages with any name for a batch failures are counted, too.
        if not item or "id" not in item:
            return None
        return Batch(**{one.name: item[one.name] for one in fields(Batch) if one.name in item})

    def members(self, batch_id: str) -> list[Member]:
        """Its services, in their order. One call for each MB."""
        items = self._table.query(_key(batch_id), _MEMBER)
        return [
            Member(item["number"], item["request_id"], json.loads(item["event"]), item.get("group"))
            for item in items
        ]

    def stop(self, batch_id: str, why: str) -> None:
        """Lets no further service of it begin. One call."""
        change = "SET #stopped = if_not_exists(#stopped, :why)"
        stopping = Update(_key(batch_id), _BATCH, change, "#id = :id", {"why": why, "id": batch_id})
        try:
            self._table.update(stopping)
        except ConditionFailed:
            pass  # It is forgotten: nothing of it is left to begin.


def failure_of(batch_id: str, expires: int) -> Update:
    """The write that counts a failure.

    Where nobody began the batch, what counts is forgotten at ``expires``.
    """
    change = (
        "SET #failures = if_not_exists(#failures, :none) + :one, #expires = "
        "if_not_exists(#expires, :expires)"
    )
    return Update(_key(batch_id), _BATCH, change, values={"none": 0, "one": 1, "expires": expires})


def new_id(moment: float, suffix: str) -> str:
    """An id for a batch, which sorts by the ``moment`` at which it begins, in seconds since the
    epoch.
    """
    return f"{iso(moment)[:19].replace(':', '').replace('-', '')}Z-{suffix}"


def members_of(
    batch_id: str, events: Sequence[Mapping[str, Any]], groups: Sequence[str | None]
) -> Iterator[Member]:
    """The members of a batch, each with a ``request_id`` of its own."""
    for number, (event, group) in enumerate(zip(events, groups, strict=True), 1):
        request_id = f"{batch_id}-{number:05d}"
        yield Member(number, request_id, {**event, "request_id": request_id}, group)


def _key(batch_id: str) -> str:
    return f"{_BATCH}#{batch_id}"


def _member(batch_id: str, member: Member, expires: int) -> Item:
    return {
        "pk": _key(batch_id),
        "sk": f"{_MEMBER}{member.number:05d}",
        "number": member.number,
        "request_id": member.request_id,
        "group": member.group,
        # As text, so that the event comes back to the letter.
        "event": json.dumps(member.event, ensure_ascii=False),
        "expires": expires,
    }
