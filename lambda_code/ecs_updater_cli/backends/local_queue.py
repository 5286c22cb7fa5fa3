"""Messages in memory, as Lambda hands those of Amazon SQS to the worker: each comes again until it
is worked off.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecs_updater.aws.sqs import Outgoing
from ecs_updater.context import Clock
from ecs_updater.ledger.batch import Member
from ecs_updater.worker.message import BATCH

MOST_RECEIVES = 20
"""How often a message comes from the queue that this one stands for."""

_AGAIN_SECONDS = 30.0
"""After how long a message comes again of which nobody said when."""


@dataclass
class _Message:
    member: Member
    receives: int = 0
    first_received_at: float = 0.0
    ready_at: float = 0.0
    is_out: bool = False


class LocalQueue:
    """What a worker's queue and dead letters are in this process. For any number of threads."""

    def __init__(self, batch: str, sender: str, clock: Clock):
        self._batch, self._sender, self._clock = batch, sender, clock
        self._messages: dict[str, _Message] = {}
        self._lock = threading.Lock()
        self.letters: dict[str, str] = {}
        """Why messages cannot be worked off, by ``request_id``."""

    def put(self, members: Sequence[Member]) -> None:
        """Takes the messages of these; one that it has is one."""
        with self._lock:
            for member in members:
                self._messages.setdefault(member.request_id, _Message(member))

    def take(self, most: int) -> list[dict[str, Any]]:
        """Records for one run of the worker, and whoever took them says by ``settle`` what became
        of them.
        """
        with self._lock:
            now = self._clock.now()
            ready = [
                one for one in self._messages.values() if not one.is_out and one.ready_at <= now
            ][:most]
            for message in ready:
                message.is_out, message.receives, message.ready_at = (
                    True,
                    message.receives + 1,
                    now + _AGAIN_SECONDS,
                )
                message.first_received_at = message.first_received_at or self._clock.epoch()
            return [self._record(message) for message in ready]

    def settle(self, records: Sequence[dict[str, Any]], failed: Sequence[str]) -> None:
        """Those of ``records`` whose ids are ``failed`` come again; the others are done with.

        However often they came: there are no dead letters here to which anybody looks, and the
        worker says when it is enough.
        """
        with self._lock:
            for record in records:
                if record["messageId"] in failed:
                    self._messages[record["messageId"]].is_out = False
                else:
                    del self._messages[record["messageId"]]

    @property
    def left(self) -> int:
        """How many messages nobody has begun to work off."""
        with self._lock:
            return sum(not message.is_out for message in self._messages.values())

    def receives(self, record: dict[str, Any]) -> int:
        """How often a record has come."""
        return int(record["attributes"]["ApproximateReceiveCount"])

    # What the worker calls.

    def hide(self, receipt: str, seconds: int) -> None:
        """Lets a message come again after so many seconds."""
        with self._lock:
            self._messages[receipt].ready_at = self._clock.now() + seconds

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Takes the messages that cannot be worked off."""
        self.letters |= {
            json.loads(message.body)["request_id"]: message.attributes["cause"]
            for message in messages
        }

    def _record(self, message: _Message) -> dict[str, Any]:
        id_ = message.member.request_id
        return {
            "messageId": id_,
            "receiptHandle": id_,
            "body": json.dumps(message.member.event),
            "attributes": {
                "MessageGroupId": id_,  # One message for each service.
                "ApproximateReceiveCount": str(message.receives),
                "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
                "SenderId": self._sender,
            },
            "messageAttributes": {BATCH: {"stringValue": self._batch}},
        }
