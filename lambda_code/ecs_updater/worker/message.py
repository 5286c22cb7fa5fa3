"""A message of the SQS queue: an event of the contract and how often it was received.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidEventError, one_line
from ..model.event_parser import parse_json
from ..model.field_types import check_types
from ..model.request import fingerprint

BATCH = "batch"
"""Message attribute with the id of the batch in the ledger."""

LONGEST_ID = 128
"""Maximum characters of a `request_id` (contract) and of a batch's id."""

_MAX_DEPTH = 20
"""Maximum nesting of an event; the contract's is 2. Python fails at deeper values."""


def records_of(event: Any) -> list[Any]:
    """Returns the records of Lambda's event. Raises InvalidEventError for any other event."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise InvalidEventError(
            "the event has no list Records: only an event source mapping of Amazon SQS invokes "
            "this function"
        )
    return records


@dataclass(frozen=True)
class Message:
    """One record of Lambda's event."""

    id: str
    receipt: str
    """Receipt handle of this receive, for ChangeMessageVisibility."""
    group: str
    """Message group: SQS delivers the messages of one group, one service's, in order."""
    receives: int
    first_received_at: float
    """Time of the first receive, in seconds since the epoch."""
    body: str
    batch: str | None = None
    sender: str | None = None
    fault: str | None = None
    """Why the record is not a message of a FIFO queue. None: it is one."""

    @classmethod
    def of(cls, record: Any) -> "Message":
        """Returns the message of a record. A malformed record becomes a message with a `fault`."""
        try:
            return cls._of(record)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            fields = record if isinstance(record, Mapping) else {}
            names = ("messageId", "receiptHandle", "body")
            values = (fields.get(name) for name in names)
            id_, receipt, body = (value if isinstance(value, str) else "" for value in values)
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
        """Returns the event. Its default `request_id` is the message's id.

        Raises InvalidEventError.
        """
        if self.fault:
            raise InvalidEventError(self.fault)
        try:
            event = parse_json(self.body, "the message")
        except RecursionError as error:
            raise InvalidEventError(f"the message is not valid JSON: {error}") from None
        if _is_deeper(event, _MAX_DEPTH):
            raise InvalidEventError(f"the message is nested more than {_MAX_DEPTH} deep")
        if not isinstance(event, dict):
            raise InvalidEventError(
                f"the message is not a JSON object but of type {type(event).__name__}"
            )
        # The worker does not wait: the reconciler ends what it begins.
        return {"request_id": self.id, **event, "wait_seconds": 0}


def _is_deeper(value: Any, depth: int) -> bool:
    """Returns whether a JSON value is nested deeper than `depth`, without recursion."""
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
