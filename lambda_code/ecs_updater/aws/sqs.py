"""A FIFO queue of Amazon SQS. Every failure is an AwsFailure.

The SDK can retry every call: SQS drops a message with the deduplication id of an earlier one for
five minutes.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import AwsFailure, Outcome
from . import clients
from .errors import unless_missing

MESSAGES_PER_CALL = 10

_CONFIG = clients.config(2, 5, 4)


@dataclass(frozen=True)
class Outgoing:
    """A message to send."""

    body: str
    group: str
    """Message group, which SQS delivers in order."""
    deduplication: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class Queue:
    """One queue."""

    def __init__(self, url: str, client: Any = None):
        self.url = url
        self._client = client or clients.session().create_client("sqs", config=_CONFIG)

    def hide(self, receipt: str, seconds: int) -> None:
        """Hides a received message for `seconds` from now. 0: SQS delivers it again at once."""
        clients.call(
            self._client,
            "ChangeMessageVisibility",
            QueueUrl=self.url,
            ReceiptHandle=receipt,
            VisibilityTimeout=seconds,
        )

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Sends messages, ten per call. After a failure all can be sent again."""
        for first in range(0, len(messages), MESSAGES_PER_CALL):
            batch = messages[first : first + MESSAGES_PER_CALL]
            entries = [_entry(index, message) for index, message in enumerate(batch)]
            answer = clients.call(
                self._client, "SendMessageBatch", QueueUrl=self.url, Entries=entries
            )
            for failed in answer.get("Failed", []):
                outcome = Outcome.REFUSED if failed.get("SenderFault") else Outcome.UNKNOWN
                raise AwsFailure(
                    "SendMessageBatch",
                    outcome,
                    failed.get("Code", ""),
                    failed.get("Message") or "no reason",
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
    """Returns the URL of a queue. None: it does not exist."""
    client = client or clients.session().create_client("sqs", config=_CONFIG)
    answer = unless_missing(
        ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
        lambda: clients.call(client, "GetQueueUrl", "QueueUrl", QueueName=name),
    )
    return answer["QueueUrl"] if answer else None
