"""One update or rollback, from event to response: `deploy` has the steps in their order.

The handlers, the queue's worker and the command line call it. Without a table, the same steps use a
ledger in memory.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs, locate
from ..context import Call
from ..errors import (
    EcsUpdaterError,
    InternalError,
    InvalidEventError,
    LeaseHeldError,
    ServiceUpdateError,
    UnknownOutcomeError,
    one_line,
)
from ..ledger.entry import Entry
from ..ledger.lease import Holder, Lease
from ..ledger.memory import MemoryLedger
from ..ledger.store import ledger_of
from ..model import event_parser
from ..model.arn import revision_name
from ..model.plan import Plan
from ..model.request import Request, UpdateRequest, fingerprint_of_event
from ..model.service import ServiceDescription
from ..model.verdict import Verdict
from ..registry.verify import Registries
from ..settings import Settings
from .idempotency import Identity, has_ended_for_good, replay
from .journal import Journal
from .planner import Planner, RateLimit
from .recovery import Recovery, Step, in_order, taken_over
from .response import (
    DRY_RUN,
    Answer,
    RolloutOutcome,
    merged,
    of_dry_run,
    of_entry,
    with_notes,
)
from .rollback_target import tags_with
from .run_before import RunBeforeStep
from .tag_writer import UNCHANGED
from .waiter import NOT_REQUESTED, Waiter
from .writer import LeftBehind, write_plan

if TYPE_CHECKING:  # Only the HTTP API has scopes: their import would take a tenth of the start-up.
    from ..model.scopes import Scope

_MOST_PLANS = 3
"""Maximum plans of an update if other updates deploy between its read and its write."""


def registry_clients(settings: Settings) -> Registries:
    """Returns the clients of Amazon ECR and of all other registries."""
    # Imported here: most updates need no registry.
    # pylint: disable=import-outside-toplevel
    from ..aws.ecr import Ecr
    from ..aws.oci_registry import Oci
    from ..aws.safe_http import Http
    from ..registry.client import RegistryClient

    http = Http(settings.private_registries)
    return RegistryClient(Ecr(http), Oci(http))


def deploy(
    event: Any,
    environment: Mapping[str, str],
    ecs: Ecs,
    call: Call | None = None,
    table: Table | MemoryLedger | None = None,
    registries: Callable[[Settings], Registries] = registry_clients,
    *,
    service: ServiceDescription | None = None,
    wait_for_rate_limit: RateLimit | None = None,
) -> Answer:
    """Updates or rolls back a service by an event, and returns the response of the contract.

    `event` is any JSON value. `environment` is the function's (`os.environ`). `table` is the
    ledger's, if the environment has LEDGER_TABLE. The command line without a table passes a ledger
    in memory. `service`: the service, if DescribeServices was called already.
    `wait_for_rate_limit` waits before the lease until the calls of a plan may be made. None: ECS
    throttles, and the SDK retries. Raises the errors of `errors`. The message of an error after a
    write contains the state of the service.
    """
    attempt = Attempt(event, environment, ecs, call or Call(), table, registries)
    if attempt.request.dry_run:
        return _dry_run(attempt, attempt.planner.plan(attempt.request, service))
    earlier = attempt.identity.find()
    if earlier and has_ended_for_good(earlier):
        return replay(earlier)
    plan, read_at = None, -math.inf
    if earlier is None or earlier.is_ended:
        read_at = service.read_at if service else attempt.call.clock.epoch()
        plan = attempt.planner.plan(attempt.request, service)
        if wait_for_rate_limit:
            wait_for_rate_limit(plan)
    key = plan.snapshot.key if plan else earlier.service if earlier else ""
    with attempt.leases.held(
        key, attempt.identity.holder, attempt.call.latest_begin(attempt.deadline)
    ) as lease:
        step = _resume_or_begin(attempt, lease, plan, read_at)
        if step.has_ended:
            return replay(step.journal.entry)
        outcome = _write_and_wait(attempt, step)
        response = _finish(attempt, step.journal, outcome)
    if lease.not_released:
        step.journal.notes.append(str(lease.not_released))
    return with_notes(response, step.journal.notes) if step.journal.notes else response


class Attempt:
    """The shared objects of one attempt at one request."""

    def __init__(
        self,
        event: Any,
        environment: Mapping[str, str],
        ecs: Ecs,
        call: Call,
        table: Table | MemoryLedger | None,
        registries: Callable[[Settings], Registries],
    ):
        self.settings = Settings.from_environment(environment)
        request = event_parser.parse(event, self.settings)
        if call.scope:
            call = replace(call, scope=_scope_of(call.scope, request, ecs))
        if request.target or "arn:" in (request.cluster[:4], request.service[:4]):
            request, ecs = locate(request, ecs)
        self.request = request
        self.ecs, self.call = ecs, call
        days = self.settings.ledger_retention_days
        ledger = ledger_of(table or MemoryLedger(call.clock.epoch), days, call.clock)
        self.history, self.leases = ledger.history, ledger.leases
        holder = Holder.of(self.request.request_id or call.id)
        self.deadline = call.deadline(self.request.wait_seconds)
        """The moment of the clock at which the waits for lease, rollout and rollback end."""
        self.planner = Planner(ecs, self.settings, registries, call, self.history)
        self.waiter = Waiter(ecs, self.settings, call.clock)
        fingerprint = fingerprint_of_event(event)
        self.identity = Identity(self.history, self.request, holder, fingerprint, call.scope)

    @cached_property
    def recovery(self) -> Recovery:
        """Recovers the service's open updates. Most services have none."""
        return Recovery(self.ecs, self.waiter, self.history, self.run_before)

    @cached_property
    def run_before(self) -> RunBeforeStep:
        """Runs the task of `run_before`."""
        is_continued = bool(self.settings.ledger_table)
        return RunBeforeStep(self.ecs, self.call.clock, is_continued=is_continued)


def _scope_of(scope: "Scope", request: Request, ecs: Ecs) -> "Scope":
    """Returns the part of the caller's scope that allows the request.

    A target that the scope does not have is refused before it is looked up, also one that does not
    exist. Raises NotAllowedError, and InvalidEventError for an account without a target.
    """
    scope.check_named_target(request)
    try:
        located = ecs.targets.locate(request)
    except InvalidEventError as error:
        error.hint = None  # It names another target.
        raise
    return scope.of_request(located, ecs.targets.target_name(located.cluster))


def _dry_run(attempt: Attempt, plan: Plan) -> Answer:
    """Returns the response without any write.

    Raises the rollout's error if the update would make no deployment after a failed one.
    """
    entry = replace(attempt.planner.make_entry(plan, attempt.request), rollback_on_failure=False)
    memory = MemoryLedger(attempt.call.clock.epoch)
    with memory.leases.held(entry.service, attempt.identity.holder) as lease:
        journal = Journal(entry, memory.history, lease)
    notes = [*attempt.planner.notes, *attempt.planner.not_verified(plan, attempt.request)]
    if plan.updates_service:
        return of_dry_run(plan, entry.answer or {}, notes)
    past = partial(attempt.history.latest, plan.snapshot.key)
    outcome = attempt.waiter.judge_without_deployment(
        # A dry run recovers no open update.
        journal,
        plan.snapshot,
        lambda: [earlier for earlier in past() if earlier.is_ended],
    )
    if outcome.error:
        outcome.error.also(DRY_RUN, instead_of=NOT_REQUESTED)
        raise outcome.error
    return of_dry_run(plan, of_entry(journal.entry, outcome.deployment), notes)


def _resume_or_begin(attempt: Attempt, lease: Lease, plan: Plan | None, read_at: float) -> Step:
    """Recovers interrupted updates, and resumes this request or begins it."""
    unfinished = attempt.history.unfinished(lease.service)
    if unfinished:
        unfinished = in_order(unfinished)
    request_id = attempt.identity.holder.request_id
    for entry in unfinished:
        if entry.request_id == request_id:
            attempt.identity.check_same(entry)  # It may have been begun since `find`.
            for other in unfinished[: unfinished.index(entry)]:
                if other.is_before_deployment:
                    attempt.recovery.recover(other, lease)
            return attempt.recovery.resume(entry, lease, attempt.planner, attempt.request)
    if plan is None:
        ended = attempt.identity.find()  # It ended during the wait for the lease.
        if ended and has_ended_for_good(ended):
            return Step(Journal(ended, attempt.history, lease), None, has_ended=True)
    if plan is None or lease.is_stale(read_at):
        plan = attempt.planner.plan(attempt.request)
    if unfinished and not _recover(attempt, lease, unfinished, plan):
        plan = attempt.planner.plan(attempt.request)
    return replace(_begin(attempt, lease, plan), has_recovered=bool(unfinished))


def _recover(attempt: Attempt, lease: Lease, unfinished: list[Entry], plan: Plan) -> bool:
    """Recovers the open updates of others. Returns whether the plan's service is unchanged."""
    is_current, is_update = True, isinstance(attempt.request, UpdateRequest)
    for entry in unfinished:
        service = plan.snapshot.service if is_current else None
        try:
            recovered = attempt.recovery.recover(
                entry, lease, service, is_followed_by_a_deployment=plan.deploys
            )
        except InternalError:
            # It is logged, and must not block the service's updates forever.
            is_current = False
            continue
        # A rollback may replace the rollout, as the way out of one that never ends.
        is_held = recovered.is_before_deployment or (is_update and not recovered.is_ended)
        if recovered.task and is_held:
            raise LeaseHeldError(
                f"ecs_service_name {lease.service} is held by another update (request_id "
                f"{one_line(recovered.request_id)}, since {recovered.begun_at}), whose task of "
                "run_before or rollout goes on, try again"
            )
        if recovered.has_written_in_recovery:
            is_current = False
    return is_current


def _begin(attempt: Attempt, lease: Lease, plan: Plan) -> Step:
    """Writes the plan into the ledger."""
    identity, history = attempt.identity, attempt.history
    entry = attempt.planner.make_entry(plan, attempt.request)
    rollback_to, rollback_tags = entry.rollback_to, None
    if entry.rollback_on_failure and not entry.only_changes_settings:
        success = None
        if rollback_to is None and (success := history.last_success(entry.service)):
            rollback_to = success.task_definition_arn
        if rollback_to and rollback_to != entry.before.task_definition_arn:
            # A rollout is in progress or has failed: the current tags belong to it.
            rollback_tags = tags_with(rollback_to, history.latest(entry.service))
            if rollback_tags is None:
                success = success or history.last_success(entry.service)
                if success and success.task_definition_arn == rollback_to:
                    rollback_tags = success.tags
    begun = history.begin(
        replace(
            entry,
            number=lease.fence,
            fence=lease.fence,
            owner=identity.holder.id,
            request_id=identity.holder.request_id,
            caller=attempt.call.caller,
            batch=attempt.call.batch,
            fingerprint=identity.fingerprint,
            rollback_to=rollback_to,
            rollback_tags=rollback_tags,
            task=taken_over(entry.task, identity.task) if entry.task else None,
        ),
        lease,
    )
    if not begun.is_new:
        identity.check_begun_elsewhere(begun.entry)
    left_behind = LeftBehind(may_have_registered=identity.is_repetition)
    journal = Journal(begun.entry, history, lease)
    return Step(journal, plan, left_behind, has_ended=not begun.is_new)


def _write_and_wait(attempt: Attempt, step: Step) -> RolloutOutcome:
    """Does the remaining writes, and waits for the rollout."""
    journal, plan, waiter = step.journal, step.plan, attempt.waiter
    if plan is None and not journal.entry.has_begun_task:
        return waiter.wait(journal, attempt.deadline, attempt.request.wait_until)
    # A failure of this attempt does not restore the tags that an earlier one may have written.
    entry = journal.entry
    may_have_tags = entry.fence != entry.number and entry.before.tags != entry.after.tags
    try:
        outcome: RolloutOutcome | None = None
        if plan is None or plan.run_before:
            outcome = _run_before(attempt, step)
            if outcome:
                return outcome
        elif plan.updates_service and not plan.deploys:
            outcome = _write_settings(attempt, plan, journal, step.left_behind)
        elif plan.writes:
            _write(attempt, plan, journal, step.left_behind)
        if plan and not plan.updates_service:
            outcome = _judge_running(attempt, plan, journal)
        if outcome is None or not outcome.is_final:
            outcome = waiter.wait(journal, attempt.deadline, attempt.request.wait_until)
        if journal.has_deployed and step.has_recovered:
            attempt.recovery.fail_overtaken()
        return outcome
    except (LeaseHeldError, UnknownOutcomeError):
        raise  # The entry stays open: the reconciler reads the state of the service.
    except EcsUpdaterError as error:
        # Without restored tags it stays open, too: the reconciler restores them.
        if not journal.has_deployed and not may_have_tags and "tags_before" not in error.details:
            journal.failed(Verdict.NOT_DEPLOYED, error, is_untouched=True)
        raise


def _run_before(attempt: Attempt, step: Step) -> RolloutOutcome | None:
    """Runs the task, and updates the service after it. Returns None after UpdateService."""
    request, service = attempt.request, step.service
    assert isinstance(request, UpdateRequest) and request.run_before
    if step.plan:
        service = step.plan.snapshot.service
        attempt.run_before.register(step.plan, step.journal, step.left_behind)
    command = list(request.run_before.command)
    return attempt.run_before.run(step.journal, service, command, attempt.deadline)


def _judge_running(attempt: Attempt, plan: Plan, journal: Journal) -> RolloutOutcome:
    """Judges a plan without a deployment by the deployment that runs."""
    past = partial(attempt.history.latest, plan.snapshot.key)
    outcome = attempt.waiter.judge_without_deployment(journal, plan.snapshot, past)
    if outcome.error and plan.tags and journal.entry.rollback is None:
        outcome.error.also("the tags of this event are set")
    return outcome


def _write_settings(
    attempt: Attempt, plan: Plan, journal: Journal, left_behind: LeftBehind
) -> RolloutOutcome:
    """Writes a plan that only changes settings of the service, and judges it by ECS's answer."""
    applied = write_plan(attempt.ecs, plan, journal, left_behind)
    if applied.deployment_id:
        arn = applied.deployed_arn
        journal.joined(applied.deployment_id, applied.service_deployment_arn, arn)
        if arn and applied.deployment_id not in plan.snapshot.deployment_ids:
            journal.notes.append(
                f"deployment {applied.deployment_id} of {revision_name(arn)}, of somebody else, "
                "came in between: the service runs its revision"
            )
    return attempt.waiter.judge_settings(journal, applied.service)


def _write(attempt: Attempt, plan: Plan, journal: Journal, left_behind: LeftBehind) -> None:
    """Writes the plan, and another plan after another update's deployment in between."""
    applied = write_plan(attempt.ecs, plan, journal, left_behind, attempt.call.clock)
    for plans_left in reversed(range(_MOST_PLANS)):
        other = applied.other_deployment
        if plan.deploys and (applied.deployment_id or other is None):
            journal.deployed(
                applied.deployment_id,
                applied.updated_on,
                applied.service_deployment_arn,
                applied.deployed_arn,
            )
        if other is None:
            return
        name = f"deployment {other['id']} of {revision_name(other['taskDefinition'])}"
        request = attempt.request
        if not isinstance(request, UpdateRequest) or request.task_definition:
            journal.notes.append(
                f"{name}, of somebody else, came in between: this {journal.entry.action} took its "
                "place"
            )
            return
        revision = revision_name(applied.arn)
        now = f"runs {revision} of this update, without what {name}, of somebody else, changed"
        if applied.deployment_id is None:
            now = (
                f"runs {name}, of somebody else; {revision} of this update may have been "
                "deployed before it"
            )
        if not plans_left:
            raise ServiceUpdateError(
                "service could not be update with new task_definition: somebody else "
                f"deployed it {_MOST_PLANS} times meanwhile; it {now}"
            )
        try:
            again = attempt.planner.plan_again(plan, request, applied)
            if again is None:
                return
            journal.notes.append(f"{name} came in between: planned again from it")
            new, entry = attempt.planner.make_entry(again, request), journal.entry
            settings = entry.settings
            journal.entry = replace(
                entry,
                # The tags and the service's settings of the first plan are written.
                before=replace(
                    new.before, tags=entry.before.tags, service_settings=settings.before
                ),
                after=replace(new.after, service_settings=settings.after),
                digests=new.digests,
                answer=merged(new.answer or {}, entry.answer or {}),
            )
            if not again.deploys:
                journal.planned_again()
                return
            plan = again
            applied = write_plan(attempt.ecs, again, journal, clock=attempt.call.clock)
        except EcsUpdaterError as error:
            error.also(f"the service {now}", instead_of=UNCHANGED)
            raise


def _finish(attempt: Attempt, journal: Journal, outcome: RolloutOutcome) -> Answer:
    """Writes the verdict into the ledger, and returns the response or raises the error.

    The journal's notes become those for the caller. They grow if the ledger cannot be written.
    """
    journal.notes[:0] = attempt.planner.notes
    is_unpolled = outcome.deployment is None or "reachedStage" not in outcome.deployment
    if attempt.request.wait_seconds and outcome.verdict == Verdict.IN_PROGRESS and is_unpolled:
        journal.notes.append("no time was left to wait for the rollout")
    is_kept = outcome.is_final or bool(attempt.settings.ledger_table)
    if journal.entry.rollback_on_failure and not is_kept:
        journal.notes.append(
            "a later failure is not rolled back: the function has no ledger (LEDGER_TABLE)"
        )
    if outcome.error:
        outcome.error.details["notes"] = journal.notes
        if outcome.is_final:
            journal.failed(outcome.verdict, outcome.error)
        raise outcome.error
    response = of_entry(journal.entry, outcome.deployment)
    if journal.notes:
        response = with_notes(response, journal.notes)
    write = journal.ended if outcome.is_final else journal.answered
    write(response)
    return response
