"""An account whose answers are laid out before they are asked for, and a clock that only sleeping
moves.
"""

from typing import Any

import boto3
from botocore.stub import Stubber

ACCOUNT = "123456789012"
OURS = [{"Key": "ecs-updater", "Value": "mine"}]


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Passes the time."""
        self.now += seconds


class Account:
    """Clients whose answers are laid out before, in the order of the calls; stands for a
    session.
    """

    def __init__(self):
        self._stubbers: dict[str, tuple[Any, Stubber]] = {}

    def client(self, service: str, **_config: Any) -> Any:
        """The client of a service."""
        if service not in self._stubbers:
            client = boto3.client(service)
            stubber = Stubber(client)
            stubber.activate()
            self._stubbers[service] = client, stubber
        return self._stubbers[service][0]

    def answers(
        self, service: str, method: str, answer: dict[str, Any], /, **expected: Any
    ) -> None:
        """Lays out an answer; `expected` are parameters that the call must have."""
        self.client(service)
        self._stubbers[service][1].add_response(method, answer, expected or None)

    def refuses(self, service: str, method: str, code: str, message: str = "no") -> None:
        """Lays out a refusal."""
        self.client(service)
        self._stubbers[service][1].add_client_error(method, code, message)

    def forget(self, service: str) -> None:
        """Takes the answers back that a service did not have to give."""
        del self._stubbers[service]

    def all_were_asked(self) -> None:
        """Fails when an answer was laid out that nobody asked for."""
        for _, stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()
