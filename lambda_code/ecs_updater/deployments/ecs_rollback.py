"""ECS's own rollback of a service deployment that goes on: StopServiceDeployment with ROLLBACK.

A second deployment in place of it, or against it, would shift traffic twice.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..aws.ecs import Ecs
from ..context import Clock
from ..errors import LASTING, AwsFailure, Outcome
from ..model.service import Snapshot, primary_deployment
from ..rollout.service_deployment import ServiceDeployment

_NO_TARGET = (
    "ECS is rolling back the service and does not report yet to which revision: try again later"
)

_POLLS, _PAUSE = 6, 2.0
"""Polls for the deployment of ECS's own rollback, and the seconds before each."""


@dataclass(frozen=True)
class EcsRollback:
    """ECS's own rollback of a service deployment: a possible one, or one in progress."""

    service_deployment_arn: str
    task_definition: str
    """ARN of the revision to which ECS rolls back."""
    is_rolling_back: bool


def find_ecs_rollback(ecs: Ecs, snapshot: Snapshot) -> EcsRollback | None:
    """Returns ECS's own rollback of the current service deployment. Two calls.

    None: it has ended, ECS has no such API, or no single revision to return to. Raises AwsFailure,
    also while ECS rolls back to a revision that is not known.
    """
    arn = snapshot.service_deployment_arn
    if arn is None:
        return None
    found, task_definition = ServiceDeployment(""), None
    try:
        answer = ecs.service_deployment(arn) or {}
        found = ServiceDeployment.of(answer)
        if not (found.goes_on or found.is_rolling_back):
            return None
        sources = [source["arn"] for source in answer.get("sourceServiceRevisions") or ()]
        if found.is_rolling_back:
            target = (answer.get("rollback") or {}).get("serviceRevisionArn")
            sources = [target] if target else sources
        if len(sources) == 1:
            task_definition = (ecs.service_revision(sources[0]) or {}).get("taskDefinition")
    except AwsFailure as failure:
        if failure.outcome not in LASTING or found.is_rolling_back:
            raise
        return None
    if task_definition:
        return EcsRollback(arn, task_definition, found.is_rolling_back)
    if found.is_rolling_back:
        raise AwsFailure("DescribeServiceDeployments", Outcome.NOT_NOW, "", _NO_TARGET)
    return None


def request_ecs_rollback(ecs: Ecs, service_deployment_arn: str) -> bool:
    """Requests ECS's own rollback. Returns False if the deployment has ended, or without the API.

    ECS may be rolling it back already. Raises AwsFailure if it is not known whether ECS does.
    """
    for is_last in (False, True):
        try:
            ecs.roll_back_service_deployment(service_deployment_arn)
            return True
        except AwsFailure as failed:
            failure = failed
        try:
            answer = ecs.service_deployment(service_deployment_arn)
        except AwsFailure as unread:
            if unread.outcome in LASTING and failure.outcome is not Outcome.UNKNOWN:
                return False
            raise
        found = ServiceDeployment.of(answer or {})
        if found.is_rolling_back or found.is_rolled_back:
            return True
        if failure.outcome is not Outcome.UNKNOWN or not found.goes_on:
            return False
        if is_last:
            raise failure
    raise AssertionError("the last attempt returns or raises")


def wait_for_rollback(
    ecs: Ecs, clock: Clock, cluster: str, service: str, deployment_id: str | None, deadline: float
) -> Mapping[str, Any]:
    """Returns the service as soon as another deployment than this is PRIMARY.

    Empty: it is still the same. Raises AwsFailure.
    """
    for _ in range(_POLLS):
        if clock.now() + _PAUSE > deadline:
            break
        clock.sleep(_PAUSE)
        found, _ = ecs.describe_service(cluster, service)
        primary = primary_deployment(found or {})
        if found and primary and primary.get("id") != deployment_id:
            return found
    return {}


def is_rollback_of_ecs(service: Mapping[str, Any], service_deployment_arn: str | None) -> bool:
    """Returns whether ECS made the PRIMARY deployment to roll back a service deployment.

    A rollback is a part of the service deployment that it rolls back.
    """
    reason = primary_deployment(service).get("rolloutStateReason", "")
    if "rolling back" in reason.lower():
        return True
    current = service.get("currentServiceDeployment")
    return service_deployment_arn is not None and current == service_deployment_arn
