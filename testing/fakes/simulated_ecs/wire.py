"""The way in and out: botocore's ``before-send``, faults, the record of calls.

https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from fakes.answers import answer_of
from fakes.ecs_buckets import Buckets
from fakes.fake_ecs import REGION, THROTTLED, Request

from .clock import Clock

_HERE = "simulated-ecs"

ANY = "*"
"""In the place of an operation: whichever comes next."""


class Killed(BaseException):
    """The process of the code under test is killed; nothing that it has catches this."""


Fault = tuple[int, str, str] | BaseException
Answer = Callable[[str, dict[str, Any]], dict[str, Any]]


class Call(NamedTuple):
    """One request that went over the wire, retries included."""

    time: float
    operation: str


class Refusal(Exception):
    """What ECS refuses: status, code and message of the answer."""

    def __init__(self, code: str, message: str, status: int = 400):
        self.status, self.code, self.message = status, code, message
        super().__init__(f"{code}: {message}")


@dataclass
class _Planned:
    operation: str
    fault: Fault
    after_effect: bool
    times: float
    until: float


class Wire:
    """Takes the requests of real clients and answers them, on the clock."""

    def __init__(
        self,
        clock: Clock,
        answer: Answer,
        latency: float,
        time_out: float,
        has_limits: bool,
    ):
        self.calls: list[Call] = []
        self.requests: list[Request] = []
        self.before: Callable[[Request], tuple[Fault, bool] | None] | None = None
        """Asked before each request, which it may let fail: with a fault, and whether that comes
        after the effect.
        """
        self.around: Callable[[Request, Callable[[], AWSResponse]], AWSResponse] = lambda _, send: (
            send()
        )
        """Called for each request, which ``send`` does: outside of the clock's lock, so it may wait
        for other threads.
        """
        self._clock, self._answer, self._latency, self._time_out = clock, answer, latency, time_out
        self._plan: list[_Planned] = []
        self._has_limits = has_limits
        self.buckets = Buckets()
        """ECS's rate limits, and the number of calls of each operation."""

    def client(self, config: Config | None = None) -> Any:
        """A real boto3 client whose requests end here instead of on a socket."""
        client = boto3.client("ecs", region_name=REGION, config=config)
        self.take(client)
        return client

    def take(self, client: Any) -> None:
        """Has the requests of ``client`` end here, wherever they ended before: to make a client
        takes longer than most tests do.
        """
        client.meta.events.unregister("before-send.ecs", unique_id=_HERE)
        client.meta.events.register_last("before-send.ecs", self._send, unique_id=_HERE)

    def replace_answer(self, answer: Answer) -> Answer:
        """Lets another function answer the requests. Returns the present one."""
        present, self._answer = self._answer, answer
        return present

    def fail(
        self,
        operation: str,
        *faults: Fault,
        after_effect: bool = False,
        times: float = 1,
        until: float = float("inf"),
    ) -> None:
        """Lets the next calls of ``operation`` fail, ``times`` times with each fault, until the
        moment ``until`` at most.
        """
        self._plan += [_Planned(operation, fault, after_effect, times, until) for fault in faults]

    def throttle(self, operation: str, times: float, until: float) -> None:
        """Refuses calls for now."""
        self.fail(operation, THROTTLED, times=times, until=until)

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        body = json.loads(request.body)
        sent = Request(operation, body)
        return self.around(sent, lambda: self._respond(sent, request.url))

    def _respond(self, sent: Request, url: str) -> AWSResponse:
        operation, body = sent.operation, sent.body
        with self._clock.lock:
            if self._has_limits and not self.buckets.take(operation, self._clock.now()):
                fault: tuple[Fault, bool] | None = (THROTTLED, False)
            else:
                fault = self.before(sent) if self.before else None
            self.calls.append(Call(self._clock.now(), operation))
            self.requests.append(sent)
            planned = (
                _Planned(operation, *fault, times=1, until=float("inf"))
                if fault
                else self._next_fault(operation)
            )
            content: dict[str, Any] = {}
            status = 200
            if planned is None or planned.after_effect:
                try:
                    content = self._answer(operation, body)
                except Refusal as refusal:
                    status, content = (
                        refusal.status,
                        {"__type": refusal.code, "message": refusal.message},
                    )
            if planned:
                status, content = self._raise_or_answer(planned.fault)
            self._clock.advance(self._latency)
        return answer_of(url, status, content, self._clock.now())

    def _next_fault(self, operation: str) -> _Planned | None:
        now = self._clock.now()
        self._plan = [
            planned for planned in self._plan if planned.times > 0 and now <= planned.until
        ]
        planned = next(
            (planned for planned in self._plan if planned.operation in (operation, ANY)), None
        )
        if planned:
            planned.times -= 1
        return planned

    def _raise_or_answer(self, fault: Fault) -> tuple[int, dict[str, Any]]:
        if isinstance(fault, BaseException):
            self._clock.advance(
                self._time_out if isinstance(fault, ReadTimeoutError) else self._latency
            )
            raise fault
        status, code, message = fault
        return status, {"__type": code, "message": message}
