"""Returns a service to a revision that it has run before.

A deployment that is still running is stopped through ECS's own rollback where the API has one: ECS
then records it as what it is.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..aws.ecs import Ecs
from ..aws.failure import AwsFailure, Outcome
from ..clock import Clock
from ..described import primary_deployment

_LOOKS, _PAUSE = 6, 2.0
"""How often, and after how many seconds, is looked for the deployment that ECS's own rollback
makes.
"""


@dataclass(frozen=True)
class Return:
    """What is to be left, and where to."""

    cluster: str
    service: str
    """ARNs."""
    deployment_id: str | None
    """The deployment that is left."""
    service_deployment_arn: str | None
    """ECS's own record of it, where there is one and it has not ended."""
    task_definition_arn: str
    """The revision to return to."""


def return_service(
    ecs: Ecs, back: Return, clock: Clock, deadline: float, before_write: Callable[[], None]
) -> Mapping[str, Any]:
    """Starts the return; the PRIMARY deployment that does it, or somebody else's that came first;
    empty while ECS has none yet.

    Every call of it can be repeated: a service that is on its way to a revision gets no second
    deployment to it. ``before_write`` says whether the service is still ours to write to, and
    raises if not. Raises AwsFailure.
    """
    if back.service_deployment_arn and _is_rolled_back_by_ecs(
        ecs, back.service_deployment_arn, before_write
    ):
        deployment = _another_deployment(ecs, back, clock, deadline)
        if (
            not is_rollback_of_ecs(deployment)
            or deployment.get("taskDefinition") == back.task_definition_arn
        ):
            return deployment
        # ECS returns to another revision than the one that is known to have worked.
    return primary_deployment(_update(ecs, back, before_write))


def is_rollback_of_ecs(deployment: Mapping[str, Any]) -> bool:
    """Whether ECS made a deployment to leave one that failed or was stopped."""
    return "rolling back" in deployment.get("rolloutStateReason", "").lower()


def _is_rolled_back_by_ecs(
    ecs: Ecs, service_deployment_arn: str, before_write: Callable[[], None]
) -> bool:
    """Whether ECS takes the deployment back by itself; not when it has ended by now, or the API has
    no such thing.
    """
    before_write()
    try:
        ecs.roll_back_service_deployment(service_deployment_arn)
    except AwsFailure:
        return False  # Another way leads to the same.
    return True


def _another_deployment(ecs: Ecs, back: Return, clock: Clock, deadline: float) -> Mapping[str, Any]:
    """The PRIMARY deployment once it is another one; empty when it stays the same."""
    for _ in range(_LOOKS):
        if clock.now() + _PAUSE > deadline:
            break
        clock.sleep(_PAUSE)
        service, _ = ecs.describe_service(back.cluster, back.service)
        primary = primary_deployment(service or {})
        if primary and primary.get("id") != back.deployment_id:
            return primary
    return {}


def _update(ecs: Ecs, back: Return, before_write: Callable[[], None]) -> Mapping[str, Any]:
    for is_last in (False, True):
        before_write()
        try:
            return ecs.update_service(
                back.cluster, back.service, task_definition=back.task_definition_arn
            )
        except AwsFailure as failure:
            if is_last or failure.outcome is not Outcome.UNKNOWN:
                raise
    raise AssertionError("the last attempt returns or raises")
