"""One table of Amazon DynamoDB, typed: read items, change one on a condition, change several or
none.

Every failure is an ``AwsFailure``, except that a condition which did not hold is
``ConditionFailed`` and brings what is there. The SDK repeats any call here, also one that may have
had its effect: whoever writes a condition makes it hold for its own effect too, or recognises that
effect in what ``ConditionFailed`` brings.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

import random
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from ..errors import LedgerError
from . import botocore_hooks
from .clients import session
from .errors import SDK_ERRORS, AwsFailure, Outcome, failure_from

_KEY = ("pk", "sk")

Item = dict[str, Any]
"""An item's attributes: strings, numbers, booleans, mappings and lists.

None is an attribute that is not there.
"""

Attributes = dict[str, dict[str, Any]]
"""The same as they travel."""


def to_item(attributes: Mapping[str, Any]) -> Item:
    """Returns an item, from its attributes as DynamoDB returned them."""
    item = {}
    for name, wire in attributes.items():
        ((kind, value),) = wire.items()
        if kind == "N":
            value = float(value) if re.search(r"[.eE]", value) else int(value)
        elif kind == "M":
            value = to_item(value)
        elif kind == "L":
            members: dict[Any, Any] = dict(enumerate(value))
            value = list(to_item(members).values())
        item[name] = value
    return item


def to_attributes(item: Mapping[Any, Any], prefix: str = "") -> Attributes:
    """Returns the members of ``item`` as DynamoDB takes them, without None; the names begin with
    ``prefix``.

    Raises TypeError for a value that has no form in a table.
    """
    attributes: Attributes = {}
    for name, value in item.items():
        wire: dict[str, Any]
        if value is None:
            continue
        if isinstance(value, str):
            # DynamoDB cannot keep a lone surrogate, which JSON can bring.
            text = value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
            wire = {"S": text}
        elif isinstance(value, bool):
            wire = {"BOOL": value}
        elif isinstance(value, int | float):
            wire = {"N": str(value)}
        elif isinstance(value, Mapping):
            wire = {"M": to_attributes(value)}
        elif isinstance(value, list | tuple) and None not in value:
            wire = {"L": list(to_attributes(dict(enumerate(value))).values())}
        else:
            raise TypeError(f"{type(value).__name__} has no form in a table")
        attributes[f"{prefix}{name}"] = wire
    return attributes


CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS = 1, 2, 3
# DynamoDB answers in milliseconds. A call that gets no answer has to end, retries included, well
# inside a lease.
_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    user_agent_appid="ecs-updater",
)

# Before its i-th retry the SDK waits for at most 2^i seconds, and 5 more where an answer asks for
# that.
LONGEST_CALL = ATTEMPTS * (CONNECT_TIMEOUT + READ_TIMEOUT) + sum(
    2**i + 5 for i in range(ATTEMPTS - 1)
)
"""The most seconds that one call takes, its retries included."""

_THROTTLED = {
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "ThrottlingError",
}
_IN_THE_WAY = {
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_FOR_A_MOMENT = _THROTTLED | _IN_THE_WAY
"""Codes, and reasons for which a transaction is cancelled, that are gone a moment later."""

_BATCH, _BATCH_TRIES = 100, 6
"""The most keys of one BatchGetItem, and how often is asked for those that DynamoDB left out,
because it was busy.
"""


class ConditionFailed(Exception):
    """The condition of a write did not hold, so nothing was written."""

    def __init__(self, items: tuple[Item | None, ...]):
        self.items = items
        """For each write of the call what is there instead; None where its condition held or
        nothing is there.
        """
        super().__init__("a condition did not hold")


@dataclass(frozen=True)
class Index:
    """A global secondary index whose keys are strings. What it has is up to a second or so old."""

    name: str
    hash_key: str
    range_key: str


@dataclass(frozen=True)
class Put:
    """An item that takes the place of what is there, if ``condition`` holds for that.

    In expressions ``#name`` is an attribute and ``:name`` one of ``values``.
    """

    item: Item
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """A change to attributes of the item of one key, if ``condition`` holds for it."""

    pk: str
    sk: str
    change: str
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Delete:
    """An item's end, whether it is there or not."""

    pk: str
    sk: str


Write = Put | Update | Delete


class Table:
    """A table with the partition key ``pk`` and the sort key ``sk``, both strings.

    Reads are strongly consistent.
    """

    def __init__(self, name: str, client: Any = None, calls: Counter[str] | None = None):
        self.name = name
        self._client = client or session().create_client("dynamodb", config=_CONFIG)
        self.calls = Counter[str]() if calls is None else calls
        """Every request that went over the wire, by operation, retries included."""
        botocore_hooks.count_calls(self._client, self.calls)
        botocore_hooks.retry_conflicts(self._client, _FOR_A_MOMENT, ATTEMPTS)

    def get(self, pk: str, sk: str) -> Item | None:
        """The item of this key, or None."""
        answer = self._call(
            "GetItem",
            TableName=self.name,
            Key=to_attributes({"pk": pk, "sk": sk}),
            ConsistentRead=True,
        )
        return to_item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[tuple[str, str]], only: Sequence[str] = ()) -> list[Item]:
        """Those of the items of these keys, each given once, that are there, in no order; of each
        the attributes ``only``, or all.

        One call for a hundred.
        """
        names = (
            {f"#n{number}": name for number, name in enumerate(dict.fromkeys(["pk", "sk", *only]))}
            if only
            else {}
        )
        shown = (
            {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
            if names
            else {}
        )
        found: list[Item] = []
        left = [to_attributes(dict(zip(_KEY, key, strict=True))) for key in keys]
        for attempt in range(_BATCH_TRIES):
            if not left:
                return found
            if attempt:
                time.sleep(random.uniform(0.5, 1) * 0.1 * 2**attempt)
            asked, left = left, []
            for first in range(0, len(asked), _BATCH):
                request = {
                    self.name: {
                        "Keys": asked[first : first + _BATCH],
                        "ConsistentRead": True,
                        **shown,
                    }
                }
                answer = self._call("BatchGetItem", "Responses", RequestItems=request)
                found += [to_item(item) for item in answer["Responses"].get(self.name, [])]
                left += answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
        busy = AwsFailure(
            "BatchGetItem", Outcome.NOT_NOW, "UnprocessedKeys", "the table is too busy"
        )
        raise self._error(busy)

    def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        newest_first: bool = False,
        most: int | None = None,
        after: str = "",
    ) -> list[Item]:
        """The items of ``pk`` whose sort key begins with ``prefix``, by sort key: at most ``most``
        of those after ``after``.
        """
        found: list[Item] = []
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)"
            if prefix
            else "pk = :pk",
            "ExpressionAttributeValues": to_attributes(
                {"pk": pk, "prefix": prefix} if prefix else {"pk": pk}, ":"
            ),
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
        }
        if after:
            parameters["ExclusiveStartKey"] = to_attributes({"pk": pk, "sk": after})
        while most is None or len(found) < most:
            if most is not None:
                parameters["Limit"] = most - len(found)
            answer = self._call("Query", "Items", **parameters)
            found += [to_item(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    def page(
        self,
        key: str,
        most: int,
        *,
        only: Sequence[str],
        prefix: str = "",
        index: Index | None = None,
        after: Item | None = None,
    ) -> tuple[list[Item], Item | None]:
        """The attributes ``only`` of at most ``most`` items, the last by sort key first, of one
        call; and where to go on.

        ``key`` is the partition's, of ``index`` or of the table, with sort keys that begin with
        ``prefix``. ``after`` is where to go on as an earlier page told it; None at the end. A page
        may be shorter although more follows.
        """
        keys = (index.hash_key, index.range_key) if index else ("pk", "sk")
        names = dict.fromkeys([*keys, *only, "pk", "sk"])
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "#key = :key AND begins_with(#sort, :prefix)"
            if prefix
            else "#key = :key",
            "ExpressionAttributeNames": {"#key": keys[0], **({"#sort": keys[1]} if prefix else {})},
            "ExpressionAttributeValues": to_attributes(
                {"key": key, "prefix": prefix} if prefix else {"key": key}, ":"
            ),
            "ProjectionExpression": ", ".join(f"#n{number}" for number in range(len(names))),
            "ConsistentRead": index is None,
            "ScanIndexForward": False,
            "Limit": most,
        }
        parameters["ExpressionAttributeNames"] |= {
            f"#n{number}": name for number, name in enumerate(names)
        }
        if index:
            parameters["IndexName"] = index.name
        if after:
            parameters["ExclusiveStartKey"] = to_attributes(after)
        answer = self._call("Query", "Items", **parameters)
        last = answer.get("LastEvaluatedKey")
        return [to_item(item) for item in answer["Items"]], to_item(last) if last else None

    def put(self, put: Put) -> None:
        """Does one put. Raises ConditionFailed."""
        self._call("PutItem", **self._parameters(put))

    def update(self, update: Update) -> Item:
        """Does one update and returns the item as it then is. Raises ConditionFailed."""
        parameters = self._parameters(update)
        answer = self._call("UpdateItem", "Attributes", **parameters, ReturnValues="ALL_NEW")
        return to_item(answer["Attributes"])

    def change(self, update: Update) -> None:
        """Does one update. Raises ConditionFailed."""
        self._call("UpdateItem", **self._parameters(update))

    def write(self, *writes: Write) -> None:
        """Does all of ``writes`` or, when a condition does not hold, none. Raises ConditionFailed.

        The SDK sends a token with a transaction, so that a repetition within ten minutes is not a
        second one.
        """
        items = [{type(write).__name__: self._parameters(write)} for write in writes]
        self._call("TransactWriteItems", TransactItems=items)

    def _call(self, operation: str, *needed: str, **parameters: Any) -> dict[str, Any]:
        """Makes one call; the answer has the fields ``needed``. Raises ConditionFailed."""
        try:
            answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
            for name in needed:
                _ = answer[name]
            return answer
        except SDK_ERRORS as error:
            sent_back = error.response if isinstance(error, ClientError) else {}
            failure = failure_from(operation, error)
            reasons = sent_back.get("CancellationReasons") or []
            if failure.code == "ConditionalCheckFailedException":
                raise ConditionFailed((_item_in(sent_back),)) from error
            if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                raise ConditionFailed(tuple(_item_in(reason) for reason in reasons)) from error
            if botocore_hooks.error_codes(sent_back) & _FOR_A_MOMENT:
                failure = AwsFailure(operation, Outcome.NOT_NOW, failure.code, failure.reason)
            raise self._error(failure) from failure

    def _error(self, failure: AwsFailure) -> LedgerError:
        """Returns the error for a failed call. It names the setting that names the table."""
        if failure.code == "ResourceNotFoundException":
            sentence = (
                f"the table {self.name}, which the function's LEDGER_TABLE names, does not exist "
                "in this account and region: make it, or leave LEDGER_TABLE empty to work without "
                "lease and history"
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
        parameters: dict[str, Any] = {"TableName": self.name}
        if isinstance(write, Put):
            parameters["Item"] = to_attributes(write.item)
        else:
            parameters["Key"] = to_attributes({"pk": write.pk, "sk": write.sk})
        if isinstance(write, Delete):
            return parameters
        change = write.change if isinstance(write, Update) else ""
        if change:
            parameters["UpdateExpression"] = change
        if write.condition:
            parameters |= {
                "ConditionExpression": write.condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        # Through placeholders, because many a good name (state, owner, name …) is a word that
        # DynamoDB reserves.
        names = {}
        for placeholder, name in re.findall(r"(#(\w+))", f"{change} {write.condition or ''}"):
            names[placeholder] = name
        if names:
            parameters["ExpressionAttributeNames"] = names
        if write.values:
            parameters["ExpressionAttributeValues"] = to_attributes(write.values, ":")
        return parameters


def table_of(environment: Mapping[str, str]) -> Table | None:
    """The table that the function's ``LEDGER_TABLE`` names; None without one."""
    name = environment.get("LEDGER_TABLE")
    return Table(name) if name else None


def _item_in(answer: Mapping[str, Any]) -> Item | None:
    return to_item(answer["Item"]) if answer.get("Item") else None
