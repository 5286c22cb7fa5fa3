"""An account whose answers are laid out before they are asked for."""

from typing import Any

import boto3
from botocore.stub import Stubber

ACCOUNT = "123456789012"
OURS = [{"Key": "ecs-updater", "Value": "mine"}]


class Account:
    """Clients whose answers are laid out before, in the order of the calls; stands for a
    session.
    """

    def __init__(self):
        self._stubbers: dict[str, Stubber] = {}

    def client(self, service: str, **_config: Any) -> Any:
        """The client of a service."""
        if service not in self._stubbers:
            self._stubbers[service] = Stubber(boto3.client(service))
            self._stubbers[service].activate()
        return self._stubbers[service].client

    def lays_out(self, *steps: tuple[Any, ...]) -> None:
        """Lays out answers: service, method, the answer or a code of a refusal, and optionally the
        parameters that the call must have or the message of the refusal.
        """
        for service, method, answer, *more in steps:
            self.client(service)
            stubber = self._stubbers[service]
            if isinstance(answer, str):
                stubber.add_client_error(method, answer, *more)
            else:
                stubber.add_response(method, answer, *more)

    def all_were_requested(self) -> None:
        """Fails when an answer was laid out that nobody asked for."""
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()
