"""Batches of services that are updated together.

    pk        sk             item
    --------  -------------  ------------------------------------------------------------
    BATCH#id  BATCH          `id`, `begun_at`, `caller`, `size`, `max_failures`,
                             `failures`, `stopped`
    BATCH#id  MEMBER#number  event of a service, see `Member`

The outcome of a member is in its entry, which its `request_id` finds. A batch stores only the
number of failures, in the transaction that ends the entry.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from ..aws.dynamodb import ConditionFailed, Item, Put, Table, Update
from ..errors import InvalidEventError
from ..model.request import fingerprint_of_event
from ..model.revision_settings import masked
from .entry import iso

_BATCH, _MEMBER = "BATCH", "MEMBER#"
_WRITES = 25
"""Members of one transaction. DynamoDB's limits are 100 writes and 4 MB."""


@dataclass(frozen=True)
class Batch:
    """A batch without its members."""

    id: str
    begun_at: str
    """ISO 8601, UTC."""
    size: int
    caller: str | None = None
    max_failures: int | None = None
    """Number of failures after which no further update starts. None: no limit."""
    failures: int = 0
    stopped: str | None = None
    """Reason why the batch was stopped."""

    @property
    def why_over(self) -> str | None:
        """Returns why no further update starts, or None."""
        if self.stopped:
            return self.stopped
        if self.max_failures is not None and self.failures >= self.max_failures:
            return (
                f"no further update of the batch starts: {self.failures} failed and max_failures "
                f"is {self.max_failures}"
            )
        return None


@dataclass(frozen=True)
class Member:
    """A service of a batch."""

    number: int
    """Position in the batch, from 1."""
    request_id: str
    event: Mapping[str, Any]
    """Of a batch in the table, without the values that may be secrets."""
    group: str | None = None
    """Groups can be deployed one after another."""
    after_task_of: int | None = None
    """Number of the member whose `run_before` must succeed first. None: it need not wait."""
    fingerprint: str | None = None
    """Fingerprint of the event, if the table has not all of its values."""


class Batches:
    """The batches in the ledger's table. All methods raise LedgerError."""

    def __init__(
        self, table: Table, *, retention_days: int, clock: Callable[[], float] = time.time
    ):
        self._table, self._retention, self._clock = table, retention_days * 86_400, clock

    def begin(self, batch: Batch, members: Sequence[Member]) -> None:
        """Stores a batch and its members before the first update starts.

        Raises InvalidEventError if the id is in use.
        """
        expires = int(self._clock() + self._retention)
        item = {
            "pk": batch_key(batch.id),
            "sk": _BATCH,
            **{name: value for name, value in vars(batch).items() if value is not None},
            "expires": expires,
        }
        try:
            self._table.put(Put(item, "attribute_not_exists(#pk)"))
        except ConditionFailed:
            raise InvalidEventError(
                f"batch: the id {batch.id} is in use, choose another id"
            ) from None
        puts = [Put(_member_item(batch.id, member, expires)) for member in members]
        for first in range(0, len(puts), _WRITES):
            self._table.write(*puts[first : first + _WRITES])

    def find(self, batch_id: str) -> Batch | None:
        """Returns a batch, or None. One call."""
        item = self._table.get(batch_key(batch_id), _BATCH)
        # Failures are counted also for an id that no batch has.
        if not item or "id" not in item:
            return None
        return Batch(
            **{field.name: item[field.name] for field in fields(Batch) if field.name in item}
        )

    def members(self, batch_id: str) -> list[Member]:
        """Returns the members in their order. One call for each MB."""
        items = self._table.query(batch_key(batch_id), _MEMBER)
        return [
            Member(
                item["number"],
                item["request_id"],
                json.loads(item["event"]),
                item.get("group"),
                item.get("after_task_of"),
                item.get("fingerprint"),
            )
            for item in items
        ]

    def stop(self, batch_id: str, why: str) -> None:
        """Stops a batch: no further update starts. One call."""
        change = "SET #stopped = if_not_exists(#stopped, :why)"
        stopping = Update(
            batch_key(batch_id), _BATCH, change, "#id = :id", {"why": why, "id": batch_id}
        )
        with suppress(ConditionFailed):  # The batch has expired: no update is left to start.
            self._table.update(stopping)


def count_failure(batch_id: str, expires: int) -> Update:
    """Returns the write that counts a failure.

    The count expires at `expires` if no batch has the id.
    """
    change = (
        "SET #failures = if_not_exists(#failures, :zero) + :one, #expires = "
        "if_not_exists(#expires, :expires)"
    )
    return Update(
        batch_key(batch_id), _BATCH, change, values={"zero": 0, "one": 1, "expires": expires}
    )


def new_id(moment: float, suffix: str) -> str:
    """Returns an id. Ids sort by `moment`, in seconds since the epoch, when the batch begins."""
    return f"{iso(moment)[:19].replace(':', '').replace('-', '')}Z-{suffix}"


def members_of(
    batch_id: str,
    events: Sequence[Mapping[str, Any]],
    groups: Sequence[str | None],
    after_task_of: Mapping[int, int] | None = None,
) -> Iterator[Member]:
    """Yields the members of a batch with their `request_id`s.

    `after_task_of`: by number of the member, see `Member`.
    """
    for number, (event, group) in enumerate(zip(events, groups, strict=True), 1):
        request_id = f"{batch_id}-{number:05d}"
        event = {**event, "request_id": request_id}
        yield Member(number, request_id, event, group, (after_task_of or {}).get(number))


def batch_key(batch_id: str) -> str:
    """Returns the partition key of a batch."""
    return f"{_BATCH}#{batch_id}"


def _member_item(batch_id: str, member: Member, expires: int) -> Item:
    event = masked(member.event)
    return {
        "pk": batch_key(batch_id),
        "sk": f"{_MEMBER}{member.number:05d}",
        "number": member.number,
        "request_id": member.request_id,
        "group": member.group,
        "after_task_of": member.after_task_of,
        # As text, which keeps the event unchanged.
        "event": json.dumps(event, ensure_ascii=False),
        "fingerprint": fingerprint_of_event(member.event) if event != member.event else None,
        "expires": expires,
    }
