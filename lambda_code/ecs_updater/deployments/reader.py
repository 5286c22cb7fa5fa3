"""Reads a service and the task definition that it runs, and refuses one that cannot be updated:
nothing is written yet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..errors import (
    ClusterNotFoundError,
    DeploymentControllerError,
    EcsUpdaterError,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadError,
    ServiceReadRefusedError,
    TaskDefinitionFamilyError,
)
from ..model import service as service_description
from ..model.arn import service_key
from ..model.nearest_name import nearest
from ..model.request import Request
from ..model.service import ServiceDescription, Snapshot
from ..rollout.rollout_state import RolloutState, ServiceDeployment, rollout_state_of

Told = ServiceDescription


def read(
    ecs: Ecs, request: Request, family: str | None = None, told: Told | None = None
) -> Snapshot:
    """Reads the service and the task definition that it runs: two calls, one where the first is
    ``told``.

    One more where the state of a deployment does not say whether it is complete, as for other
    strategies than the rolling update. ``family`` is the task-definition family that it must be
    running, if any. Raises ClusterNotFoundError, ServiceNotFoundError, ServiceNotActiveError,
    DeploymentControllerError, TaskDefinitionFamilyError, ServiceReadRefusedError or
    ServiceReadError.
    """
    service = _describe(ecs, request, told)
    _check_updatable(service, request)
    try:
        task_definition, task_definition_tags = ecs.describe_task_definition(
            service_description.task_definition(service) or ""
        )
    except AwsFailure as failure:
        # Not the caller's fault even when it was refused: the name is ECS's own.
        raise ServiceReadError(str(failure)).caused_by(failure) from failure
    if family:
        check_family(task_definition, request, family)
    primary = service_description.primary_deployment(service)
    tags, own_tags = service_description.tags(service), service_description.own_tags(service)
    launch_type = service_description.launch_type(service)
    deployment_ids = service_description.deployment_ids(service)
    key = service_key(service["serviceArn"], service["clusterArn"])
    seen = rollout_state_of(service, primary.get("id", ""))
    if seen.needs_service_deployment and (arn := service.get("currentServiceDeployment")):
        seen = _with_record(ecs, seen, arn)
    return Snapshot(
        key=key,
        cluster_arn=service["clusterArn"],
        service_arn=service["serviceArn"],
        task_definition=task_definition,
        task_definition_tags=tuple(task_definition_tags),
        tags=own_tags,
        reserved_tags=dict(tags.items() - own_tags.items()),
        deployment_id=primary.get("id"),
        updated_on=primary.get("updatedAt") or service.get("createdAt"),
        deployment_ids=deployment_ids,
        completed=seen.completed,
        service_deployment_arn=service.get("currentServiceDeployment"),
        deployment_configuration=service.get("deploymentConfiguration") or {},
        on_fargate=launch_type == service_description.FARGATE if launch_type else None,
        has_completed=seen.deployment is None or seen.is_complete,
        service=service,
    )


def check_family(task_definition: Mapping[str, Any], request: Request, family: str | None) -> None:
    """Raises TaskDefinitionFamilyError where the running ``task_definition`` is not of ``family``,
    if there is one.
    """
    if family and family != task_definition["family"]:
        raise TaskDefinitionFamilyError(
            f"ecs_service_name {request.service} runs the task-definition family "
            f"{task_definition['family']}, "
            f"not {family}, which the function's TASK_DEF says"
        )


def _describe(ecs: Ecs, request: Request, told: Told | None) -> dict[str, Any]:
    try:
        service, failures = (
            (told.service, told.failures)
            if told
            else ecs.describe_service(request.cluster, request.service)
        )
    except AwsFailure as failure:
        if failure.code == "ClusterNotFoundException":
            raise (
                ClusterNotFoundError(request.cluster)
                .with_hint(cluster_hint(ecs, request.cluster))
                .caused_by(failure)
            ) from failure
        if failure.code == "ServiceNotFoundException":
            raise _service_not_found(ecs, request).caused_by(failure) from failure
        if failure.outcome is Outcome.REFUSED:
            raise ServiceReadRefusedError(str(failure)).caused_by(failure) from failure
        raise ServiceReadError(str(failure)).caused_by(failure) from failure
    if service:
        return service
    reasons = {failure.get("reason") for failure in failures}
    if reasons <= {"MISSING"}:
        raise _service_not_found(ecs, request)
    raise ServiceReadError(", ".join(sorted(str(reason) for reason in reasons)))


def _service_not_found(ecs: Ecs, request: Request) -> EcsUpdaterError:
    return ServiceNotFoundError(request.service).with_hint(
        service_hint(ecs, request.cluster, request.service)
    )


def _check_updatable(service: Mapping[str, Any], request: Request) -> None:
    if service["status"] != "ACTIVE":
        raise ServiceNotActiveError(
            f"ecs_service_name {request.service} is {service['status']}, not ACTIVE"
        )
    controller = (service.get("deploymentController") or {}).get("type", "ECS")
    if controller != "ECS":
        raise DeploymentControllerError(
            f"ecs_service_name {request.service} has the deployment controller {controller}: "
            "only a service with the "
            "controller ECS can be given another task definition by UpdateService"
        )
    if service.get("resourceManagementType") == "ECS":
        raise DeploymentControllerError(
            f"ecs_service_name {request.service} is an Express service, whose task definition "
            "ECS manages: update its image with "
            "UpdateExpressGatewayService (aws ecs update-express-gateway-service)"
        )
    if service_description.task_definition(service) is None:
        raise DeploymentControllerError(
            f"ecs_service_name {request.service} has neither a task definition "
            "nor a deployment of one"
        )


def _with_record(ecs: Ecs, seen: RolloutState, service_deployment_arn: str) -> RolloutState:
    """Returns the rollout state with ECS's service deployment, which has to say whether the
    deployment is complete.
    """
    try:
        record = ecs.service_deployment(service_deployment_arn)
    except AwsFailure:
        # Not every partition has records. Then what is not known to be complete counts as not
        # complete.
        return seen
    return replace(seen, service_deployment=ServiceDeployment.of(record)) if record else seen


def cluster_hint(ecs: Ecs, cluster: str) -> str:
    """The hint for a cluster that was not found.

    Reads a list of clusters where ``ecs`` may, and raises nothing.
    """
    return f"looked in {ecs.region}{_advice(ecs, cluster, ecs.cluster_names)}"


def service_hint(ecs: Ecs, cluster: str, service: str) -> str:
    """The hint for a service that its cluster does not have. Likewise."""
    return (
        f"looked in cluster {cluster} in "
        f"{ecs.region}{_advice(ecs, service, lambda: ecs.service_names(cluster))}"
    )


def _advice(ecs: Ecs, name: str, names: Callable[[], Sequence[str]]) -> str:
    if not ecs.may_list:
        return ""
    try:
        meant = nearest(name.rpartition("/")[2], names())
    except AwsFailure:
        # The error is about the update: a list that cannot be read changes nothing about it.
        return ""
    return f": did you mean {meant}?" if meant else ""
