"""Reads a service and its task definition, and rejects one that cannot be updated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..errors import (
    AwsFailure,
    ClusterNotFoundError,
    DeploymentControllerError,
    EcsUpdaterError,
    Outcome,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadError,
    ServiceReadRefusedError,
    TaskDefinitionFamilyError,
)
from ..model import service as service_description
from ..model.arn import name_of, nearest, service_key
from ..model.request import Request
from ..model.service import ServiceDescription, Snapshot
from ..model.tags import MANAGED_TAG
from ..rollout.rollout_state import rollout_state_of
from ..rollout.service_deployment import ServiceDeployment

_WAY_OUT = (
    "ECS itself deploys blue/green: set the deployment controller ECS and the strategy BLUE_GREEN "
    "(aws ecs update-service --deployment-controller type=ECS --deployment-configuration "
    "strategy=BLUE_GREEN,bakeTimeInMinutes=5)"
)


def read(
    ecs: Ecs,
    request: Request,
    family: str | None = None,
    description: ServiceDescription | None = None,
) -> Snapshot:
    """Reads the service and its task definition with two calls, or one with a `description`.

    One more call if the deployments' states do not show whether the deployment is complete, for
    example with another strategy than the rolling update. `family`: the required family. Raises
    ClusterNotFoundError, ServiceNotFoundError, ServiceNotActiveError, DeploymentControllerError,
    TaskDefinitionFamilyError, ServiceReadRefusedError or ServiceReadError.
    """
    service = describe(ecs, request, description)
    # Never the caller's fault: ECS returned the name.
    with read_errors():
        task_definition, task_definition_tags = ecs.describe_task_definition(
            _updatable_revision(service, request)
        )
    if family:
        check_family(task_definition, request, family)
    primary = service_description.primary_deployment(service)
    tags, own_tags = service_description.tags(service), service_description.own_tags(service)
    is_express = service.get("resourceManagementType") == "ECS"
    if is_express:
        # Without this tag, ECS no longer takes the service for its own.
        own_tags.pop(MANAGED_TAG, None)
    launch_type = service_description.launch_type(service)
    state = rollout_state_of(service, primary.get("id", ""))
    service_deployment_arn = service.get("currentServiceDeployment")
    if state.needs_service_deployment and service_deployment_arn:
        # Not every partition has service deployments. Then the deployment counts as incomplete.
        with suppress(AwsFailure):
            if answer := ecs.service_deployment(service_deployment_arn):
                state = replace(state, service_deployment=ServiceDeployment.of(answer))
    return Snapshot(
        key=service_key(service["serviceArn"], service["clusterArn"]),
        cluster_arn=service["clusterArn"],
        service_arn=service["serviceArn"],
        task_definition=task_definition,
        task_definition_tags=tuple(task_definition_tags),
        tags=own_tags,
        reserved_tags=dict(tags.items() - own_tags.items()),
        deployment_id=primary.get("id"),
        updated_on=primary.get("updatedAt") or service.get("createdAt"),
        deployment_ids=service_description.deployment_ids(service),
        completed=state.completed,
        service_deployment_arn=service_deployment_arn,
        deployment_configuration=service.get("deploymentConfiguration") or {},
        on_fargate=launch_type == service_description.FARGATE if launch_type else None,
        has_completed=state.deployment is None or state.is_complete,
        is_express=is_express,
        service=service,
    )


@contextmanager
def read_errors(note: str = "") -> Iterator[None]:
    """Raises the AwsFailures inside as ServiceReadError. `note`: text after the failure."""
    try:
        yield
    except AwsFailure as failure:
        raise ServiceReadError(f"{failure}{note}").caused_by(failure) from failure


def check_family(task_definition: Mapping[str, Any], request: Request, family: str | None) -> None:
    """Raises TaskDefinitionFamilyError if the running revision is not of the required family."""
    if family and family != task_definition["family"]:
        raise TaskDefinitionFamilyError(
            f"ecs_service_name {request.service} runs the task-definition family "
            f"{task_definition['family']}, "
            f"not {family}, which the function's TASK_DEF says"
        )


def describe(
    ecs: Ecs, request: Request, description: ServiceDescription | None = None
) -> dict[str, Any]:
    """Returns the service as DescribeServices does, by default with one call.

    Raises ClusterNotFoundError, ServiceNotFoundError, ServiceReadRefusedError or ServiceReadError.
    """
    failures: Sequence[Mapping[str, Any]]
    error: EcsUpdaterError
    try:
        if description:
            service, failures = description.service, description.failures
        else:
            service, failures = ecs.describe_service(request.cluster, request.service)
    except AwsFailure as failure:
        if failure.code == "ClusterNotFoundException":
            error = ClusterNotFoundError(f"ecs_cluster_name {request.cluster} not found")
            advice = _advice(ecs, request.cluster, ecs.cluster_names)
            error.with_hint(f"looked in {ecs.region}{advice}")
        elif failure.code == "ServiceNotFoundException":
            error = _service_not_found(ecs, request)
        elif failure.outcome is Outcome.REFUSED:
            error = ServiceReadRefusedError(str(failure))
        else:
            error = ServiceReadError(str(failure))
        raise error.caused_by(failure) from failure
    if service:
        return service
    reasons = {failure.get("reason") for failure in failures}
    if reasons <= {"MISSING"}:
        raise _service_not_found(ecs, request)
    raise ServiceReadError(", ".join(sorted(str(reason) for reason in reasons)))


def _service_not_found(ecs: Ecs, request: Request) -> EcsUpdaterError:
    cluster = request.cluster
    advice = _advice(ecs, request.service, lambda: ecs.service_names(cluster))
    error = ServiceNotFoundError(f"ecs_service_name {request.service} not found")
    return error.with_hint(f"looked in cluster {cluster} in {ecs.region}{advice}")


def _updatable_revision(service: Mapping[str, Any], request: Request) -> str:
    """Returns the ARN of the running revision of a service that can be updated."""
    if service["status"] != "ACTIVE":
        raise ServiceNotActiveError(
            f"ecs_service_name {request.service} is {service['status']}, not ACTIVE"
        )
    controller = (service.get("deploymentController") or {}).get("type", "ECS")
    task_definition = service_description.task_definition(service)
    if controller != "ECS":
        reason = (
            f"has the deployment controller {controller}: only a service with the "
            "controller ECS can be given another task definition by UpdateService"
        )
    elif task_definition is None:
        reason = "has neither a task definition nor a deployment of one"
    else:
        return task_definition
    error = DeploymentControllerError(f"ecs_service_name {request.service} {reason}")
    if controller == "CODE_DEPLOY":
        error.with_hint(_WAY_OUT)
    raise error


def _advice(ecs: Ecs, name: str, names: Callable[[], Sequence[str]]) -> str:
    """Returns the nearest name to one that was not found, if `ecs` may list the names."""
    if not ecs.may_list:
        return ""
    try:
        meant = nearest(name_of(name), names())
    except AwsFailure:
        # The error is about the update, not about the list.
        return ""
    return f": did you mean {meant}?" if meant else ""
