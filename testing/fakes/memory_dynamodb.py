"""The ledger's table of DynamoDB in a dictionary: one request at a time, recorded, and failing
where a test says so.

moto evaluates the conditions. ``simulation/test_another_table.py`` has moto's whole table, which
takes five times as long.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

import json
import re
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate

from moto.dynamodb.comparisons import Func, Op, get_filter_expression
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from ecs_updater.ledger.queries import RECENT

from .wire import Json, Refusal, Wire

TABLE = "ecs-updater-ledger"

THROTTLED = (
    400,
    "ThrottlingException",
    "Throughput exceeds the current capacity of your table or index.",
)
SERVER_ERROR = (500, "InternalServerError", "The request processing has failed.")
DENIED = (
    400,
    "AccessDeniedException",
    "User: arn:aws:sts::1:x is not authorized to perform: dynamodb:UpdateItem. Token: secret",
)
CONFLICT = (400, "TransactionConflictException", "Transaction is ongoing for the item")

_METHODS = {
    "GetItem": "_get_item",
    "BatchGetItem": "_batch_get_item",
    "Query": "_query",
    "PutItem": "_put_item",
    "UpdateItem": "_put_item",
    "TransactWriteItems": "_transact_write_items",
}

_CONDITION = "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"

Key = tuple[str, str]

KEYS = (("pk", "HASH"), ("sk", "RANGE"))
ATTRIBUTES = [{"AttributeName": name, "AttributeType": "S"} for name, _ in KEYS]
SCHEMA = [{"AttributeName": name, "KeyType": kind} for name, kind in KEYS]

ITEM_LIMIT = 400 << 10
"""The most bytes of an item, names included."""

_ANSWER_LIMIT = 16 << 20
"""The most bytes of one answer of BatchGetItem."""

_PAGE_LIMIT = 1 << 20
"""The most bytes that one Query reads."""

_NO_TABLE = Refusal("ResourceNotFoundException", "Requested resource not found")
_TOO_LARGE = Refusal("ValidationException", "Item size has exceeded the maximum allowed size")
_NOT_HELD = "The conditional request failed"
_CANCELLED = "Transaction cancelled, please refer cancellation reasons for specific reasons"

_OPERAND = r"(?:if_not_exists\(#\w+, :\w+\)|[#:]\w+)"
_SUM = rf"{_OPERAND}(?: \+ {_OPERAND})?"
_ASSIGNMENT = re.compile(rf"(#\w+) = ({_SUM})")
_IF_NOT_EXISTS = re.compile(r"if_not_exists\((#\w+), (:\w+)\)")
_UPDATE = re.compile(
    rf"(?:SET (?P<set>#\w+ = {_SUM}(?:, #\w+ = {_SUM})*))? ?"
    r"(?:REMOVE (?P<remove>#\w+(?:, #\w+)*))?"
)
"""The forms of an update: moto takes longer to parse one than everything else takes."""


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, now: float = 1_800_000_000.0):
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Lets ``seconds`` pass."""
        self.slept.append(seconds)
        self.now += seconds


class MemoryDynamodb(Wire):
    """The ledger's table, as the templates make it."""

    def __init__(self) -> None:
        super().__init__("dynamodb")
        self._items: dict[Key, Json] = {}

    def clear(self) -> None:
        """Empties the table and forgets what was sent."""
        self._items.clear()
        self.requests.clear()
        self.stop_failing()
        self.before = None

    @property
    def items(self) -> dict[Key, Json]:
        """All items by their keys, in the form in which they travel."""
        return dict(self._items)

    def delete(self, pk: str, sk: str) -> None:
        """Deletes an item, as an operator or the TTL does."""
        del self._items[pk, sk]

    def answer(self, operation: str, body: Json) -> Json:
        if _tables(body) != {TABLE}:
            raise _NO_TABLE
        answer: Json = getattr(self, _METHODS[operation])(body)
        return answer

    def _get_item(self, body: Json) -> Json:
        found = self._items.get(_key(body))
        return {"Item": found} if found else {}

    def _batch_get_item(self, body: Json) -> Json:
        ((name, requested),) = body["RequestItems"].items()
        assert 0 < len(requested["Keys"]) <= 100
        found: list[Json] = []
        left = list(requested["Keys"])
        size = 0
        while left and size <= _ANSWER_LIMIT:
            if item := self._items.get(_key({"Key": left.pop(0)})):
                found.append(item)
                size += size_of(item)
        return {
            "Responses": {name: _projected(found, requested)},
            "UnprocessedKeys": {name: {**requested, "Keys": left}} if left else {},
        }

    def _query(self, body: Json) -> Json:
        index = {None: ("pk", "sk"), RECENT.name: (RECENT.hash_key, RECENT.range_key)}
        keys = index[body.get("IndexName")]
        found = self._items_of_query(body, keys)
        fitting = sum(size <= _PAGE_LIMIT for size in accumulate(map(size_of, found)))
        page = found[: min(fitting, body.get("Limit", fitting))]
        answer = {
            "Items": _projected(page, body),
            "Count": len(page),
            "ScannedCount": len(page),
        }
        if len(page) < len(found):
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in (*keys, "pk", "sk")}
        return answer

    def _items_of_query(self, body: Json, keys: tuple[str, str]) -> list[Json]:
        """The items of a query from its start on, on all its pages."""
        values, condition = body["ExpressionAttributeValues"], f"{keys[0]} = :pk"
        if ":prefix" in values:
            condition += f" AND begins_with({keys[1]}, :prefix)"
        assert body["KeyConditionExpression"] == condition
        prefix = values.get(":prefix", {"S": ""})["S"]

        def place(item: Json) -> tuple[str, ...]:
            return tuple(item[name]["S"] for name in (keys[1], "pk", "sk"))

        start, is_reversed = body.get("ExclusiveStartKey"), not body.get("ScanIndexForward", True)
        found = [
            item
            for item in self._items.values()
            if item.get(keys[0]) == values[":pk"] and place(item)[0].startswith(prefix)
        ]
        found.sort(key=place, reverse=is_reversed)
        if not start:
            return found
        begin = place(start)
        return [i for i in found if (place(i) < begin if is_reversed else place(i) > begin)]

    def _put_item(self, write: Json) -> Json:
        if (refused := self._refused(write)) is not None:
            raise Refusal("ConditionalCheckFailedException", _NOT_HELD, **refused)
        self._write([write])
        is_returned = write.get("ReturnValues") == "ALL_NEW"
        return {"Attributes": self._items[_key(write)]} if is_returned else {}

    def _transact_write_items(self, body: Json) -> Json:
        # A repetition with the same token is done again, as moto does it: the code must not need
        # that it is not.
        writes = [write for item in body["TransactItems"] for write in item.values()]
        keys = [_key(write) for write in writes]
        assert len(keys) == len(set(keys)), (
            "Transaction request cannot include multiple operations on one item"
        )
        reasons = [
            {"Code": "None"}
            if (refused := self._refused(write)) is None
            else {"Code": "ConditionalCheckFailed", "Message": _NOT_HELD, **refused}
            for write in writes
        ]
        codes = [reason["Code"] for reason in reasons]
        if set(codes) != {"None"}:
            message = f"{_CANCELLED} [{', '.join(codes)}]"
            raise Refusal("TransactionCanceledException", message, CancellationReasons=reasons)
        self._write(writes)
        return {}

    def _refused(self, write: Json) -> Json | None:
        """What a refusal brings beside its message; None where the condition holds."""
        stored = self._items.get(_key(write), {})
        condition = _parsed(json.dumps([write.get(name) for name in _CONDITION]))
        if condition.expr(_named(stored, write)):
            return None
        has_item = write.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return {"Item": stored} if stored and has_item else {}

    def _write(self, writes: list[Json]) -> None:
        """Does all writes, or none where an item becomes too large."""
        new = {_key(write): self._new_item(write) for write in writes}
        if any(item and size_of(item) > ITEM_LIMIT for item in new.values()):
            raise _TOO_LARGE
        for key, item in new.items():
            self._items.pop(key, None)
            if item is not None:
                self._items[key] = item

    def _new_item(self, write: Json) -> Json | None:
        """The item that a write leaves; None after a deletion."""
        if "UpdateExpression" not in write:
            return write.get("Item")
        return _changed(self._items.get(_key(write), write["Key"]), write)


def _changed(stored: Json, write: Json) -> Json:
    """Returns the item after an update with SET and REMOVE.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
    """
    names, values = write["ExpressionAttributeNames"], write.get("ExpressionAttributeValues", {})
    found = _UPDATE.fullmatch(write["UpdateExpression"])
    assert found, write["UpdateExpression"]

    def value_of(operand: str) -> Json:
        called = _IF_NOT_EXISTS.fullmatch(operand)
        if called and names[called[1]] not in stored:
            return values[called[2]]
        name = called[1] if called else operand
        if name in values:
            return values[name]
        if names[name] not in stored:
            raise Refusal("ValidationException", "The provided expression refers to no attribute")
        return stored[names[name]]

    item = dict(stored)
    for assignment in _ASSIGNMENT.findall(found["set"] or ""):
        name, operands = assignment[0], [value_of(each) for each in assignment[1].split(" + ")]
        total = sum(Decimal(each["N"]) for each in operands[1:]) if operands[1:] else None
        item[names[name]] = (
            operands[0] if total is None else {"N": str(Decimal(operands[0]["N"]) + total)}
        )
    for name in re.findall(r"#\w+", found["remove"] or ""):
        item.pop(names[name], None)
    return item


def size_of(item: Json) -> int:
    """The bytes that DynamoDB counts of an item.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Json) -> int:
    ((kind, content),) = value.items()
    if kind == "M":
        return 3 + len(content) + size_of(content)
    if kind == "L":
        return 3 + sum(1 + _value_size(element) for element in content)
    return (
        len(content.encode()) if kind == "S" else len(str(content)) // 2 + 2 if kind == "N" else 1
    )


@lru_cache(4096)
def _parsed(condition: str) -> Op | Func:
    """A condition, its names and its values, parsed. Runs with faults repeat the same writes."""
    return get_filter_expression(*json.loads(condition))


def _tables(body: Json) -> set[str]:
    """The tables that a request names."""
    if "TransactItems" in body:
        return {write["TableName"] for item in body["TransactItems"] for write in item.values()}
    return set(body["RequestItems"]) if "RequestItems" in body else {body["TableName"]}


def _key(write: Json) -> Key:
    """The key of the item that a request reads or writes."""
    item = write.get("Key") or write["Item"]
    return item["pk"]["S"], item["sk"]["S"]


def _named(stored: Json, write: Json) -> Item:
    """The attributes that a write's expressions name, as moto has an item. It measures an item at
    each attribute, so a whole one takes long.
    """
    named = set(write.get("ExpressionAttributeNames", {}).values())
    attributes = {name: value for name, value in stored.items() if name in named}
    return Item(DynamoType({"S": ""}), DynamoType({"S": ""}), attributes)


def _projected(items: list[Json], request: Json) -> list[Json]:
    """The attributes of ``items`` that a read asks for."""
    if "ProjectionExpression" not in request:
        return items
    names = request["ExpressionAttributeNames"].values()
    return [{name: item[name] for name in names if name in item} for item in items]
