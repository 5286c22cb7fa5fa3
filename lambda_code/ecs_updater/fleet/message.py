"""A message of the queue: an event of the contract, and how often it has come. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidEventError
from ..json_document import json_document

BATCH = "batch"
"""The attribute of a message that names the batch of the ledger that it is of."""


@dataclass(frozen=True)
class Message:
    """One record."""

    id: str
    receipt: str
    """Of this receive: by it the message is hidden for longer or shorter."""
    group: str
    """Messages of one group, one service's, come one after the other."""
    receives: int
    """How often it has come, this time included."""
    first_received_at: float
    """When it came first, in seconds since the epoch."""
    body: str
    batch: str | None = None
    sender: str | None = None
    """Who sent it, as AWS knows them."""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Message":
        """That of a record as Lambda hands it over."""
        attributes = record["attributes"]
        batch = record.get("messageAttributes", {}).get(BATCH, {})
        return cls(
            id=record["messageId"],
            receipt=record["receiptHandle"],
            group=attributes["MessageGroupId"],
            receives=int(attributes["ApproximateReceiveCount"]),
            first_received_at=int(attributes["ApproximateFirstReceiveTimestamp"]) / 1000,
            body=record["body"],
            batch=batch.get("stringValue"),
            sender=attributes.get("SenderId"),
        )

    def event(self) -> dict[str, Any]:
        """What it carries, with the ``request_id`` by which a second delivery is known. Raises InvalidEventError."""
        try:
            event = json_document(self.body, "the message")
        except RecursionError as error:
            raise InvalidEventError(f"the message is no JSON: {error}") from None
        if not isinstance(event, dict):
            raise InvalidEventError(f"the message is no object of JSON but {type(event).__name__}")
        # Nobody waits here: the completer ends what this begins.
        return {"request_id": self.id, **event, "wait_seconds": 0}
