"""Writes a plan: register, tags, UpdateService, in this order.

Registering changes nothing that runs. Tags are taken back with two cheap calls. UpdateService comes
last because it is the one step that cannot be taken back without another deployment: until it has
happened, a failure puts the tags back and the service is as it was.

A write whose answer got lost may have had its effect. It is looked for before it is sent again, so
that one update makes one revision and one deployment at most.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..aws.ecs import Ecs
from ..aws.errors import NO_SUCH_REVISION, AwsFailure, Outcome
from ..errors import (
    EcsUpdaterError,
    LeaseHeldError,
    LedgerError,
    ServiceUpdateError,
    ServiceUpdateRefusedError,
    TaskDefinitionError,
    TaskDefinitionRefusedError,
    UnknownOutcomeError,
)
from ..model import task_definition as td
from ..model.plan import Applied, Plan
from ..model.service import primary_deployment
from ..model.task_definition import RegistrableFields
from . import tag_writer
from .tag_writer import AS_IT_WAS


class Progress(Protocol):
    """Who is told. Any of these can raise LeaseHeldError (somebody else has the service now) or
    LedgerError.
    """

    def before_write(self) -> None:
        """A write to ECS comes next: is it still ours to do?"""

    def may_take_back(self) -> bool:
        """Whether what was written may still be taken back, although the ledger cannot be asked."""

    def registered(self, task_definition_arn: str) -> None:
        """The new revision is registered; tags come next."""

    def tagged(self) -> None:
        """The tags are written; the deployment comes next."""


class _LookFailed(AwsFailure):
    """A write got no answer, and what became of it could not be read either."""

    def __init__(self, lost: AwsFailure, look: AwsFailure):
        super().__init__(
            lost.operation,
            Outcome.UNKNOWN,
            "",
            f"{lost.reason}; looking for it failed: {look.reason}",
        )


class _Overtaken(Exception):
    """UpdateService got no answer, and the newest deployment is somebody else's.

    Ours may have been made before it: ECS lists no deployment that was replaced. To send it again
    would replace theirs unseen.
    """

    def __init__(self, deployment: Mapping[str, Any]):
        super().__init__(str(deployment.get("id")))
        self.deployment = deployment


@dataclass(frozen=True)
class LeftBehind:
    """What an interrupted attempt at the same update may have left behind."""

    registered: str | None = None
    """The revision that it registered."""
    may_have_registered: bool = False
    """Whether it may have registered one without having told."""


NOTHING = LeftBehind()


def apply(ecs: Ecs, plan: Plan, progress: Progress, earlier: LeftBehind = NOTHING) -> Applied:
    """Writes ``plan``: at most one RegisterTaskDefinition, two tag calls and one UpdateService.

    Raises one of the errors of the stage ``ecs_service_update``, or LeaseHeldError or LedgerError
    of ``progress``; the message says in which state the service is then.
    """
    task_definition = _task_definition(ecs, plan, progress, earlier)
    arn = task_definition["taskDefinitionArn"]
    unused = (
        f"; {arn.rpartition('/')[2]} was registered and is not used"
        if plan.revision is not None
        else ""
    )
    _write_tags(ecs, plan, progress, unused)
    if not plan.deploys:
        return Applied(task_definition, None, plan.snapshot.updated_on)
    try:
        service = _deploy(ecs, plan, arn, progress)
    except (LeaseHeldError, LedgerError) as error:
        raise UnknownOutcomeError(
            f"service could not be update with new task_definition {arn}: no answer, and {error}"
        ) from error
    except _LookFailed as failure:
        tags = ", its tags are the new ones" if plan.changes_tags else ""
        raise UnknownOutcomeError(
            f"service could not be update with new task_definition {arn}: {failure}; it is not "
            "known whether the service took it"
            f"{tags}: read the service, or send the same event again"
        ).caused_by(failure) from failure
    except _Overtaken as overtaken:
        return Applied(
            task_definition, None, plan.snapshot.updated_on, foreign=overtaken.deployment
        )
    except AwsFailure as failure:
        raise _not_deployed(ecs, plan, failure, arn, unused) from failure
    deployment = _own_deployment(plan, service, arn)
    # Where somebody's deployment came on top already, the current record is that one's.
    current = (
        service.get("currentServiceDeployment") if deployment.get("status") == "PRIMARY" else None
    )
    return Applied(
        task_definition,
        deployment.get("id"),
        deployment.get("updatedAt"),
        current if current != plan.snapshot.service_deployment_arn else None,
        _foreign(plan, service, deployment),
        deployment.get("taskDefinition", arn),
    )


def _own_deployment(plan: Plan, service: Mapping[str, Any], arn: str) -> Mapping[str, Any]:
    """The deployment that was just made: the PRIMARY one, unless somebody's came after it
    already.
    """
    primary = primary_deployment(service)
    if primary.get("taskDefinition") == arn or plan.revision is None:
        return primary
    own = (one for one in service.get("deployments", []) if one.get("taskDefinition") == arn)
    return next(own, primary)


def _task_definition(
    ecs: Ecs, plan: Plan, progress: Progress, earlier: LeftBehind
) -> Mapping[str, Any]:
    """What the service is to run, registered where that is new."""
    if plan.revision is None:
        return plan.target or plan.snapshot.task_definition
    if earlier.registered:
        return _named(plan.revision, earlier.registered)
    progress.before_write()
    task_definition = _register(ecs, plan, plan.revision, earlier.may_have_registered)
    try:
        progress.registered(task_definition["taskDefinitionArn"])
    except (LeaseHeldError, LedgerError) as error:
        name = td.revision_name(task_definition)
        error.also(f"{AS_IT_WAS}; {name} was registered and is not used")
        raise
    return task_definition


def _named(revision: Mapping[str, Any], arn: str) -> Mapping[str, Any]:
    """What was registered as ``arn``."""
    return {**revision, "taskDefinitionArn": arn, "revision": int(arn.rpartition(":")[2])}


def _write_tags(ecs: Ecs, plan: Plan, progress: Progress, unused: str) -> None:
    """Writes the plan's tags and makes sure that the deployment may follow; otherwise puts the tags
    back.
    """
    is_written = False
    try:
        if plan.changes_tags:
            progress.before_write()
            is_written = True
            tag_writer.write(ecs, plan.snapshot.service_arn, plan.tags, unused)
            progress.tagged()
        if plan.deploys:
            progress.before_write()
    except LeaseHeldError as error:
        # Whoever has the service now finds this update in the ledger, and takes its tags back.
        tags = ", the tags may be the new ones" if plan.changes_tags else ""
        error.also(f"no deployment was made{tags}{unused}")
        raise
    except LedgerError as error:
        if not is_written:
            error.also(f"{AS_IT_WAS}{unused}")
            raise
        # Somebody else may have the service by now, and takes them back.
        if not progress.may_take_back():
            error.also(
                f"no deployment was made, the tags may be the new ones{unused}"
            ).with_details({"tags_before": dict(plan.tags.before)})
            raise
        state, details = tag_writer.put_back(ecs, plan.snapshot.service_arn, plan.tags)
        error.also(f"{state}{unused}").with_details(details)
        raise


def _foreign(
    plan: Plan, service: Mapping[str, Any], ours: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The newest deployment that was made between reading and writing, and is not ours.

    ECS has no conditional write, but its answer to one lists what was there: nobody's change is
    lost unseen.
    """
    if ours.get("status") != "PRIMARY":
        return None  # It came after ours, and not in between.
    known = {*plan.snapshot.deployment_ids, ours.get("id")}
    return next((one for one in service.get("deployments", []) if one.get("id") not in known), None)


def _register(
    ecs: Ecs, plan: Plan, revision: Mapping[str, Any], look_first: bool
) -> Mapping[str, Any]:
    """Registers ``revision`` once. ``look_first``: unless it may have been registered before."""
    message = "new task_definition could not be created"
    try:
        return register_once(ecs, revision, look_first)
    except _LookFailed as failure:
        raise TaskDefinitionError(
            f"{message} {failure}; it is not known whether it was registered, but nothing "
            f"uses it; {AS_IT_WAS}"
        ).caused_by(failure) from failure
    except AwsFailure as failure:
        if failure.outcome is Outcome.REFUSED:
            raise TaskDefinitionRefusedError(
                f"{message} {failure.reason}{_unknown_fields_hint(plan)}; {AS_IT_WAS}"
            ).caused_by(failure) from failure
        raise TaskDefinitionError(f"{message} {failure.reason}; {AS_IT_WAS}").caused_by(
            failure
        ) from failure


def register_once(ecs: Ecs, revision: Mapping[str, Any], look_first: bool) -> Mapping[str, Any]:
    """Registers ``revision``, the body of RegisterTaskDefinition; the new task definition. Raises
    AwsFailure.

    ``look_first``: an earlier attempt may have registered it.
    """
    if look_first and (found := _look_for(ecs, revision)):
        return found
    try:
        return ecs.register_task_definition(revision)
    except AwsFailure as failure:
        if failure.outcome is not Outcome.UNKNOWN:
            raise
        return _find_registered(ecs, revision, failure) or ecs.register_task_definition(revision)


def _find_registered(
    ecs: Ecs, revision: Mapping[str, Any], lost: AwsFailure
) -> Mapping[str, Any] | None:
    """See ``_look_for``."""
    try:
        return _look_for(ecs, revision)
    except AwsFailure as failure:
        raise _LookFailed(lost, failure) from failure


def _look_for(ecs: Ecs, revision: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The family's newest active revision, if there is one and it is what was to be registered."""
    try:
        newest, tags = ecs.describe_task_definition(revision["family"])
    except AwsFailure as failure:
        if NO_SUCH_REVISION in failure.reason:
            return None
        raise
    return newest if is_registered_as(revision, newest, tags, ecs.fields) else None


def is_registered_as(
    revision: Mapping[str, Any],
    described: Mapping[str, Any],
    tags: Sequence[Mapping[str, str]],
    fields: RegistrableFields,
) -> bool:
    """Whether to register ``revision`` makes what DescribeTaskDefinition gave: ``described`` with
    these ``tags``.
    """
    # What ECS adds to a revision, known or newer than the SDK, says nothing about who registered
    # it.
    body = {
        name: value
        for name, value in described.items()
        if name in revision or name in fields.registered.members
    }
    if registrable := td.registrable_tags(tags):
        body["tags"] = registrable
    return _in_any_order(body) == _in_any_order(revision)


def _in_any_order(value: object) -> object:
    """``value`` with its lists of objects sorted: ECS promises no order of environment, tags and
    the like.
    """
    if isinstance(value, Mapping):
        return {name: _in_any_order(member) for name, member in value.items()}
    if isinstance(value, list):
        members = [_in_any_order(member) for member in value]
        has_objects = any(isinstance(member, dict) for member in members)
        return (
            sorted(members, key=lambda member: json.dumps(member, sort_keys=True))
            if has_objects
            else members
        )
    return value


def _unknown_fields_hint(plan: Plan) -> str:
    if not plan.unknown_fields or plan.drops_unknown_fields:
        return ""
    return (
        " (the running revision has fields that are newer than this function's SDK: "
        f"{', '.join(plan.unknown_fields)}; "
        "if ECS refuses them, UNKNOWN_FIELDS=drop in the function's environment leaves them out)"
    )


def _deploy(
    ecs: Ecs, plan: Plan, task_definition_arn: str, progress: Progress
) -> Mapping[str, Any]:
    """Updates the service once; the service as it then is."""
    # A service that is only to be deployed again is not told what to run: somebody may have changed
    # that since it was read.
    named = task_definition_arn if plan.revision is not None or plan.target is not None else None
    for is_last in (False, True):
        try:
            return ecs.update_service(
                plan.snapshot.cluster_arn,
                plan.snapshot.service_arn,
                task_definition=named,
                force_new_deployment=plan.force_new_deployment,
                deployment_configuration=plan.deployment_configuration,
            )
        except AwsFailure as failure:
            if found := _find_deployed(ecs, plan, named, failure):
                return found
            if is_last:
                raise
            progress.before_write()
    raise AssertionError("the last attempt returns or raises")


def _find_deployed(
    ecs: Ecs, plan: Plan, task_definition_arn: str | None, lost: AwsFailure
) -> Mapping[str, Any] | None:
    """The service, if it has the deployment whose answer got lost.

    Raises ``lost`` if that cannot have been made.
    """
    if lost.outcome is not Outcome.UNKNOWN:
        raise lost
    try:
        service, _ = ecs.describe_service(plan.snapshot.cluster_arn, plan.snapshot.service_arn)
    except AwsFailure as failure:
        raise _LookFailed(lost, failure) from failure
    # Of a revision of its own any deployment is its own; of another one only the PRIMARY can be the
    # one that was just made.
    candidates = (
        service.get("deployments", [])
        if service and plan.revision is not None
        else [primary_deployment(service or {})]
    )
    wanted = task_definition_arn or plan.snapshot.task_definition_arn
    is_there = any(
        one.get("taskDefinition") == wanted
        and one.get("id") not in (None, plan.snapshot.deployment_id)
        for one in candidates
    )
    if is_there:
        return service
    newest = primary_deployment(service or {})
    is_others = newest and newest.get("id") not in plan.snapshot.deployment_ids
    is_update = plan.revision is not None and plan.target is None
    if (
        is_update
        and is_others
        and newest.get("taskDefinition") != plan.snapshot.task_definition_arn
    ):
        raise _Overtaken(newest) from lost
    return None


def _not_deployed(
    ecs: Ecs, plan: Plan, failure: AwsFailure, arn: str, unused: str
) -> EcsUpdaterError:
    """The error for a service that was not updated, after its tags were put back."""
    state, details = tag_writer.put_back(ecs, plan.snapshot.service_arn, plan.tags)
    kind = ServiceUpdateRefusedError if failure.outcome is Outcome.REFUSED else ServiceUpdateError
    return (
        kind(
            f"service could not be update with new task_definition {arn}: "
            f"{failure.reason}; {state}{unused}"
        )
        .with_details(details)
        .caused_by(failure)
    )
