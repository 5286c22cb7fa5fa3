"""Writes a plan: register, tags, UpdateService, in this order.

Registering changes nothing that runs. Tags are taken back with two cheap calls. UpdateService comes last because it is the one
step that cannot be taken back without another deployment: until it has happened, a failure puts the tags back and the service is
as it was.

A write whose answer got lost may have had its effect. It is looked for before it is sent again, so that one update makes one
revision and one deployment at most.
"""

import json
from collections.abc import Mapping
from typing import Any

from .. import task_definition as td
from ..aws.ecs import Ecs
from ..aws.failure import AwsFailure, Outcome
from ..errors import (
    EcsUpdaterError,
    ServiceUpdateError,
    ServiceUpdateRefusedError,
    TaskDefinitionError,
    TaskDefinitionRefusedError,
)
from ..plan import Applied, Plan
from . import tagging
from .read import primary_deployment
from .tagging import AS_IT_WAS


class _LookFailed(Exception):
    """A write got no answer, and what became of it could not be read either."""

    def __init__(self, lost: AwsFailure, look: AwsFailure):
        super().__init__(f"{lost.reason}; looking for it failed: {look.reason}")


def apply(ecs: Ecs, plan: Plan) -> Applied:
    """Writes ``plan``: at most one RegisterTaskDefinition, two tag calls and one UpdateService.

    Raises one of the errors of the stage ``ecs_service_update``; its message says in which state the service is then.
    """
    task_definition = plan.snapshot.task_definition if plan.revision is None else _register(ecs, plan, plan.revision)
    arn = task_definition["taskDefinitionArn"]
    unused = f"; {arn.rpartition('/')[2]} was registered and is not used" if plan.revision is not None else ""
    tagging.write(ecs, plan, unused)
    if not plan.deploys:
        return Applied(task_definition, None, plan.snapshot.updated_on)
    try:
        deployment = _deploy(ecs, plan, arn)
    except AwsFailure as failure:
        raise _not_deployed(ecs, plan, failure, arn, unused) from failure
    except _LookFailed as failure:
        tags = ", its tags are the new ones" if plan.tags else ""
        raise ServiceUpdateError(
            f"service could not be update with new task_definition {arn}: {failure}; it is not known whether the service took it"
            f"{tags}: read the service, or send the same event again"
        ) from failure
    return Applied(task_definition, deployment.get("id"), deployment.get("updatedAt"))


def _register(ecs: Ecs, plan: Plan, revision: Mapping[str, Any]) -> Mapping[str, Any]:
    """Registers ``revision`` once."""
    message = "new task_definition could not be created"
    try:
        try:
            return ecs.register_task_definition(revision)
        except AwsFailure as failure:
            if failure.outcome is not Outcome.UNKNOWN:
                raise
            return _find_registered(ecs, revision, failure) or ecs.register_task_definition(revision)
    except AwsFailure as failure:
        if failure.outcome is Outcome.REFUSED:
            raise TaskDefinitionRefusedError(
                f"{message} {failure.reason}{_unknown_fields_hint(plan)}; {AS_IT_WAS}"
            ) from failure
        raise TaskDefinitionError(f"{message} {failure.reason}; {AS_IT_WAS}") from failure
    except _LookFailed as failure:
        raise TaskDefinitionError(
            f"{message} {failure}; it is not known whether it was registered, but nothing uses it; {AS_IT_WAS}"
        ) from failure


def _find_registered(ecs: Ecs, revision: Mapping[str, Any], lost: AwsFailure) -> Mapping[str, Any] | None:
    """The family's newest revision, if it is what was to be registered."""
    try:
        newest, tags = ecs.describe_task_definition(revision["family"])
    except AwsFailure as failure:
        raise _LookFailed(lost, failure) from failure
    # What ECS adds to a revision, known or newer than the SDK, says nothing about who registered it.
    body = {name: value for name, value in newest.items() if name in revision or name in ecs.fields.registered.members}
    if registrable := td.registrable_tags(tags):
        body["tags"] = registrable
    return newest if _in_any_order(body) == _in_any_order(revision) else None


def _in_any_order(value: Any) -> Any:
    """``value`` with its lists of objects sorted: ECS promises no order of environment, tags and the like."""
    if isinstance(value, Mapping):
        return {name: _in_any_order(member) for name, member in value.items()}
    if isinstance(value, list):
        members = [_in_any_order(member) for member in value]
        has_objects = any(isinstance(member, dict) for member in members)
        return sorted(members, key=lambda member: json.dumps(member, sort_keys=True)) if has_objects else members
    return value


def _unknown_fields_hint(plan: Plan) -> str:
    if not plan.unknown_fields or plan.drops_unknown_fields:
        return ""
    return (
        f" (the running revision has fields that are newer than this function's SDK: {', '.join(plan.unknown_fields)}; "
        "if ECS refuses them, UNKNOWN_FIELDS=drop in the function's environment leaves them out)"
    )


def _deploy(ecs: Ecs, plan: Plan, task_definition_arn: str) -> Mapping[str, Any]:
    """Updates the service once; the deployment that came of it."""
    cluster, service = plan.snapshot.cluster_arn, plan.snapshot.service_arn
    for is_last in (False, True):
        try:
            return primary_deployment(ecs.update_service(cluster, service, task_definition_arn, plan.force_new_deployment))
        except AwsFailure as failure:
            if found := _find_deployment(ecs, plan, task_definition_arn, failure):
                return found
            if is_last:
                raise
    raise AssertionError("the last attempt returns or raises")


def _find_deployment(ecs: Ecs, plan: Plan, task_definition_arn: str, lost: AwsFailure) -> Mapping[str, Any] | None:
    """The service's PRIMARY deployment, if it is the one whose answer got lost. Raises ``lost`` if it cannot have been made."""
    if lost.outcome is not Outcome.UNKNOWN:
        raise lost
    try:
        service, _ = ecs.describe_service(plan.snapshot.cluster_arn, plan.snapshot.service_arn)
    except AwsFailure as failure:
        raise _LookFailed(lost, failure) from failure
    primary = primary_deployment(service or {})
    is_ours = primary.get("taskDefinition") == task_definition_arn and primary["id"] != plan.snapshot.deployment_id
    return primary if is_ours else None


def _not_deployed(ecs: Ecs, plan: Plan, failure: AwsFailure, arn: str, unused: str) -> EcsUpdaterError:
    """The error for a service that was not updated, after its tags were put back."""
    state, details = tagging.put_back(ecs, plan)
    kind = ServiceUpdateRefusedError if failure.outcome is Outcome.REFUSED else ServiceUpdateError
    return kind(
        f"service could not be update with new task_definition {arn}: {failure.reason}; {state}{unused}"
    ).with_details(details)
