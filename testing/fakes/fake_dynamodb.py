"""moto's DynamoDB in this process, with a table for the ledger: one request at a time, recorded,
and failing where a test says so.

DynamoDB writes an item on a condition as one step. moto does not promise that to threads, so
requests wait for each other here. What a condition means is moto's; a fault comes before the effect
of a request, or after it with the answer lost.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from moto.backends import get_backend
from moto.core.models import botocore_stubber

from ecs_updater.ledger.queries import RECENT

from .fake_ecs import ACCOUNT, REGION

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


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


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


class FakeDynamodb:
    """One table, as the templates make it. To be made and used under ``moto.mock_aws()``."""

    def __init__(self) -> None:
        self._prepare()
        self.admin = boto3.client("dynamodb", region_name=REGION)
        self.admin.create_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"}
                for name in ("pk", "sk", "feed", "begun_at")
            ],
            KeySchema=_keys("pk", "sk"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": RECENT.name,
                    "KeySchema": _keys(RECENT.hash_key, RECENT.range_key),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def _prepare(self) -> None:
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
        """Makes it as it was at first: to make a client takes longer than most tests do."""
        get_backend("dynamodb")[ACCOUNT][REGION].tables[TABLE].items.clear()
        self.requests.clear()
        self._faults.clear()
        self.before = None

    @property
    def operations(self) -> list[str]:
        """The operations in the order in which they went over the wire, retries included."""
        return [request.operation for request in self.requests]

    @property
    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        """All that is in the table, by its key, in the form in which it travels."""
        pages = self.admin.get_paginator("scan").paginate(TableName=TABLE)
        return {
            (item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]
        }

    def fail(self, operation: str, *faults: Fault, after_effect: bool = False) -> None:
        """The next calls of ``operation`` fail with these faults, one each; ``after_effect``: after
        having done their work.
        """
        self._faults[operation] += [(fault, after_effect) for fault in faults]

    def client(self, config: Config | None = None) -> Any:
        """A real boto3 client whose requests end at moto instead of on a socket."""
        client = boto3.client("dynamodb", region_name=REGION, config=config)
        # The SDK asks all handlers: the effect would come twice.
        client.meta.events.unregister("before-send", botocore_stubber)
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
        told = _failed(request.url, fault) if fault else answer
        if self.now:
            told.headers["Date"] = formatdate(self.now(), usegmt=True)
        return told

    def _effect(self, event_name: str, request: Any) -> AWSResponse:
        """What comes of a request that does not fail."""
        return botocore_stubber(event_name, request)


class _Raw:
    """As much of urllib3's response as botocore reads."""

    def __init__(self, content: bytes):
        self._content = content

    def stream(self, **_: Any) -> Any:
        """The whole content at once."""
        yield self._content


def _failed(url: str, fault: tuple[int, str, str] | dict[str, Any]) -> AWSResponse:
    status, body = (
        (400, fault)
        if isinstance(fault, dict)
        else (fault[0], {"__type": fault[1], "message": fault[2]})
    )
    return AWSResponse(
        url, status, {"Content-Type": "application/x-amz-json-1.0"}, _Raw(json.dumps(body).encode())
    )
