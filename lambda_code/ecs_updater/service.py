"""Reads a service, and writes a plan to it so that the service ends fully old or fully new.

The order of the writes: register, tags, UpdateService. Registering changes nothing that runs; tags are taken back with at most two
calls; UpdateService comes last because it is the one step that cannot be taken back without another deployment. Until it has
happened, a failure puts the tags back and the service is as it was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import task_definition as td
from .aws.ecs import Ecs
from .aws.failure import AwsFailure, Outcome
from .errors import (
    ClusterNotFoundError,
    DeploymentControllerError,
    EcsUpdaterError,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadError,
    ServiceTagsError,
    ServiceTagsRefusedError,
    ServiceUpdateError,
    ServiceUpdateRefusedError,
    TaskDefinitionError,
    TaskDefinitionFamilyError,
    TaskDefinitionRefusedError,
)
from .event import UpdateRequest
from .plan import Plan
from .snapshot import Snapshot
from .tags import TagChanges, is_reserved

_AS_IT_WAS = "the service is as it was"


@dataclass(frozen=True)
class Applied:
    """What the answers of the writes say."""

    task_definition: Mapping[str, Any]
    """The revision that the service runs or is about to run."""
    deployment_id: str | None
    """The deployment that this update made; None when it made none."""
    updated_on: datetime | None


def read(ecs: Ecs, request: UpdateRequest, family: str | None = None) -> Snapshot:
    """Reads the service and the task definition that it runs: two calls.

    ``family`` is the task-definition family that it must be running, if any. Raises ClusterNotFoundError, ServiceNotFoundError,
    ServiceNotActiveError, DeploymentControllerError, TaskDefinitionFamilyError or ServiceReadError.
    """
    service = _describe(ecs, request)
    _check_updatable(service, request)
    try:
        task_definition, task_definition_tags = ecs.describe_task_definition(service["taskDefinition"])
    except AwsFailure as failure:
        raise ServiceReadError(str(failure)) from failure
    if family and family != task_definition["family"]:
        raise TaskDefinitionFamilyError(
            f"ecs_service_name {request.service} runs the task-definition family {task_definition['family']}, "
            f"not {family}, which the function's TASK_DEF says"
        )
    primary = _primary(service)
    tags = {tag["key"]: tag.get("value", "") for tag in service.get("tags", [])}
    return Snapshot(
        cluster_arn=service["clusterArn"],
        service_arn=service["serviceArn"],
        task_definition=task_definition,
        task_definition_tags=tuple(task_definition_tags),
        tags={key: value for key, value in tags.items() if not is_reserved(key)},
        reserved_tags={key: value for key, value in tags.items() if is_reserved(key)},
        deployment_id=primary.get("id"),
        updated_on=primary.get("updatedAt") or service.get("createdAt"),
    )


def apply(ecs: Ecs, plan: Plan) -> Applied:
    """Writes ``plan``: at most one RegisterTaskDefinition, two tag calls and one UpdateService.

    Raises one of the errors of the stage ``ecs_service_update``; its message says in which state the service is then.
    """
    task_definition = plan.snapshot.task_definition if plan.revision is None else _register(ecs, plan, plan.revision)
    arn = task_definition["taskDefinitionArn"]
    if plan.tags:
        _write_tags(ecs, plan, arn)
    if not plan.deploys:
        return Applied(task_definition, None, plan.snapshot.updated_on)
    try:
        deployment = _deploy(ecs, plan, arn)
    except AwsFailure as failure:
        raise _not_deployed(ecs, plan, arn, failure) from failure
    return Applied(task_definition, deployment.get("id"), deployment.get("updatedAt"))


def _describe(ecs: Ecs, request: UpdateRequest) -> dict[str, Any]:
    try:
        service, failures = ecs.describe_service(request.cluster, request.service)
    except AwsFailure as failure:
        if failure.code == "ClusterNotFoundException":
            raise ClusterNotFoundError(request.cluster) from failure
        if failure.code == "ServiceNotFoundException":
            raise ServiceNotFoundError(request.service) from failure
        raise ServiceReadError(str(failure)) from failure
    if service:
        return service
    reasons = {failure.get("reason") for failure in failures}
    if reasons <= {"MISSING"}:
        raise ServiceNotFoundError(request.service)
    raise ServiceReadError(", ".join(sorted(str(reason) for reason in reasons)))


def _check_updatable(service: Mapping[str, Any], request: UpdateRequest) -> None:
    if service["status"] != "ACTIVE":
        raise ServiceNotActiveError(f"ecs_service_name {request.service} is {service['status']}, not ACTIVE")
    controller = service.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise DeploymentControllerError(
            f"ecs_service_name {request.service} has the deployment controller {controller}: only a service with the "
            "controller ECS can be given another task definition by UpdateService"
        )


def _primary(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """The deployment that the service is at or on its way to."""
    return next((d for d in service.get("deployments", []) if d.get("status") == "PRIMARY"), {})


def _register(ecs: Ecs, plan: Plan, revision: Mapping[str, Any]) -> Mapping[str, Any]:
    """Registers ``revision`` once: when the answer got lost, what was registered is looked for before it is sent again."""
    try:
        try:
            return ecs.register_task_definition(revision)
        except AwsFailure as failure:
            if failure.outcome is not Outcome.UNKNOWN:
                raise
            return _find_registered(ecs, revision) or ecs.register_task_definition(revision)
    except AwsFailure as failure:
        refused = failure.outcome is Outcome.REFUSED
        kind = TaskDefinitionRefusedError if refused else TaskDefinitionError
        hint = _unknown_fields_hint(plan) if refused else ""
        raise kind(f"new task_definition could not be created {failure.reason}{hint}; {_AS_IT_WAS}") from failure


def _find_registered(ecs: Ecs, revision: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The family's newest revision, if it is what was to be registered."""
    newest, tags = ecs.describe_task_definition(revision["family"])
    body = {name: value for name, value in newest.items() if name not in ecs.fields.read_only}
    if registrable := td.registrable_tags(tags):
        body["tags"] = registrable
    return newest if body == revision else None


def _unknown_fields_hint(plan: Plan) -> str:
    if not plan.unknown_fields or plan.drops_unknown_fields:
        return ""
    return (
        f" (the running revision has fields that are newer than this function's SDK: {', '.join(plan.unknown_fields)}; "
        "if ECS refuses them, UNKNOWN_FIELDS=drop in the function's environment leaves them out)"
    )


def _deploy(ecs: Ecs, plan: Plan, task_definition_arn: str) -> Mapping[str, Any]:
    """Updates the service once: when the answer got lost, the service is read before it is sent again.

    The PRIMARY deployment that came of it.
    """
    snapshot = plan.snapshot
    cluster, service = snapshot.cluster_arn, snapshot.service_arn
    try:
        return _primary(ecs.update_service(cluster, service, task_definition_arn, plan.force_new_deployment))
    except AwsFailure as failure:
        if failure.outcome is not Outcome.UNKNOWN:
            raise
    found, _ = ecs.describe_service(cluster, service)
    primary = _primary(found or {})
    if primary.get("taskDefinition") == task_definition_arn and primary["id"] != snapshot.deployment_id:
        return primary
    return _primary(ecs.update_service(cluster, service, task_definition_arn, plan.force_new_deployment))


def _not_deployed(ecs: Ecs, plan: Plan, task_definition_arn: str, failure: AwsFailure) -> EcsUpdaterError:
    """The error for a service that could not be updated, after its tags were put back."""
    if failure.operation == "DescribeServices" or failure.outcome is Outcome.UNKNOWN:
        state = "it is not known whether the service took it: read the service, or send the same event again"
    else:
        state = _put_tags_back(ecs, plan) if plan.tags else _AS_IT_WAS
    kind = ServiceUpdateRefusedError if failure.outcome is Outcome.REFUSED else ServiceUpdateError
    return kind(
        f"service could not be update with new task_definition {task_definition_arn}: {failure.reason}; "
        f"{state}{_unused(plan, task_definition_arn)}"
    )


def _write_tags(ecs: Ecs, plan: Plan, task_definition_arn: str) -> None:
    try:
        _write_tag_changes(ecs, plan.snapshot.service_arn, plan.tags)
    except AwsFailure as failure:
        state = f"{_put_tags_back(ecs, plan)}{_unused(plan, task_definition_arn)}"
        if failure.outcome is Outcome.REFUSED:
            raise ServiceTagsRefusedError(f"service tags could not be updated {failure.reason}; {state}") from failure
        raise ServiceTagsError(f"{failure}; {state}") from failure


def _write_tag_changes(ecs: Ecs, service_arn: str, changes: TagChanges) -> None:
    """Adds before it removes, so that the service is never without tags; the other way round where both would not fit."""

    def set_tags() -> None:
        if changes.to_set:
            ecs.tag_resource(service_arn, changes.to_set)

    def remove_tags() -> None:
        if changes.to_remove:
            ecs.untag_resource(service_arn, changes.to_remove)

    for step in (remove_tags, set_tags) if changes.remove_first else (set_tags, remove_tags):
        step()


def _put_tags_back(ecs: Ecs, plan: Plan) -> str:
    """Takes the plan's tag changes back, however far they came; says in which state the service is then."""
    try:
        _write_tag_changes(ecs, plan.snapshot.service_arn, plan.tags.reverse)
    except AwsFailure as failure:
        return (
            f"the service runs its old revision, but its tags could not be put back ({failure.reason}): they may be "
            f"partly new; they were {json.dumps(plan.tags.before, sort_keys=True)}"
        )
    return _AS_IT_WAS


def _unused(plan: Plan, task_definition_arn: str) -> str:
    if plan.revision is None:
        return ""
    return f"; {task_definition_arn.rpartition('/')[2]} was registered and is not used"
