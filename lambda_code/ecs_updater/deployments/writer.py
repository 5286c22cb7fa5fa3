"""Writes a plan: register, tags, UpdateService, in this order.

To register a revision changes nothing that runs. Tags are restored with two calls. UpdateService is
last because only another deployment can reverse it. Before it, a failure restores the tags, and
the service is as it was.

A write without an answer may have had its effect. The writer reads the result before it sends the
write again, so that one update makes at most one revision and one deployment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import ReadFailed
from ..context import REAL_TIME, Clock
from ..errors import (
    AwsFailure,
    EcsUpdaterError,
    LeaseHeldError,
    LedgerError,
    Outcome,
    ServiceUpdateError,
    ServiceUpdateRefusedError,
    TaskDefinitionError,
    TaskDefinitionRefusedError,
    UnknownOutcomeError,
)
from ..ledger.shared_revisions import NO_CLAIM, Claim
from ..model.arn import revision_name
from ..model.plan import Applied, Plan
from ..model.service import primary_deployment
from . import tag_writer
from .ecs_rollback import request_ecs_rollback, wait_for_rollback
from .existing_revision import find_or_claim, find_registered, unused
from .express import update_express
from .journal import Journal
from .tag_writer import UNCHANGED

_ROLLBACK_SECONDS = 20.0
"""Maximum wait for the deployment of ECS's own rollback."""

_NOT_UPDATED = "service could not be update with new task_definition"


@dataclass(frozen=True)
class LeftBehind:
    """Possible results of an interrupted attempt at the same update."""

    registered: str | None = None
    """ARN of the revision that it registered."""
    may_have_registered: bool = False
    """Whether it may have registered a revision that is not in the ledger."""


NOTHING = LeftBehind()


def write_plan(
    ecs: Ecs,
    plan: Plan,
    journal: Journal,
    earlier: LeftBehind = NOTHING,
    clock: Clock = REAL_TIME,
) -> Applied:
    """Writes a plan: at most one RegisterTaskDefinition, two tag calls and one UpdateService.

    Raises one of the errors of the stage `ecs_service_update`, or LeaseHeldError or LedgerError of
    the journal. The message contains the state of the service.
    """
    arn = revision_arn(ecs, plan, journal, earlier, clock)
    try:
        _write_tags(ecs, plan, journal)
        if not plan.updates_service:
            return Applied(arn, None, plan.snapshot.updated_on)
        service, arn = _deploy(ecs, plan, arn, journal, clock)
    except UnknownOutcomeError:
        raise
    except EcsUpdaterError as error:
        if plan.revision is not None and not plan.express:
            error.also(f"{revision_name(arn)} {unused(journal.entry)}")
        raise
    deployment = primary = primary_deployment(service)
    if plan.stops and service.get("currentServiceDeployment") == plan.stops:
        # ECS may show the deployment of its rollback later. The service deployment is the same.
        updated_on = deployment.get("updatedAt")
        return Applied(arn, deployment.get("id"), updated_on, plan.stops, deployed_arn=arn)
    if plan.stops and primary.get("taskDefinition") != arn:
        raise ServiceUpdateError(
            f"{_NOT_UPDATED} {arn}: deployment {primary.get('id')} of somebody else came in between"
        )
    if not plan.deploys:
        current = service.get("currentServiceDeployment")
        updated_on = plan.snapshot.updated_on
        deployment_id = primary.get("id", plan.snapshot.deployment_id)
        return Applied(
            arn,
            deployment_id,
            updated_on,
            current,
            deployed_arn=primary.get("taskDefinition"),
            service=service,
        )
    if deployment.get("taskDefinition") != arn and plan.revision is not None:
        # Another deployment may have been made after this update's.
        own = (
            listed
            for listed in service.get("deployments", [])
            if listed.get("taskDefinition") == arn
        )
        deployment = next(own, {} if plan.target is None else primary)
    if primary and not deployment:
        # This update's may have been made before it: ECS does not list replaced deployments. To
        # send UpdateService again would replace the other one.
        updated_on = plan.snapshot.updated_on
        return Applied(arn, None, updated_on, other_deployment=primary)
    service_deployment_arn = other = None
    if deployment.get("status") == "PRIMARY":
        # Otherwise both are about the later deployment.
        current = service.get("currentServiceDeployment")
        if current != plan.snapshot.service_deployment_arn:
            service_deployment_arn = current
        other = _other_deployment(plan, service, deployment)
    return Applied(
        arn,
        deployment.get("id"),
        deployment.get("updatedAt"),
        service_deployment_arn,
        other,
        deployment.get("taskDefinition", arn),
    )


def _other_deployment(
    plan: Plan, service: Mapping[str, Any], own: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Returns another update's latest deployment between the read and the write.

    ECS has no conditional write, but its answer lists the earlier deployments.
    """
    known = {*plan.snapshot.deployment_ids, own.get("id")}
    deployments = service.get("deployments", [])
    return next((other for other in deployments if other.get("id") not in known), None)


def revision_arn(
    ecs: Ecs, plan: Plan, journal: Journal, earlier: LeftBehind, clock: Clock = REAL_TIME
) -> str:
    """Returns the ARN of the revision for the service, registered if it is new.

    An update of a batch shares it. If ECS registers it for an Express service, returns its family.
    """
    if plan.express:
        family: str = plan.after["family"]
        return family
    if earlier.registered or plan.revision is None:
        return earlier.registered or plan.after["taskDefinitionArn"]
    claim = _claim(ecs, plan, journal, clock) if journal.entry.batch else NO_CLAIM
    if (arn := claim.arn) is None:
        try:
            journal.before_write()
            reads_first = earlier.may_have_registered or claim.may_be_registered
            arn = str(_register(ecs, plan, plan.revision, reads_first)["taskDefinitionArn"])
        except EcsUpdaterError:
            claim.end()
            raise
        if claim.is_own:
            claim.end(arn)
    try:
        journal.registered(arn)
    except (LeaseHeldError, LedgerError) as error:
        error.also(f"{UNCHANGED}; {revision_name(arn)} {unused(journal.entry)}")
        raise
    return arn


def _write_tags(ecs: Ecs, plan: Plan, journal: Journal) -> None:
    """Writes the plan's tags and confirms the lease for the deployment, or restores the tags."""
    is_written = False
    try:
        if plan.changes_tags:
            journal.before_write()
            is_written = True
            tag_writer.write(ecs, plan.snapshot.service_arn, plan.tags)
            journal.tagged()
        if plan.updates_service:
            journal.before_write()
    except LeaseHeldError as error:
        # The holder of the lease finds this update in the ledger and restores its tags.
        tags = ", the tags may be the new ones" if plan.changes_tags else ""
        error.also(f"no deployment was made{tags}")
        raise
    except LedgerError as error:
        state: str = UNCHANGED
        if is_written and journal.may_take_back():
            state, details = tag_writer.put_back(ecs, plan.snapshot.service_arn, plan.tags)
            error.with_details(details)
        elif is_written:
            # Another holder may have the lease and restores them.
            state = "no deployment was made, the tags may be the new ones"
            error.with_details({"tags_before": dict(plan.tags.before)})
        error.also(state)
        raise


def _claim(ecs: Ecs, plan: Plan, journal: Journal, clock: Clock) -> Claim:
    """Finds or claims the shared revision of an update of a batch, and translates the failure."""
    try:
        return find_or_claim(ecs, plan, journal, clock)
    except AwsFailure as failure:
        sentence = f"new task_definition could not be created {failure.reason}; {UNCHANGED}"
        raise TaskDefinitionError(sentence).caused_by(failure) from failure


def _register(
    ecs: Ecs, plan: Plan, revision: Mapping[str, Any], reads_first: bool
) -> Mapping[str, Any]:
    """Registers a revision once, and translates the failure."""
    try:
        return register_once(ecs, revision, reads_first)
    except AwsFailure as failure:
        is_refused = failure.outcome is Outcome.REFUSED
        kind = TaskDefinitionRefusedError if is_refused else TaskDefinitionError
        hint = _unknown_fields_hint(plan) if is_refused else ""
        if isinstance(failure, ReadFailed):
            hint = "; it is not known whether it was registered, but nothing uses it"
        sentence = f"new task_definition could not be created {failure.reason}{hint}; {UNCHANGED}"
        raise kind(sentence).caused_by(failure) from failure


def register_once(ecs: Ecs, revision: Mapping[str, Any], reads_first: bool) -> Mapping[str, Any]:
    """Registers a revision and returns the new task definition. Raises AwsFailure.

    `revision`: the body of RegisterTaskDefinition. `reads_first`: an earlier attempt may have
    registered it.
    """
    if reads_first and (found := find_registered(ecs, revision)):
        return found
    try:
        return ecs.register_task_definition(revision)
    except AwsFailure as failure:
        if failure.outcome is not Outcome.UNKNOWN:
            raise
        try:
            found = find_registered(ecs, revision)
        except AwsFailure as read_failure:
            raise ReadFailed(failure, read_failure) from read_failure
    return found or ecs.register_task_definition(revision)


def _unknown_fields_hint(plan: Plan) -> str:
    if not plan.unknown_fields or plan.drops_unknown_fields:
        return ""
    return (
        " (the running revision has fields that are newer than this function's SDK: "
        f"{', '.join(plan.unknown_fields)}; "
        "if ECS refuses them, UNKNOWN_FIELDS=drop in the function's environment leaves them out)"
    )


def _deploy(
    ecs: Ecs, plan: Plan, arn: str, journal: Journal, clock: Clock
) -> tuple[Mapping[str, Any], str]:
    """Updates the service once, and translates the failure.

    Returns the service, and the ARN of its revision.
    """
    try:
        if plan.express is not None and (plan.revision is not None or plan.target is not None):
            return update_express(ecs, plan, arn, journal, clock)
        if plan.stops and (service := _stop_deployment(ecs, plan, plan.stops, clock)):
            return service, arn
        return _update_service(ecs, plan, arn, journal), arn
    except (LeaseHeldError, LedgerError) as error:
        raise UnknownOutcomeError(f"{_NOT_UPDATED} {arn}: no answer, and {error}") from error
    except ReadFailed as failure:
        tags = ", its tags are the new ones" if plan.changes_tags else ""
        raise UnknownOutcomeError(
            f"{_NOT_UPDATED} {arn}: {failure}; it is not known whether the service took it"
            f"{tags}: read the service, or send the same event again"
        ).caused_by(failure) from failure
    except AwsFailure as failure:
        is_refused = failure.outcome is Outcome.REFUSED
        kind = ServiceUpdateRefusedError if is_refused else ServiceUpdateError
        state, details = tag_writer.put_back(ecs, plan.snapshot.service_arn, plan.tags)
        sentence = f"{_NOT_UPDATED} {arn}: {failure.reason}; {state}"
        raise kind(sentence).with_details(details).caused_by(failure) from failure


def _stop_deployment(
    ecs: Ecs, plan: Plan, service_deployment_arn: str, clock: Clock
) -> Mapping[str, Any] | None:
    """Has ECS roll back the deployment that goes on. Returns the service.

    None: it has ended meanwhile. Raises AwsFailure.
    """
    snapshot = plan.snapshot
    try:
        if not request_ecs_rollback(ecs, service_deployment_arn):
            return None
        names = snapshot.cluster_arn, snapshot.service_arn
        deadline = clock.now() + _ROLLBACK_SECONDS
        found = wait_for_rollback(ecs, clock, *names, snapshot.deployment_id, deadline)
        return found or ecs.describe_service(*names)[0]
    except AwsFailure as failure:
        raise ReadFailed(failure, failure) from failure


def _update_service(ecs: Ecs, plan: Plan, arn: str, journal: Journal) -> Mapping[str, Any]:
    # A forced deployment names no revision: another update may have changed it since the read.
    named = arn if plan.revision is not None or plan.target is not None else None
    for is_last in (False, True):
        try:
            return ecs.update_service(
                plan.snapshot.cluster_arn,
                plan.snapshot.service_arn,
                task_definition=named,
                force_new_deployment=plan.force_new_deployment,
                desired_count=plan.desired_count,
                deployment_configuration=plan.deployment_configuration,
            )
        except AwsFailure as failure:
            if service := _find_deployed(ecs, plan, named, failure):
                return service
            if is_last:
                raise
            journal.before_write()
    raise AssertionError("the last attempt returns or raises")


def _find_deployed(
    ecs: Ecs, plan: Plan, task_definition_arn: str | None, write: AwsFailure
) -> Mapping[str, Any] | None:
    """Returns the service, if it has the deployment or settings of the write that got no answer.

    Also if another update made the latest deployment, which must not be replaced. Raises `write`
    if the write cannot have made it.
    """
    if write.outcome is not Outcome.UNKNOWN:
        raise write
    snapshot = plan.snapshot
    try:
        service, _ = ecs.describe_service(snapshot.cluster_arn, snapshot.service_arn)
    except AwsFailure as failure:
        raise ReadFailed(write, failure) from failure
    service = service or {}
    if not plan.deploys:
        return service if plan.service_settings.is_in(service) else None
    primary = primary_deployment(service)
    # A deployment of this update's revision is its own. With another revision, only the PRIMARY
    # deployment can be the new one.
    has_own_revision = plan.revision is not None
    candidates = service.get("deployments", []) if has_own_revision else [primary]
    wanted = task_definition_arn or snapshot.task_definition_arn
    is_own = any(
        deployment.get("taskDefinition") == wanted
        and deployment.get("id") not in (None, snapshot.deployment_id)
        for deployment in candidates
    )
    is_others = (
        primary
        and primary.get("id") not in snapshot.deployment_ids
        and primary.get("taskDefinition") != snapshot.task_definition_arn
    )
    is_overtaken = is_others and has_own_revision and plan.target is None
    return service if is_own or is_overtaken else None
