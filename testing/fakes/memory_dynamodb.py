"""The ledger's table of DynamoDB in a dictionary: one request at a time, recorded, and failing
where a test says so.

``unit/fakes/test_memory_dynamodb.py`` compares its answers with moto's. An expression that it does
not know is an exception, not an answer.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from email.utils import formatdate
from functools import cache
from itertools import accumulate
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from ecs_updater.ledger.queries import RECENT

from .answers import answer_of
from .fake_ecs import REGION

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

Fault = tuple[int, str, str] | dict[str, Any] | BaseException
"""An answer's status, code and message; the whole body of an answer of the status 400; or what is
raised instead of an answer.
"""


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

_PAGE_LIMIT = 1 << 20
"""The most bytes that one Query reads."""

_REFUSED = "com.amazonaws.dynamodb.v20120810#"
_NO_TABLE = "Requested resource not found"
_NOT_HELD = "The conditional request failed"
_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_KEY_CONDITION = re.compile(r"(#?\w+) = (:\w+)(?: AND begins_with\((#?\w+), (:\w+)\))?")
_TOKEN = re.compile(r"\s*(#\w+|:\w+|<>|<=|>=|[=<>(),+]|\w+)")


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


@dataclass(frozen=True)
class Request:
    """One request as it left for AWS."""

    operation: str
    body: dict[str, Any]


class MemoryDynamodb:
    """The ledger's table, as the templates make it."""

    def __init__(self) -> None:
        self._items: dict[Key, Json] = {}
        self.requests: list[Request] = []
        # Asked before each request, which it may let fail: with a fault, and whether that comes
        # after the effect.
        self.before: Callable[[Request], tuple[Fault, bool] | None] | None = None
        # What the answers have as their ``Date``; None leaves them as they are.
        self.now: Callable[[], float] | None = None
        # Called for each request, which the function does: outside of the lock, so it may wait for
        # other threads.
        self.around: Callable[[Request, Callable[[], AWSResponse]], AWSResponse] = lambda _, send: (
            send()
        )
        self._faults: dict[str, list[tuple[Fault, bool]]] = defaultdict(list)
        self._one_at_a_time = threading.Lock()

    def clear(self) -> None:
        """Empties the table and forgets what was sent."""
        self._items.clear()
        self.requests.clear()
        self._faults.clear()
        self.before = None

    @property
    def items(self) -> dict[Key, Json]:
        """All items by their keys, in the form in which they travel."""
        return dict(self._items)

    def delete(self, pk: str, sk: str) -> None:
        """Deletes an item, as an operator or the TTL does."""
        del self._items[pk, sk]

    @property
    def operations(self) -> list[str]:
        """The operations in the order in which they went over the wire, retries included."""
        return [request.operation for request in self.requests]

    def fail(self, operation: str, *faults: Fault, after_effect: bool = False) -> None:
        """The next calls of ``operation`` fail with these faults, one each; ``after_effect``: after
        having done their work.
        """
        self._faults[operation] += [(fault, after_effect) for fault in faults]

    def client(self, config: Config | None = None) -> Any:
        """A real client whose requests end here instead of on a socket."""
        client = boto3.client("dynamodb", region_name=REGION, config=config)
        client.meta.events.register_last("before-send.dynamodb", self._send)
        return client

    def _send(self, event_name: str, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        sent = Request(operation, json.loads(request.body))
        return self.around(sent, lambda: self._respond(sent, event_name, request))

    def _respond(self, sent: Request, event_name: str, request: Any) -> AWSResponse:
        operation = sent.operation
        with self._one_at_a_time:
            planned = self.before(sent) if self.before else None
            self.requests.append(sent)
            if planned is None and self._faults[operation]:
                planned = self._faults[operation].pop(0)
            fault, after_effect = planned or (None, False)
            answer = self._effect(event_name, request) if fault is None or after_effect else None
        if isinstance(fault, BaseException):
            raise fault
        response = _failed(request.url, fault) if fault else answer
        if self.now:
            response.headers["Date"] = formatdate(self.now(), usegmt=True)
        return response

    def _effect(self, event_name: str, request: Any) -> AWSResponse:
        """What comes of a request that does not fail."""
        operation = event_name.rpartition(".")[2]
        status, content = self.answer(operation, json.loads(request.body))
        return answer_of(request.url, status, content)

    def answer(self, operation: str, body: Json) -> tuple[int, Json]:
        """Status and body of the answer to one request. Whoever calls lets no two in at once."""
        if TABLE not in json.dumps(body):
            return 400, {"__type": f"{_REFUSED}ResourceNotFoundException", "message": _NO_TABLE}
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
        names = body.get("ExpressionAttributeNames", {})
        index = {None: ("pk", "sk"), RECENT.name: (RECENT.hash_key, RECENT.range_key)}
        keys = index[body.get("IndexName")]
        found = self._asked_for(body, keys, names)
        fitting = sum(size <= _PAGE_LIMIT for size in accumulate(map(size_of, found)))
        page = found[: min(fitting, body.get("Limit", fitting))]
        more = {}
        if len(page) < len(found):
            more["LastEvaluatedKey"] = {name: page[-1][name] for name in (*keys, "pk", "sk")}
        if shown := body.get("ProjectionExpression"):
            only = [names[one] for one in shown.split(", ")]
            page = [{one: item[one] for one in only if one in item} for item in page]
        return 200, {"Items": page, "Count": len(page), "ScannedCount": len(page)} | more

    def _asked_for(self, body: Json, keys: tuple[str, str], names: Json) -> list[Json]:
        """The items of a query from its start on, on all its pages."""
        asked = _KEY_CONDITION.fullmatch(body["KeyConditionExpression"])
        assert asked, f"not understood: {body['KeyConditionExpression']}"
        used = [names.get(name, name) for name in (asked[1], asked[3]) if name]
        assert used == [*keys][: len(used)], f"no key of the index: {used}"
        values = body["ExpressionAttributeValues"]
        prefix = values[asked[4]]["S"] if asked[4] else ""

        def place(item: Json) -> tuple[str, ...]:
            return tuple(item[name]["S"] for name in (keys[1], "pk", "sk"))

        start, is_reversed = body.get("ExclusiveStartKey"), not body.get("ScanIndexForward", True)
        found = [
            item
            for item in self._items.values()
            if item.get(keys[0]) == values[asked[2]] and place(item)[0].startswith(prefix)
        ]
        found.sort(key=place, reverse=is_reversed)
        if not start:
            return found
        begin = place(start)
        return [i for i in found if (place(i) < begin if is_reversed else place(i) > begin)]

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


def _failed(url: str, fault: tuple[int, str, str] | Json) -> AWSResponse:
    if isinstance(fault, dict):
        return answer_of(url, 400, fault)
    return answer_of(url, fault[0], {"__type": fault[1], "message": fault[2]})


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
