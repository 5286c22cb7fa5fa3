"""The way in and out of a simulated AWS service: botocore's ``before-send``, faults, the record of
requests.

https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from threading import RLock
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

REGION, ACCOUNT = "eu-west-1", "123456789012"
PREFIX = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"
CLUSTER_ARN = f"{PREFIX}cluster/ECSCluster"
SERVICE_ARN = f"{PREFIX}service/ECSCluster/ecs-dummy-service"
FAMILY_ARN = f"{PREFIX}task-definition/ecs-dummy-task"

THROTTLED = (400, "ThrottlingException", "Rate exceeded")
SERVER_ERROR = (500, "ServerException", "Service Unavailable. Please try again later.")
DENIED = (400, "AccessDeniedException", "User is not authorized to perform this action")
REFUSED = (400, "ClientException", "Invalid setting for container.")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://ecs")
CONNECTION_RESET = ConnectionClosedError(endpoint_url="https://ecs")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://ecs")

_WITHOUT_SIGNATURE = Config(signature_version=UNSIGNED)
"""A signature takes a tenth of the SDK's time for a request, and no simulated service reads it."""

ANY = "*"
"""In the place of an operation: whichever comes next."""

_HERE = "simulated-aws"

Json = dict[str, Any]
Fault = tuple[int, str, str] | Json | BaseException
"""Status, code and message of a response, another response, or what is raised instead of one."""


class Killed(BaseException):
    """The process of the code under test is killed; nothing that it has catches this."""


class Refusal(Exception):
    """An error response: its status, code, message and further fields."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any):
        self.status, self.code = status, code
        self.body = {"__type": code, "message": message, **fields}
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True)
class Request:
    """One request as it left for AWS."""

    operation: str
    body: Json
    url: str


@dataclass
class _Planned:
    operation: str
    fault: Fault | None
    after_effect: bool
    times: float
    until: float


class Wire:
    """Takes the requests of real clients of one service and answers them."""

    now: Callable[[], float] | None = None
    """The service's clock, for the ``Date`` of the responses; None: they have none."""

    def __init__(self, service: str):
        self.requests: list[Request] = []
        """Each request that went over the wire, retries included."""
        self.refusals: list[Refusal] = []
        """What the service refused, without the faults that a test lets happen."""
        self.before: Callable[[Request], tuple[Fault, bool] | None] | None = None
        """Called before each request, which it may let fail: with a fault, and whether that comes
        after the effect.
        """
        self.around: Callable[[Request, Callable[[], AWSResponse]], AWSResponse] = lambda _, send: (
            send()
        )
        """Called for each request, which ``send`` does: outside of the lock, so it may wait for
        other threads.
        """
        self.lock = RLock()
        """Held while a request has its effect."""
        self._service = service
        self._plan: list[_Planned] = []

    def answer(self, operation: str, body: Json) -> Json:
        """Does what a request asks for; the body of the response. Raises Refusal."""
        raise NotImplementedError

    @property
    def operations(self) -> list[str]:
        """The operations in the order in which they went over the wire, retries included."""
        return [request.operation for request in self.requests]

    def client(self, config: Config | None = None) -> Any:
        """A real boto3 client whose requests end here instead of on a socket. It signs none."""
        config = config.merge(_WITHOUT_SIGNATURE) if config else _WITHOUT_SIGNATURE
        client = boto3.client(self._service, region_name=REGION, config=config)
        self.take(client)
        return client

    def take(self, client: Any) -> None:
        """Has the requests of ``client`` end here, wherever they ended before: to make a client
        takes longer than most tests do.
        """
        event = f"before-send.{self._service}"
        client.meta.events.unregister(event, unique_id=_HERE)
        client.meta.events.register_last(event, self._send, unique_id=_HERE)

    def fail(
        self,
        operation: str,
        *faults: Fault | None,
        after_effect: bool = False,
        times: float = 1,
        until: float = float("inf"),
    ) -> None:
        """Lets the next calls of ``operation`` fail, ``times`` times with each fault, until the
        moment ``until`` at most. ``after_effect``: after having done their work. The fault None
        lets a call succeed.
        """
        self._plan += [_Planned(operation, fault, after_effect, times, until) for fault in faults]

    def stop_failing(self) -> None:
        """Forgets the faults that are still to come."""
        self._plan.clear()

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        sent = Request(operation, json.loads(request.body), request.url)
        return self.around(sent, lambda: self._respond(sent))

    def _respond(self, sent: Request) -> AWSResponse:
        with self.lock:
            fault, after_effect = self._fault(sent) or (None, False)
            self.requests.append(sent)
            status, content = 200, {}
            if fault is None or after_effect:
                try:
                    content = self.answer(sent.operation, sent.body)
                except Refusal as refusal:
                    self.refusals.append(refusal)
                    status, content = refusal.status, refusal.body
            self._pass_time(fault)
            if isinstance(fault, Refusal):
                status, content = fault.status, fault.body
            elif isinstance(fault, BaseException):
                raise fault
            elif isinstance(fault, dict):
                content = fault
            elif fault:
                status, content = fault[0], {"__type": fault[1], "message": fault[2]}
            return answer_of(sent.url, status, content, self.now() if self.now else None)

    def _fault(self, sent: Request) -> tuple[Fault | None, bool] | None:
        """The fault of a request, and whether it comes after the effect."""
        fault = self.before(sent) if self.before else None
        if fault:
            return fault
        moment = self.now() if self.now else 0.0
        self._plan = [each for each in self._plan if each.times > 0 and moment <= each.until]
        for planned in self._plan:
            if planned.operation in (sent.operation, ANY):
                planned.times -= 1
                return planned.fault, planned.after_effect
        return None

    def _pass_time(self, fault: Fault | None) -> None:
        """Lets the time pass that a request takes."""


class Raw:
    """As much of urllib3's response as botocore reads."""

    def __init__(self, content: bytes):
        self._content = content

    def stream(self, **_: Any) -> Any:
        """The whole content at once."""
        yield self._content


def answer_of(url: str, status: int, body: Json, now: float | None = None) -> AWSResponse:
    """The answer ``body`` of a service that speaks JSON; ``now``: with the time by the service's
    clock.
    """
    content = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "x-amzn-RequestId": "0",
        "Content-Length": str(len(content)),
    }
    if now is not None:
        headers["Date"] = formatdate(now, usegmt=True)
    return AWSResponse(url, status, headers, Raw(content))
