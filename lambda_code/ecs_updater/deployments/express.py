"""Updates of Express services, whose revisions UpdateExpressGatewayService deploys.

The plan, the entry in the ledger and the wait are those of every update. ECS registers a revision
that `primaryContainer` describes. Any other revision is registered first, and given by its ARN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import ReadFailed
from ..context import Clock
from ..errors import AwsFailure, Outcome
from ..ledger.entry import Entry
from ..model import task_definition as td
from ..model.express import (
    check_container_sizes,
    check_event,
    fields_to_send,
    has_only_known_fields,
)
from ..model.plan import Plan
from ..model.request import Request, UpdateRequest
from ..model.revision_settings import SETTING_CHANGES, setting_changes
from ..model.service import Service, deployment_ids, primary_deployment, task_definition
from .journal import Journal
from .reader import read_errors

_POLLS, _PAUSE = 4, 2.0
"""Repeated polls for a new deployment, and the seconds between them: ECS does not return it."""


def plan_express(ecs: Ecs, plan: Plan, request: Request) -> Plan:
    """Returns the plan for an Express service. One call if ECS registers its revision.

    Raises InvalidEventError for a field that the service does not support.
    """
    fields: dict[str, Any] = {}
    running = plan.snapshot.task_definition
    if isinstance(request, UpdateRequest):
        check_event(request)
        is_new = plan.revision is not None
        if is_new and has_only_known_fields(ecs.fields.registrable(running)):
            with read_errors():
                configuration = ecs.express.configuration(
                    plan.snapshot.service_arn, plan.snapshot.task_definition_arn
                )
            if container := configuration.get("primaryContainer"):
                check_container_sizes(request)
                fields = fields_to_send(container, running, plan.after)
    # ECS manages the deployment configuration.
    return replace(plan, adds_breaker=False, adds_alarms=(), express=fields)


def update_express(
    ecs: Ecs, plan: Plan, arn: str, journal: Journal, clock: Clock
) -> tuple[Service, str]:
    """Updates the service once. Returns it, and the ARN of its revision.

    `arn`: the revision, or the family of one that ECS registers. Raises AwsFailure, LeaseHeldError
    or LedgerError.
    """
    snapshot, wanted = plan.snapshot, None if plan.express else arn
    fields = plan.express or {"taskDefinitionArn": arn}
    before = _Before(snapshot.service, snapshot.deployment_ids, snapshot.task_definition_arn)
    deployed = _deploy(ecs, before, fields, journal, clock)
    wanted = deployed.task_definition_arn or wanted
    if wanted is None:
        try:
            wanted = _find_revision(ecs, plan, deployed.new)
        except AwsFailure as failure:
            raise ReadFailed(_accepted(), failure) from failure
    return deployed.service, wanted or arn


def deploy_express(ecs: Ecs, service: Service, arn: str, journal: Journal, clock: Clock) -> Service:
    """Deploys an existing revision once, unless there is a new deployment already.

    `service`: the service before it. Returns the service with the deployment. Raises AwsFailure,
    LeaseHeldError or LedgerError.
    """
    fields = {"taskDefinitionArn": arn}
    before = _Before(service, deployment_ids(service), task_definition(service))
    # StopServiceDeployment may have started ECS's rollback without an answer.
    found = _read(ecs, before, arn)
    return (found if found.new else _deploy(ecs, before, fields, journal, clock)).service


def find_deployment(ecs: Ecs, entry: Entry, service: Service) -> str | None:
    """Returns the id of an entry's deployment whose revision ECS registered. None: there is none.

    The ledger has no ARN of such a revision before the deployment, but its images and changes.
    Raises AwsFailure.
    """
    primary, before = primary_deployment(service), entry.before.task_definition_arn
    is_new = primary and primary.get("id") != entry.previous_deployment_id
    if not is_new or not before or not entry.deploys or entry.after.task_definition_arn:
        return None
    earlier, _ = ecs.describe_task_definition(before)
    found, _ = ecs.describe_task_definition(primary["taskDefinition"])
    made = {change.what: change.after for change in setting_changes(earlier, found)}
    planned = {
        change["what"]: change["to"]
        for change in (entry.answer or {})["body"]["changes"]
        if change["what"].partition(".")[0] in SETTING_CHANGES
    }
    is_own = made == planned and td.container_images(found) == dict(entry.after.images)
    return str(primary["id"]) if is_own else None


@dataclass(frozen=True)
class _Before:
    """An Express service before its update."""

    service: Service
    deployment_ids: frozenset[str]
    task_definition_arn: str | None
    """The revision that it runs."""


@dataclass(frozen=True)
class _Deployed:
    """An Express service after its update."""

    service: Service
    new: Sequence[str]
    """Revisions of the deployments that it did not have before, and that can be the update's."""
    task_definition_arn: str | None = None
    """Its new revision. None: ECS did not name it."""


def _deploy(
    ecs: Ecs, before: _Before, fields: Mapping[str, Any], journal: Journal, clock: Clock
) -> _Deployed:
    """Calls UpdateExpressGatewayService, which does not return the deployment, and looks for it.

    The call is sent again only if it got no answer and made no deployment. Raises AwsFailure, and
    ReadFailed if the result is not known.
    """
    wanted = fields.get("taskDefinitionArn")
    for is_last in (False, True):
        unanswered: AwsFailure | None = None
        try:
            wanted = ecs.express.update(before.service["serviceArn"], fields) or wanted
        except AwsFailure as failure:
            if failure.outcome is not Outcome.UNKNOWN:
                raise
            unanswered = failure
        try:
            deployed = _poll(ecs, before, wanted, clock)
        except AwsFailure as unread:
            raise ReadFailed(unanswered or _accepted(), unread) from unread
        if deployed.new:
            return deployed
        if unanswered is None:
            missing = "no new deployment is listed yet"
            not_listed = AwsFailure("DescribeServices", Outcome.NOT_NOW, "", missing)
            raise ReadFailed(_accepted(), not_listed)
        if is_last:
            raise unanswered
        journal.before_write()
    raise AssertionError("the last attempt returns or raises")


def _accepted() -> AwsFailure:
    return AwsFailure("UpdateExpressGatewayService", Outcome.UNKNOWN, "", "ECS accepted the call")


def _poll(ecs: Ecs, before: _Before, wanted: str | None, clock: Clock) -> _Deployed:
    """Reads the service until it has a new deployment, of the revision `wanted` if possible."""
    deployed = _read(ecs, before, wanted)
    for _ in range(_POLLS):
        if deployed.new and wanted in (None, *deployed.new):
            break
        clock.sleep(_PAUSE)
        deployed = _read(ecs, before, wanted)
    return replace(deployed, task_definition_arn=wanted)


def _read(ecs: Ecs, before: _Before, wanted: str | None) -> _Deployed:
    """Reads the service. A new deployment of the earlier revision is somebody else's.

    `wanted`: the update's revision. None: one that ECS registers.
    """
    names = before.service["clusterArn"], before.service["serviceArn"]
    after = ecs.describe_service(*names)[0] or {}
    new = [
        each.get("taskDefinition", "")
        for each in after.get("deployments") or ()
        if each.get("id") not in before.deployment_ids
    ]
    others = before.task_definition_arn if before.task_definition_arn != wanted else None
    return _Deployed(after, [arn for arn in new if arn != others])


def _find_revision(ecs: Ecs, plan: Plan, arns: Sequence[str]) -> str | None:
    """Returns the one of several revisions that has the content of the plan. None: none has it."""
    for arn in arns:
        found, _ = ecs.describe_task_definition(arn)
        has_images = td.container_images(found) == td.container_images(plan.after)
        if has_images and not setting_changes(plan.after, found):
            return arn
    return None
