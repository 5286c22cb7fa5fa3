"""A FIFO queue with its dead-letter queue in memory, and Lambda's mapping from it to the worker.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ecs_updater.aws.sqs import Outgoing
from ecs_updater.errors import AwsFailure, Outcome

VISIBILITY = 1080


@dataclass
class _Held:
    """A message in the queue."""

    id: str
    message: Outgoing
    visible_at: float
    receives: int = 0
    first_received_at: float = 0.0
    receipt: str = ""


@dataclass
class FifoQueue:
    """Stands in for ``ecs_updater.aws.sqs.Queue``, and for the queue behind it."""

    now: Callable[[], float]
    most_receives: int = 20
    dead: list[Outgoing] = field(default_factory=list)
    """What came too often."""
    fails: bool = False
    """Whether calls fail."""

    def __post_init__(self) -> None:
        self._held: list[_Held] = []
        self._known: set[str] = set()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def is_busy(self) -> bool:
        """Whether it has any message."""
        return bool(self._held)

    @property
    def next_at(self) -> float:
        """When the first message is available."""
        return min((item.visible_at for item in self._first_of_each_group()), default=float("inf"))

    def send(self, messages: list[Outgoing]) -> None:
        """As the queue itself: a message that was sent before is none."""
        self._check("SendMessageBatch")
        for message in messages:
            if message.deduplication not in self._known:
                self._known.add(message.deduplication)
                self._held.append(_Held(f"message-{next(self._ids)}", message, self.now()))

    def hide(self, receipt: str, seconds: int) -> None:
        """Likewise; a receipt that is none any more is refused."""
        self._check("ChangeMessageVisibility")
        (found,) = [item for item in self._held if item.receipt == receipt]
        found.visible_at = self.now() + seconds

    def receive(self, most: int = 10) -> list[dict[str, Any]]:
        """Records as Lambda hands them over: of a group that has a message out none, of the others
        as they were sent.
        """
        with self._lock:
            out = {item.message.group for item in self._held if item.visible_at > self.now()}
            to_be_had = [item for item in self._held if item.message.group not in out]
            self.dead += [item.message for item in to_be_had if item.receives >= self.most_receives]
            self._held = [
                item
                for item in self._held
                if item not in to_be_had or item.receives < self.most_receives
            ]
            received = [item for item in to_be_had if item.receives < self.most_receives][:most]
            for held in received:
                held.receives += 1
                held.first_received_at = held.first_received_at or self.now()
                held.receipt = f"{held.id}/{held.receives}"
                held.visible_at = self.now() + VISIBILITY
            return [_record(held) for held in received]

    def come_again(self) -> None:
        """Lets come again what is out, as after a worker that ended without an answer."""
        for held in self._held:
            held.visible_at = self.now()

    def done(self, records: list[dict[str, Any]], failed: list[str]) -> None:
        """What the mapping does with the worker's answer: what did not fail is deleted."""
        gone = {record["messageId"] for record in records} - set(failed)
        with self._lock:
            self._held = [item for item in self._held if item.id not in gone]

    def _first_of_each_group(self) -> list[_Held]:
        first: dict[str, _Held] = {}
        for item in self._held:
            first.setdefault(item.message.group, item)
        return list(first.values())

    def _check(self, operation: str) -> None:
        if self.fails:
            raise AwsFailure(operation, Outcome.NOT_NOW, "ThrottlingException", "Rate exceeded")


def _record(held: _Held) -> dict[str, Any]:
    message = held.message
    attributes = {
        name: {"stringValue": value, "dataType": "String"}
        for name, value in message.attributes.items()
    }
    return {
        "messageId": held.id,
        "receiptHandle": held.receipt,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(held.receives),
            "ApproximateFirstReceiveTimestamp": str(int(held.first_received_at * 1000)),
            "MessageGroupId": message.group,
            "MessageDeduplicationId": message.deduplication,
            "SenderId": "AIDAEXAMPLE",
        },
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
    }


def message_of(
    event: Any, group: str = "", batch: str | None = None, deduplication: str = ""
) -> Outgoing:
    """A message as the command line sends it."""
    body = event if isinstance(event, str) else json.dumps(event)
    fields = event if isinstance(event, dict) else {}
    name = f"{fields.get('target', '')}{fields.get('ecs_service_name', '')}"
    return Outgoing(body, group or name, deduplication or body, {"batch": batch} if batch else {})
