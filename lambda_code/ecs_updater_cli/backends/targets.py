"""Targets of the command line: other accounts and regions, from the function's parameter.

The command assumes their roles with its own credentials.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecs_updater.aws.targets import TargetAccess
from ecs_updater.errors import ConfigurationError, InvalidEventError
from ecs_updater.model.arn import account_prefix
from ecs_updater.model.request import TARGET, Request
from ecs_updater.model.targets import Target

from ..batch.state import plain_cause
from ..errors import AWS, CommandError, input_error
from ..manifest.entries import ServiceIdentity
from .aws_errors import aws_error_of


class ReadAccess(TargetAccess):
    """Access to targets in their read roles, which change nothing."""

    def session(self, target: Target, role: str) -> Any:
        """Returns the session in the read role, whatever `role` is. Raises TargetRoleError."""
        del role
        return super().session(target, target.read_role)


@contextmanager
def input_errors(subject: str = "") -> Iterator[None]:
    """Translates InvalidEventError to CommandError. `subject`: begins the sentence."""
    try:
        yield
    except InvalidEventError as error:
        raise input_error(*filter(None, (f"{subject}{error.violation}", error.hint))) from None


def read_targets(access: TargetAccess, parameter: str, region: str) -> None:
    """Reads the targets, which `access` keeps. Raises CommandError."""
    try:
        access.targets()
    except ConfigurationError as error:
        if failure := error.failure:
            reason = "; ".join(aws_error_of(failure).lines)
            raise CommandError(
                AWS,
                f"the targets in the parameter {parameter} of {region} cannot be read: "
                f"{reason}: create it, give the function's name with --name, or take another "
                "--region",
            ) from None
        raise input_error(
            plain_cause(str(error)).replace(" of the function's TARGETS_PARAMETER", "", 1)
        ) from None


def request_of(event: Mapping[str, Any]) -> Request:
    """Returns a request with only the service of an event."""
    return Request(
        cluster=event["ecs_cluster_name"],
        service=event["ecs_service_name"],
        target=event.get(TARGET),
    )


def prefix_of(event: Mapping[str, Any], access: TargetAccess, home: str) -> str:
    """Returns the beginning of the ARNs in the account and region of an event's service.

    `home`: that of the command. Raises InvalidEventError or ConfigurationError.
    """
    cluster = access.locate(request_of(event)).cluster
    return account_prefix(cluster) if cluster.startswith("arn:") else home


def check_places(events: Iterable[Mapping[str, Any]], access: TargetAccess, home: str) -> None:
    """Checks that each service is at home or in its target. Raises CommandError."""
    for event in events:
        identity = ServiceIdentity.of(event)
        if identity.target is None and identity.account not in (None, home):
            raise input_error(
                f"{identity} is in {identity.account.rstrip(':')}, and this command works in "
                f"{home.rstrip(':')}: take another --profile or --region, or name its target"
            )
        with input_errors(f"{identity}: "):
            access.locate(request_of(event))
