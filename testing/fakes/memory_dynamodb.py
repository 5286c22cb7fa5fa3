"""A table of DynamoDB in a dictionary, with as much of DynamoDB as the ledger uses: hundreds of
times as fast as moto's.

For tests that send tens of thousands of requests. What it answers is held against moto in
``unit/test_memory_dynamodb.py``; what it does not know, it refuses with an exception instead of an
answer.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from botocore.awsrequest import AWSResponse

from .answers import answer_of
from .fake_dynamodb import FakeDynamodb

Json = dict[str, Any]
Key = tuple[str, str]
Scope = tuple[Json, Json, Json]
"""What an expression sees: the item that is there (empty: none), the names and the values of the
request.
"""

ITEM_LIMIT = 400 << 10
"""The most bytes of an item, names included."""

_ANSWER_LIMIT = 16 << 20
"""The most bytes of one answer of BatchGetItem."""

_REFUSED = "com.amazonaws.dynamodb.v20120810#"
_NOT_HELD = "The conditional request failed"
_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_TOKEN = re.compile(r"\s*(#\w+|:\w+|<>|<=|>=|[=<>(),+]|\w+)")


class MemoryDynamodb(FakeDynamodb):
    """The ledger's table. Like FakeDynamodb, and needs no moto."""

    def __init__(self) -> None:  # pylint: disable=super-init-not-called  # There is no table to be made anywhere.
        self._prepare()
        self._items: dict[Key, Json] = {}

    def clear(self) -> None:
        self._items.clear()
        self.requests.clear()
        self._faults.clear()
        self.before = None

    @property
    def items(self) -> dict[Key, Json]:
        return dict(self._items)

    def _effect(self, event_name: str, request: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        status, content = self.answer(operation, json.loads(request.body))
        return answer_of(request.url, status, content)

    def answer(self, operation: str, body: Json) -> tuple[int, Json]:
        """Status and body of the answer to one request. Whoever calls lets no two in at once."""
        return getattr(self, f"_{re.sub('(?<!^)(?=[A-Z])', '_', operation).lower()}")(body)

    def _get_item(self, body: Json) -> tuple[int, Json]:
        found = self._items.get(_key(body["Key"]))
        return 200, {"Item": found} if found else {}

    def _batch_get_item(self, body: Json) -> tuple[int, Json]:
        ((name, asked),) = body["RequestItems"].items()
        assert 0 < len(asked["Keys"]) <= 100
        found: list[Json] = []
        left = list(asked["Keys"])
        size = 0
        while left and size <= _ANSWER_LIMIT:
            if item := self._items.get(_key(left.pop(0))):
                found.append(item)
                size += size_of(item)
        if shown := asked.get("ProjectionExpression"):
            names = [asked["ExpressionAttributeNames"][one] for one in shown.split(", ")]
            found = [{one: item[one] for one in names if one in item} for item in found]
        return 200, {
            "Responses": {name: found},
            "UnprocessedKeys": {name: {**asked, "Keys": left}} if left else {},
        }

    def _query(self, body: Json) -> tuple[int, Json]:
        values = body["ExpressionAttributeValues"]
        wanted = {
            "pk = :pk": {"S": ""},
            "pk = :pk AND begins_with(sk, :prefix)": values.get(":prefix"),
        }
        prefix = wanted[body["KeyConditionExpression"]]["S"]
        keys = sorted(
            key for key in self._items if key[0] == values[":pk"]["S"] and key[1].startswith(prefix)
        )
        if not body.get("ScanIndexForward", True):
            keys.reverse()
        if start := body.get("ExclusiveStartKey"):
            begins, is_reversed = _key(start), not body.get("ScanIndexForward", True)
            keys = [key for key in keys if (key < begins if is_reversed else key > begins)]
        found = [self._items[key] for key in keys[: body.get("Limit")]]
        more = (
            {"LastEvaluatedKey": {name: found[-1][name] for name in ("pk", "sk")}}
            if len(found) < len(keys)
            else {}
        )
        return 200, {"Items": found, "Count": len(found), "ScannedCount": len(found)} | more

    def _put_item(self, body: Json) -> tuple[int, Json]:
        return self._write_one("Put", body)

    def _update_item(self, body: Json) -> tuple[int, Json]:
        status, content = self._write_one("Update", body)
        if content or body.get("ReturnValues") != "ALL_NEW":
            return status, content
        return status, {"Attributes": self._items[_key(body["Key"])]}

    def _write_one(self, kind: str, write: Json) -> tuple[int, Json]:
        if (refused := self._refusal(write)) is not None:
            return 400, {
                "__type": f"{_REFUSED}ConditionalCheckFailedException",
                "message": _NOT_HELD,
            } | refused
        if self._is_too_large(kind, write):
            return 400, {
                "__type": "com.amazon.coral.validate#ValidationException",
                "message": _TOO_LARGE,
            }
        self._do(kind, write)
        return 200, {}

    def _transact_write_items(self, body: Json) -> tuple[int, Json]:
        # A repetition with the same token is done again, as moto does it: the code must not need
        # that it is not.
        writes = [next(iter(item.items())) for item in body["TransactItems"]]
        keys = [_key(write.get("Key") or write["Item"]) for _, write in writes]
        assert len(keys) == len(set(keys)), (
            "Transaction request cannot include multiple operations on one item"
        )
        refusals = [self._refusal(write) for _, write in writes]
        if any(refusal is not None for refusal in refusals):
            reasons: list[Json] = [
                {"Code": "None"}
                if refusal is None
                else {"Code": "ConditionalCheckFailed", "Message": _NOT_HELD} | refusal
                for refusal in refusals
            ]
            codes = ", ".join(reason["Code"] for reason in reasons)
            message = (
                "Transaction cancelled, please refer cancellation reasons for "
                f"specific reasons [{codes}]"
            )
            return 400, {
                "__type": f"{_REFUSED}TransactionCanceledException",
                "CancellationReasons": reasons,
                "Message": message,
            }
        if any(self._is_too_large(kind, write) for kind, write in writes):
            return 400, {
                "__type": "com.amazon.coral.validate#ValidationException",
                "message": _TOO_LARGE,
            }
        for kind, write in writes:
            self._do(kind, write)
        return 200, {}

    def _is_too_large(self, kind: str, write: Json) -> bool:
        return kind != "Delete" and size_of(self._becomes(kind, write)) > ITEM_LIMIT

    def _refusal(self, write: Json) -> Json | None:
        """What a refusal brings beside its message; None where the condition holds."""
        there = self._items.get(_key(write.get("Key") or write["Item"]), {})
        condition = write.get("ConditionExpression")
        if condition is None or _condition(condition)(_scope(there, write)):
            return None
        return (
            {"Item": there}
            if there and write.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            else {}
        )

    def _do(self, kind: str, write: Json) -> None:
        if kind == "Delete":
            self._items.pop(_key(write["Key"]), None)
        else:
            item = self._becomes(kind, write)
            self._items[_key(item)] = item

    def _becomes(self, kind: str, write: Json) -> Json:
        """The item that a write leaves."""
        if kind == "Put":
            return write["Item"]
        assert kind == "Update", kind
        there = self._items.get(_key(write["Key"]), write["Key"])
        return _change(write["UpdateExpression"])(_scope(there, write))


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
        return 3 + sum(1 + _value_size(one) for one in content)
    return (
        len(content.encode()) if kind == "S" else len(str(content)) // 2 + 2 if kind == "N" else 1
    )


def _key(item: Json) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _scope(there: Json, write: Json) -> Scope:
    return (
        there,
        write.get("ExpressionAttributeNames", {}),
        write.get("ExpressionAttributeValues", {}),
    )


def _number(wire: Json | None) -> Decimal:
    assert wire and "N" in wire, "only numbers are compared by size"
    return Decimal(wire["N"])


def _equal(one: Json | None, other: Json | None) -> bool:
    if one and other and "N" in one and "N" in other:
        return _number(one) == _number(other)
    return one is not None and one == other


_COMPARE: dict[str, Callable[[Json | None, Json | None], bool]] = {
    "=": _equal,
    "<>": lambda one, other: one is None or not _equal(one, other),
    "<": lambda one, other: None not in (one, other) and _number(one) < _number(other),
    "<=": lambda one, other: None not in (one, other) and _number(one) <= _number(other),
}


class _Reader:
    """Reads an expression, once for each text."""

    def __init__(self, text: str):
        self._rest = _TOKEN.findall(text)
        assert "".join(self._rest) == re.sub(r"\s", "", text), f"not understood: {text}"

    @property
    def is_at_end(self) -> bool:
        """Whether nothing follows."""
        return not self._rest

    def goes_on_with(self, *tokens: str) -> bool:
        """Takes these tokens, if they come next."""
        if self._rest[: len(tokens)] != list(tokens):
            return False
        del self._rest[: len(tokens)]
        return True

    def take(self) -> str:
        """The next token."""
        return self._rest.pop(0)

    def expect(self, token: str) -> None:
        """Takes the next token, which has to be this one."""
        assert self.goes_on_with(token), f"{token} expected before {self._rest}"

    def operand(self) -> Callable[[Scope], Json | None]:
        """``#name``, ``:value`` or ``if_not_exists(#name, :value)``."""
        token = self.take()
        assert token[0] in "#:" or token == "if_not_exists", f"not understood: {token}"
        if token == "if_not_exists":
            self.expect("(")
            first = self.operand()
            self.expect(",")
            second = self.operand()
            self.expect(")")
            return lambda scope: first(scope) or second(scope)
        if token[0] == ":":
            return lambda scope: scope[2][token]
        return lambda scope: scope[0].get(scope[1][token])

    def operands(self) -> list[Callable[[Scope], Json | None]]:
        """Several, with commas between."""
        found = [self.operand()]
        while self.goes_on_with(","):
            found.append(self.operand())
        return found

    def either(self) -> Callable[[Scope], bool]:
        """Conditions with OR between; AND binds more."""
        found = [self._both()]
        while self.goes_on_with("OR"):
            found.append(self._both())
        return lambda scope: any(one(scope) for one in found)

    def _both(self) -> Callable[[Scope], bool]:
        found = [self._single()]
        while self.goes_on_with("AND"):
            found.append(self._single())
        return lambda scope: all(one(scope) for one in found)

    def _single(self) -> Callable[[Scope], bool]:
        if self.goes_on_with("("):
            inner = self.either()
            self.expect(")")
            return inner
        if self.goes_on_with("attribute_not_exists", "("):
            operand = self.operand()
            self.expect(")")
            return lambda scope: operand(scope) is None
        left = self.operand()
        if self.goes_on_with("IN", "("):
            several = self.operands()
            self.expect(")")
            return lambda scope: any(_equal(left(scope), one(scope)) for one in several)
        compare = _COMPARE[self.take()]
        right = self.operand()
        return lambda scope: compare(left(scope), right(scope))


@cache
def _condition(text: str) -> Callable[[Scope], bool]:
    reader = _Reader(text)
    found = reader.either()
    assert reader.is_at_end, text
    return found


@cache
def _change(text: str) -> Callable[[Scope], Json]:
    """``SET #name = operand [+ operand], … REMOVE #name, …``: the item as it becomes.

    All operands are what was there before.
    """
    reader = _Reader(text)
    sets: list[tuple[str, list[Callable[[Scope], Json | None]]]] = []
    removes: list[str] = []
    reader.expect("SET")
    while True:
        name = reader.take()
        reader.expect("=")
        terms = [reader.operand()]
        while reader.goes_on_with("+"):
            terms.append(reader.operand())
        sets.append((name, terms))
        if not reader.goes_on_with(","):
            break
    if reader.goes_on_with("REMOVE"):
        removes.append(reader.take())
        while reader.goes_on_with(","):
            removes.append(reader.take())
    assert reader.is_at_end, text
    assert not {name for name, _ in sets} & set(removes), f"two document paths overlap: {text}"

    def change(scope: Scope) -> Json:
        there, names, _ = scope
        new = {names[name]: _sum([term(scope) for term in terms]) for name, terms in sets}
        gone = {names[name] for name in removes}
        return {name: value for name, value in {**there, **new}.items() if name not in gone}

    return change


def _sum(terms: list[Json | None]) -> Json:
    if len(terms) == 1:
        assert terms[0] is not None, "an attribute that is not there"
        return terms[0]
    return {"N": str(sum(_number(term) for term in terms))}
