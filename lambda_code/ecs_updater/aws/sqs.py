"""A queue of Amazon SQS with an order (FIFO): send to it, and hide for a while what came from it.

Every failure is an ``AwsFailure``. The SDK repeats any call here: a message has an id of its own,
by which the queue knows a second sending within five minutes.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from .clients import session
from .errors import AwsFailure, Outcome, translated

AT_ONCE = 10
"""The most messages that one call sends."""

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_appid="ecs-updater",
)


@dataclass(frozen=True)
class Outgoing:
    """A message to send."""

    body: str
    group: str
    """Messages of one group are received in the order in which they were sent."""
    deduplication: str
    """Two messages with the same one, within five minutes, are one."""
    attributes: Mapping[str, str] = field(default_factory=dict)


class Queue:
    """One queue."""

    def __init__(self, url: str, client: Any = None):
        self.url = url
        self._client = client or session().create_client("sqs", config=_CONFIG)

    def hide(self, receipt: str, seconds: int) -> None:
        """Keeps a message that was received hidden for so many seconds from now; 0 lets it come
        again at once.
        """
        with translated("ChangeMessageVisibility"):
            self._client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Sends messages, ten with one call.

        Where one fails, those before it are sent, and to send all again does no harm.
        """
        for first in range(0, len(messages), AT_ONCE):
            entries = [
                _entry(index, one) for index, one in enumerate(messages[first : first + AT_ONCE])
            ]
            with translated("SendMessageBatch"):
                answer = self._client.send_message_batch(QueueUrl=self.url, Entries=entries)
            for failed in answer.get("Failed", []):
                outcome = Outcome.REFUSED if failed.get("SenderFault") else Outcome.UNKNOWN
                raise AwsFailure(
                    "SendMessageBatch",
                    outcome,
                    failed.get("Code", ""),
                    failed.get("Message") or "no reason given",
                )


def _entry(index: int, message: Outgoing) -> dict[str, Any]:
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in message.attributes.items()
    }
    return {
        "Id": str(index),
        "MessageBody": message.body,
        "MessageGroupId": message.group,
        "MessageDeduplicationId": message.deduplication,
        **({"MessageAttributes": attributes} if attributes else {}),
    }


def queue_url(name: str, client: Any = None) -> str | None:
    """The address of the queue of this name; None where there is none.

    Raises AwsFailure for everything else.
    """
    try:
        with translated("GetQueueUrl"):
            url: str = (client or session().create_client("sqs", config=_CONFIG)).get_queue_url(
                QueueName=name
            )["QueueUrl"]
            return url
    except AwsFailure as failure:
        if failure.code in ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"):
            return None
        raise
