"""One table of Amazon DynamoDB: typed reads, conditional writes and transactions.

A failed call raises LedgerError, a condition that did not hold ConditionFailed with the stored
items. The SDK retries every call, also one that may have had an effect. So a condition also holds
for its own effect, or the caller recognises that effect in the stored item.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ..errors import AwsFailure, LedgerError, Outcome
from . import clients
from .errors import SDK_ERRORS, failure_from

_KEY = ("pk", "sk")

Item = dict[str, Any]
"""Attributes of an item: strings, numbers, booleans, mappings and lists. None: not stored."""

Attributes = dict[str, dict[str, Any]]
"""Attributes in DynamoDB's JSON, with their types."""


def to_item(attributes: Mapping[Any, Mapping[str, Any]]) -> Item:
    """Returns an item from DynamoDB's JSON."""
    item = {}
    for name, typed in attributes.items():
        ((kind, value),) = typed.items()
        match kind:
            case "N":
                value = float(value) if re.search(r"[.eE]", value) else int(value)
            case "M":
                value = to_item(value)
            case "L":
                value = list(to_item(dict(enumerate(value))).values())
        item[name] = value
    return item


def to_attributes(item: Mapping[Any, Any], prefix: str = "") -> Attributes:
    """Returns DynamoDB's JSON for an item, without None. `prefix` is added to each name.

    Raises TypeError for a value of another type.
    """
    attributes: Attributes = {}
    for name, value in item.items():
        typed: dict[str, Any]
        match value:
            case None:
                continue
            case str():
                # DynamoDB refuses a lone surrogate, which JSON can have.
                typed = {"S": value.encode("utf-8", "backslashreplace").decode()}
            case bool():
                typed = {"BOOL": value}
            case int() | float():
                typed = {"N": str(value)}
            case Mapping():
                typed = {"M": to_attributes(value)}
            case list() | tuple() if None not in value:
                typed = {"L": list(to_attributes(dict(enumerate(value))).values())}
            case _:
                raise TypeError(f"{type(value).__name__} has no form in a table")
        attributes[f"{prefix}{name}"] = typed
    return attributes


CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS = 1, 2, 3
# DynamoDB responds in milliseconds. A call without a response, retries included, ends well within
# a lease.
_CONFIG = clients.config(CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS)

_TRANSIENT = {
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "ThrottlingError",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""Transient codes of errors and reasons for the cancellation of a transaction."""

_KEYS_PER_CALL, _BATCH_TRIES = 100, 6
"""Maximum keys of one BatchGetItem, and tries for keys that a busy table left out."""


class ConditionFailed(Exception):
    """The condition of a write did not hold, so nothing was written."""

    def __init__(self, items: tuple[Item | None, ...]):
        self.items = items
        """The stored item for each write of the call.

        None if the condition held, or if no item is stored.
        """
        super().__init__("a condition did not hold")


@dataclass(frozen=True)
class Index:
    """A global secondary index with string keys. It follows the table within about a second."""

    name: str
    hash_key: str
    range_key: str


@dataclass(frozen=True)
class Put:
    """Replaces the item, if `condition` holds for the stored item.

    In expressions `#name` is an attribute and `:name` one of `values`.
    """

    item: Item
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """Changes attributes of an item, if `condition` holds for the stored item."""

    pk: str
    sk: str
    change: str
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Delete:
    """Deletes an item, if it is stored."""

    pk: str
    sk: str


Write = Put | Update | Delete


class Table:
    """A table with the string keys `pk` and `sk`. Reads are strongly consistent.

    All methods raise LedgerError.
    """

    def __init__(self, name: str, client: Any = None, calls: Counter[str] | None = None):
        self.name = name
        self._client = client or clients.session().create_client("dynamodb", config=_CONFIG)
        self.calls = Counter[str]() if calls is None else calls
        """Number of requests by operation, retries included."""
        clients.count_calls(self._client, self.calls)
        clients.retry_conflicts(self._client, _TRANSIENT, ATTEMPTS)

    def get(self, pk: str, sk: str) -> Item | None:
        """Returns the item of this key, or None."""
        answer = self._call(
            "GetItem",
            TableName=self.name,
            Key=to_attributes({"pk": pk, "sk": sk}),
            ConsistentRead=True,
        )
        return to_item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[tuple[str, str]], only: Sequence[str] = ()) -> list[Item]:
        """Returns the stored items of distinct keys, in any order. One call for 100 keys.

        `only`: the attributes to read besides the key. Empty: all.
        """
        names = _placeholders([*_KEY, *only])
        projection: dict[str, Any] = {
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
        }
        found: list[Item] = []
        left = [to_attributes(dict(zip(_KEY, key, strict=True))) for key in keys]
        for attempt in range(_BATCH_TRIES):
            if not left:
                return found
            if attempt:
                time.sleep(random.uniform(0.5, 1) * 0.1 * 2**attempt)
            requested, left = left, []
            for first in range(0, len(requested), _KEYS_PER_CALL):
                batch = requested[first : first + _KEYS_PER_CALL]
                request = {"Keys": batch, "ConsistentRead": True, **(projection if only else {})}
                answer = self._call("BatchGetItem", "Responses", RequestItems={self.name: request})
                found += map(to_item, answer["Responses"].get(self.name, []))
                left += answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
        raise self._error(
            AwsFailure("BatchGetItem", Outcome.NOT_NOW, "UnprocessedKeys", "the table is too busy")
        )

    def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        newest_first: bool = False,
        most: int | None = None,
        after: str = "",
    ) -> list[Item]:
        """Returns at most `most` items of `pk` by sort key. One call for each MB.

        The sort keys begin with `prefix` and come after `after`.
        """
        found: list[Item] = []
        following: Item | None = {"pk": pk, "sk": after} if after else None
        while True:
            items, following = self.page(
                pk,
                most and most - len(found),
                prefix=prefix,
                newest_first=newest_first,
                after=following,
            )
            found += items
            if not following or len(found) == most:
                return found

    def page(
        self,
        key: str,
        most: int | None,
        *,
        only: Sequence[str] = (),
        prefix: str = "",
        index: Index | None = None,
        newest_first: bool = True,
        after: Item | None = None,
    ) -> tuple[list[Item], Item | None]:
        """Returns the items of one call, and the key after which the next page begins.

        `key` is the partition key of the table or of `index`, `after` the key from the earlier
        page. A page can have less than `most` items before the last one; the last one has the key
        None.
        """
        keys = (index.hash_key, index.range_key) if index else _KEY
        values, condition = {"pk": key}, f"{keys[0]} = :pk"
        if prefix:
            values["prefix"] = prefix
            condition += f" AND begins_with({keys[1]}, :prefix)"
        names = _placeholders([*keys, *only, *_KEY]) if only else {}
        optional = {
            "IndexName": index.name if index else None,
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
            "Limit": most,
            "ExclusiveStartKey": to_attributes(after or {}),
        }
        answer = self._call(
            "Query",
            "Items",
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_attributes(values, ":"),
            ConsistentRead=index is None,
            ScanIndexForward=not newest_first,
            **{name: value for name, value in optional.items() if value},
        )
        last = answer.get("LastEvaluatedKey")
        return list(map(to_item, answer["Items"])), to_item(last) if last else None

    def put(self, put: Put) -> None:
        """Makes one put. Raises ConditionFailed."""
        self._call("PutItem", **self._parameters(put))

    def update(self, update: Update) -> Item:
        """Makes one update and returns the new item. Raises ConditionFailed."""
        answer = self._call(
            "UpdateItem", "Attributes", **self._parameters(update), ReturnValues="ALL_NEW"
        )
        return to_item(answer["Attributes"])

    def change(self, update: Update) -> None:
        """Makes one update. Raises ConditionFailed."""
        self._call("UpdateItem", **self._parameters(update))

    def write(self, *writes: Write) -> None:
        """Makes all writes in one transaction, or none if a condition does not hold.

        The SDK sends a client token: a retry within ten minutes has no second effect. Raises
        ConditionFailed.
        """
        items = [{type(write).__name__: self._parameters(write)} for write in writes]
        self._call("TransactWriteItems", TransactItems=items)

    def _call(self, operation: str, *needed: str, **parameters: Any) -> dict[str, Any]:
        """Makes one call. The response has the fields `needed`. Raises ConditionFailed."""
        try:
            answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
            for name in needed:
                _ = answer[name]
            return answer
        except SDK_ERRORS as error:
            answer = error.response if isinstance(error, ClientError) else {}
            failure = failure_from(operation, error)
            reasons = answer.get("CancellationReasons") or []
            if failure.code == "ConditionalCheckFailedException":
                reasons = [answer]
            elif not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                if clients.error_codes(answer) & _TRANSIENT:
                    failure = AwsFailure(operation, Outcome.NOT_NOW, failure.code, failure.reason)
                raise self._error(failure) from failure
            items = [reason.get("Item") for reason in reasons]
            raise ConditionFailed(tuple(item and to_item(item) for item in items)) from error

    def _error(self, failure: AwsFailure) -> LedgerError:
        """Returns the error for a failed call. The error names the setting of the table."""
        if failure.code == "ResourceNotFoundException":
            sentence = (
                f"the table {self.name} of the function's LEDGER_TABLE does not exist in this "
                "account and region: create it, or leave LEDGER_TABLE empty to work without lease "
                "and history"
            )
        elif failure.outcome is Outcome.NOT_PERMITTED:
            sentence = (
                f"the function's role may not do {failure.operation} on the table {self.name} of "
                f"its LEDGER_TABLE: {failure}"
            )
        else:
            sentence = (
                f"{failure.operation} failed on the table {self.name} of the function's "
                f"LEDGER_TABLE: {failure}"
            )
        return LedgerError(sentence).caused_by(failure)

    def _parameters(self, write: Write) -> dict[str, Any]:
        if isinstance(write, Put):
            target: dict[str, Any] = {"Item": to_attributes(write.item)}
        else:
            target = {"Key": to_attributes({"pk": write.pk, "sk": write.sk})}
        target["TableName"] = self.name
        if isinstance(write, Delete):
            return target
        change = write.change if isinstance(write, Update) else ""
        optional = {
            "ConditionExpression": write.condition,
            "ReturnValuesOnConditionCheckFailure": write.condition and "ALL_OLD",
            "UpdateExpression": change,
            # Placeholders, because DynamoDB reserves words such as state, owner and name.
            "ExpressionAttributeNames": dict(
                re.findall(r"(#(\w+))", f"{write.condition or ''}{change}")
            ),
            "ExpressionAttributeValues": to_attributes(write.values, ":"),
        }
        return target | {name: value for name, value in optional.items() if value}


def table_of(environment: Mapping[str, str]) -> Table | None:
    """Returns the table that `LEDGER_TABLE` names, or None."""
    name = environment.get("LEDGER_TABLE")
    return Table(name) if name else None


def _placeholders(names: Iterable[str]) -> dict[str, str]:
    """Returns distinct names by their placeholders."""
    return {f"#n{number}": name for number, name in enumerate(dict.fromkeys(names))}
