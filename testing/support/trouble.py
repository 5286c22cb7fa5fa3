"""What can go wrong with a request to AWS, and with which requests of a process: those to both
services are counted together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from ecs_updater.aws import codepipeline as codepipeline_boundary
from ecs_updater.aws import dynamodb as dynamodb_boundary
from ecs_updater.aws import ecs as ecs_boundary
from ecs_updater.aws.notifications import EventBus
from fakes import memory_dynamodb, wire

ECS, DYNAMODB, CODEPIPELINE, EVENTS = "ecs", "dynamodb", "codepipeline", "events"
_ATTEMPTS = {
    ECS: ecs_boundary._CONFIG.retries["total_max_attempts"],  # pylint: disable=protected-access,no-member
    DYNAMODB: dynamodb_boundary.ATTEMPTS,
    EVENTS: EventBus.CONFIG.retries["total_max_attempts"],  # pylint: disable=no-member
    CODEPIPELINE: codepipeline_boundary._CONFIG.retries["total_max_attempts"],  # pylint: disable=protected-access,no-member
}
"""How often the SDK sends one request at most."""


@dataclass(frozen=True)
class Kind:
    """One way to go wrong."""

    name: str
    faults: dict[str, Any]
    """By service."""
    after_effect: bool = False
    """Whether AWS has done its work by then."""

    @property
    def kills(self) -> bool:
        """Whether the process ends there and then."""
        return isinstance(self.faults[ECS], BaseException) and not isinstance(
            self.faults[ECS], Exception
        )


def _either_way(name: str, ecs: Any, dynamodb: Any) -> tuple[Kind, Kind]:
    faults = {ECS: ecs, DYNAMODB: dynamodb, CODEPIPELINE: ecs, EVENTS: ecs}
    return Kind(f"{name} before the effect", faults), Kind(f"{name} after the effect", faults, True)


THROTTLED = Kind(
    "throttled",
    {
        ECS: wire.THROTTLED,
        DYNAMODB: memory_dynamodb.THROTTLED,
        CODEPIPELINE: wire.THROTTLED,
        EVENTS: wire.THROTTLED,
    },
)
SERVER_ERROR, SERVER_ERROR_AFTER = _either_way(
    "500", wire.SERVER_ERROR, memory_dynamodb.SERVER_ERROR
)
TIMED_OUT, TIMED_OUT_AFTER = _either_way(
    "timed out", wire.TIMED_OUT, ReadTimeoutError(endpoint_url="https://dynamodb")
)
RESET, RESET_AFTER = _either_way(
    "reset", wire.CONNECTION_RESET, ConnectionClosedError(endpoint_url="https://dynamodb")
)
KILLED, KILLED_AFTER = _either_way("killed", wire.Killed("here"), wire.Killed("here"))
FAILURES = (
    THROTTLED,
    SERVER_ERROR,
    SERVER_ERROR_AFTER,
    TIMED_OUT,
    TIMED_OUT_AFTER,
    RESET,
    RESET_AFTER,
)
KILLS = (KILLED, KILLED_AFTER)


class Reach(Enum):
    """Which requests fail."""

    ONCE = "once"
    """One: the SDK repeats most."""
    CALL = "until the SDK gives up"
    """One and its repetitions by the SDK."""
    OUTAGE = "until the process ends"
    """One, and everything that the process sends to that service afterwards."""


@dataclass(frozen=True)
class Trouble:
    """What happens to one process."""

    at: int
    """Which request is the first to fail, counted from 0 over both services."""
    kind: Kind
    reach: Reach = Reach.ONCE

    def __str__(self) -> str:
        return f"{self.kind.name} at request {self.at}, {self.reach.value}"


class Process:
    """What one process sends to AWS, and what goes wrong with it.

    Who was killed sends nothing more, also not on its way out.
    """

    def __init__(self, trouble: Trouble | None, pass_time: Callable[[float], None]):
        self.sent: list[tuple[str, str]] = []
        """Service and operation of each request, in order."""
        self.failed: list[tuple[str, str]] = []
        """Of those, which went wrong."""
        self._trouble, self._pass_time = trouble, pass_time
        self._first: tuple[str, Any] | None = None
        self._left = 0
        self.is_dead = False

    def ends(self) -> None:
        """It is over: what comes now is somebody else's, and nothing goes wrong with it."""
        self._trouble, self.is_dead = None, False

    def before(self, service: str, request: Any) -> tuple[Any, bool] | None:
        """The fault of the request that is about to be sent, and whether it comes after the effect;
        None without.
        """
        if self.is_dead:
            raise wire.Killed("it is dead already")
        self.sent.append((service, request.operation))
        trouble = self._trouble
        if not trouble or not self._is_meant(trouble, service, request):
            return None
        self.failed.append((service, request.operation))
        self.is_dead = trouble.kind.kills
        fault = trouble.kind.faults[service]
        if service == DYNAMODB and isinstance(fault, ReadTimeoutError):
            self._pass_time(dynamodb_boundary.READ_TIMEOUT)  # Simulated ECS does that itself.
        return fault, trouble.kind.after_effect

    def _is_meant(self, trouble: Trouble, service: str, request: Any) -> bool:
        if len(self.sent) - 1 == trouble.at:
            self._first, self._left = (service, request), _ATTEMPTS[service] - 1
            return True
        if self._first is None or trouble.reach is Reach.ONCE:
            return False
        if trouble.reach is Reach.OUTAGE:
            return service == self._first[0]
        if self._left and self._first == (service, request):
            self._left -= 1
            return True
        self._left = 0
        return False
