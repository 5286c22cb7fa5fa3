"""A message of the queue: an event of the contract, and how often it has come. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidEventError, one_line
from ..ledger.entry import check_types
from ..model.json_document import json_document
from ..model.request import fingerprint

BATCH = "batch"
"""The attribute of a message that names the batch of the ledger that it is of."""

LONGEST_ID = 128
"""The most characters of a ``request_id``, by the contract, and of a batch: DynamoDB takes no key
of more than 2048 bytes.
"""

_MOST_DEPTH = 20
"""The deepest nesting of an event; the contract's is 2.

Python fails on deeper values in places that nobody expects.
"""


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
    fault: str | None = None
    """Why the record is not one of a FIFO queue; None where it is."""

    @classmethod
    def of(cls, record: Any) -> "Message":
        """That of a record as Lambda hands it over.

        An odd record becomes a message with a ``fault`` and what it has.
        """
        try:
            return cls._of(record)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            given = record if isinstance(record, Mapping) else {}
            names = ("messageId", "receiptHandle", "body")
            id_, receipt, body = (
                one if isinstance(one := given.get(name), str) else "" for name in names
            )
            body = body or one_line(str(record))
            fault = (
                f"the record is not a message of a FIFO queue: {type(error).__name__}: "
                f"{one_line(str(error), 100)}"
            )
            return cls(id_, receipt, fingerprint([id_, body]), 1, 0.0, body, fault=fault)

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> "Message":
        attributes = record["attributes"]
        batch = (record.get("messageAttributes") or {}).get(BATCH, {}).get("stringValue")
        if batch is not None and len(batch) > LONGEST_ID:
            raise ValueError(f"the attribute {BATCH} has more than {LONGEST_ID} characters")
        message = cls(
            id=record["messageId"],
            receipt=record["receiptHandle"],
            group=attributes["MessageGroupId"],
            receives=int(attributes["ApproximateReceiveCount"]),
            first_received_at=int(attributes["ApproximateFirstReceiveTimestamp"]) / 1000,
            body=record["body"],
            batch=batch,
            sender=attributes.get("SenderId"),
        )
        check_types(message)
        return message

    def event(self) -> dict[str, Any]:
        """What it carries, with the ``request_id`` by which a second delivery is known.

        Raises InvalidEventError.
        """
        if self.fault:
            raise InvalidEventError(self.fault)
        try:
            event = json_document(self.body, "the message")
        except RecursionError as error:
            raise InvalidEventError(f"the message is no JSON: {error}") from None
        if _is_deeper(event, _MOST_DEPTH):
            raise InvalidEventError(f"the message is nested more than {_MOST_DEPTH} deep")
        if not isinstance(event, dict):
            raise InvalidEventError(f"the message is no object of JSON but {type(event).__name__}")
        # Nobody waits here: the completer ends what this begins.
        return {"request_id": self.id, **event, "wait_seconds": 0}


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether a JSON value is nested deeper than that.

    Level by level, since a recursion ends at some depth itself.
    """
    level = [value]
    while level and depth >= 0:
        containers = [
            outer.values() if isinstance(outer, dict) else outer
            for outer in level
            if isinstance(outer, (dict, list))
        ]
        level = [member for container in containers for member in container]
        depth -= 1
    return bool(level)
