"""The queue as a door: the worker begins what is sent, the completer ends it, and the ledger tells
of both.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

from ecs_updater.aws.sqs import AT_ONCE, Outgoing, Queue
from ecs_updater.ledger.batch import Member
from ecs_updater.ledger.queries import Progress
from ecs_updater.model.arn import group_id
from ecs_updater.worker.message import BATCH

from ..batch.row import Row
from ..batch.state import Status, TaskCounts, status_for
from ..errors import told
from ..manifest.identity import ServiceIdentity
from .task_counts import TaskCounter


class SqsBackend:
    """A batch whose updates are begun by messages."""

    def __init__(
        self, queue: Queue, progress: Progress, counts: TaskCounter, batch: str, arn_prefix: str
    ):
        self._queue, self._batch, self._prefix = queue, batch, arn_prefix
        self._ledger = LedgerPoller(progress, counts)

    def begin(self, members: Sequence[Member]) -> None:
        """Sends their messages. One that is sent twice is known by its id."""
        messages = [self._message(member) for member in members]
        # Ten by ten, so that a Ctrl-C comes between two calls and not after hundreds.
        for first in range(0, len(messages), AT_ONCE):
            with told():
                self._queue.send(messages[first : first + AT_ONCE])

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """See ``FromLedger``."""
        return self._ledger.poll(waiting)

    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """See ``FromLedger``."""
        return self._ledger.counts(waiting)

    def _message(self, member: Member) -> Outgoing:
        key = ServiceIdentity.of(member.event).key(self._prefix)
        body = json.dumps(member.event)
        return Outgoing(body, group_id(key), message_id(member.request_id), {BATCH: self._batch})


class LedgerPoller:
    """What the ledger and ECS tell of the services of a batch."""

    def __init__(self, progress: Progress, counts: TaskCounter):
        self._progress, self._counts = progress, counts

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """What the ledger has of these; nothing of one that nobody has begun."""
        rows = {row.request_id: row for row in waiting}
        with told():
            items = self._progress.of(rows)
        found = (
            (rows[request_id], item) for request_id, item in items.items() if request_id in rows
        )
        return {row.number: status_for(row.event, item) for row, item in found}

    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """See ``TaskCounts``."""
        return self._counts.of(waiting)


def message_id(request_id: str) -> str:
    """By what the queue knows a second sending of the same."""
    return hashlib.sha256(request_id.encode()).hexdigest()
