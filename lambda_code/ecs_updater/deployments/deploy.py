"""One update or rollback, from event to response: ``deploy`` has the steps in their order.

Every handler, the queue's worker and the command line call it. Without a table the same steps run
on a ledger in memory.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..aws.dynamodb import Table
from ..aws.ecs import Ecs
from ..context import Call
from ..errors import (
    EcsUpdaterError,
    InternalError,
    LeaseHeldError,
    ServiceUpdateError,
    UnknownOutcomeError,
)
from ..ledger.entry import Entry, State
from ..ledger.lease import Holder, Lease, Leases
from ..ledger.memory import MemoryHistory, MemoryLeases, MemoryLedger
from ..ledger.store import History
from ..model import event_parser
from ..model.arn import revision_name
from ..model.plan import Plan
from ..model.request import UpdateRequest, fingerprint_of_event
from ..model.service import ServiceDescription
from ..model.verdict import Verdict
from ..registry.verify import Registries
from ..rollout.rollback_target import with_tags
from ..settings import Settings
from .idempotency import Identity, has_ended_for_good, replay
from .journal import Journal, intent
from .planner import Pace, Planner
from .recovery import Recovery, in_order
from .response import DRY_RUN, Answer, RolloutOutcome, merged, of_dry_run, of_entry
from .tag_writer import AS_IT_WAS
from .waiter import NOT_ASKED_FOR, Waiter
from .writer import NOTHING, LeftBehind, apply

_MOST_PLANS = 3
"""How often an update is planned because somebody else deploys in between."""


def registry_clients(settings: Settings) -> Registries:
    """Returns the clients of Amazon ECR and of all other registries."""
    # Imported here: most updates ask no registry.
    # pylint: disable=import-outside-toplevel
    from ..aws.ecr import Ecr
    from ..aws.oci_registry import Oci
    from ..aws.safe_http import Http
    from ..registry.client import RegistryClient

    http = Http(settings.private_registries)
    return RegistryClient(Ecr(http), Oci(http))


def no_wait(_: Plan) -> None:
    """Waits for no rate limit: ECS throttles, and the SDK retries."""


def deploy(
    event: Any,
    environment: Mapping[str, str],
    ecs: Ecs,
    call: Call | None = None,
    table: Table | MemoryLedger | None = None,
    registries: Callable[[Settings], Registries] = registry_clients,
    *,
    service: ServiceDescription | None = None,
    wait_for_rate_limit: Pace = no_wait,
) -> Answer:
    """Does what an event says and returns the response of the contract.

    ``event`` is any JSON value, ``environment`` the function's (``os.environ``), ``table`` the
    ledger's: there is one exactly when the environment has LEDGER_TABLE. The command line without
    a table passes a ledger in memory. ``service`` is an answer of DescribeServices that was read
    already. ``wait_for_rate_limit`` waits until the calls of the plan may be made, before the lease
    is taken. Raises the errors of ``errors``; the message of an error after a write says in which
    state the service is.
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
        wait_for_rate_limit(plan)
    key = plan.snapshot.key if plan else earlier.service if earlier else ""
    with attempt.leases.held(key, attempt.identity.holder, attempt.latest_begin()) as lease:
        step = _resume_or_begin(attempt, lease, plan, read_at)
        if step.has_ended:
            return replay(step.journal.entry)
        outcome = _write_and_wait(attempt, step)
        response = _finish(attempt, step.journal, outcome)
    if lease.not_released:
        notes = [*response["body"]["deployment"].get("notes", []), str(lease.not_released)]
        response = of_entry(step.journal.entry, response["body"]["deployment"], notes=notes)
    return response


class Attempt:
    """One attempt at one request: what its steps share."""

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
        self.request = event_parser.parse(event, self.settings)
        self.ecs, self.call, clock = ecs, call, call.clock
        self.history: History
        self.leases: Leases
        if isinstance(table, MemoryLedger):
            self.history, self.leases = table.history, table.leases
        elif table:
            days = self.settings.ledger_retention_days
            self.history = History(table, retention_days=days, clock=clock.epoch)
            self.leases = Leases(table, clock=clock.epoch, sleep=clock.sleep)
        else:
            self.history, self.leases = MemoryHistory(clock.epoch), MemoryLeases(clock.epoch)
        holder = Holder.of(self.request.request_id or call.id)
        self.deadline = call.deadline(self.request.wait_seconds)
        """The moment of the clock until which may be waited, for the lease, the rollout and the
        rollback together.
        """
        self.planner = Planner(ecs, self.settings, registries, call, self.history)
        self.waiter = Waiter(ecs, self.settings, clock)
        fingerprint = fingerprint_of_event(event)
        self.identity = Identity(self.history, self.request, holder, fingerprint)

    @cached_property
    def recovery(self) -> Recovery:
        """What settles the open updates of the service; most services have none."""
        return Recovery(self.ecs, self.waiter, self.history)

    def latest_begin(self) -> float:
        """Until when the lease may be waited for, in seconds since the epoch."""
        wait = min(self.deadline, self.call.latest_begin()) - self.call.clock.now()
        return self.call.clock.epoch() + wait

    def intent(self, plan: Plan) -> Entry:
        """Returns the plan as an entry of the ledger."""
        digests = self.planner.digests(plan)
        return intent(plan, self.request, digests, plan.snapshot.completed)


@dataclass(frozen=True)
class Step:
    """What is left to do under the lease."""

    journal: Journal
    plan: Plan | None
    """None: an earlier attempt has made the deployment."""
    left_behind: LeftBehind = NOTHING
    has_ended: bool = False
    """Whether an earlier attempt ended for good meanwhile."""
    has_settled: bool = False
    """Whether other updates of the service were open."""


def _dry_run(attempt: Attempt, plan: Plan) -> Answer:
    """Returns what the update would answer.

    Raises the rollout's error where it would make no deployment over one that failed.
    """
    entry = replace(attempt.intent(plan), rollback_on_failure=False)
    memory = MemoryHistory(attempt.call.clock.epoch)
    with MemoryLeases().held(entry.service, attempt.identity.holder) as lease:
        journal = Journal(entry, memory, lease)
    notes = [*attempt.planner.notes, *attempt.planner.not_verified(plan, attempt.request)]
    if plan.deploys:
        return of_dry_run(plan, entry.answer or {}, notes)
    past = attempt.planner.past_of
    outcome = attempt.waiter.judge_without_deployment(
        # A dry run settles none of the open updates.
        journal,
        plan.snapshot,
        lambda: [update for update in past(plan.snapshot) if update.is_ended],
    )
    if outcome.error:
        outcome.error.also(DRY_RUN, instead_of=NOT_ASKED_FOR)
        raise outcome.error
    return of_dry_run(plan, of_entry(journal.entry, outcome.deployment), notes)


def _resume_or_begin(attempt: Attempt, lease: Lease, plan: Plan | None, read_at: float) -> Step:
    """Settles what was interrupted; then resumes this request, or begins it."""
    unfinished = attempt.history.unfinished(lease.term.service)
    if unfinished:
        unfinished = in_order(unfinished)
    request_id = attempt.identity.holder.request_id
    for entry in unfinished:
        if entry.request_id == request_id:
            return _resume(attempt, lease, entry, unfinished)
    if plan is None:
        ended = attempt.identity.find()  # It ended while the lease was waited for.
        if ended and has_ended_for_good(ended):
            return Step(Journal(ended, attempt.history, lease), None, has_ended=True)
    if plan is None or lease.term.is_stale(read_at):
        plan = attempt.planner.plan(attempt.request)
    if unfinished and not _settle(attempt, lease, unfinished, plan):
        plan = attempt.planner.plan(attempt.request)
    return replace(_begin(attempt, lease, plan), has_settled=bool(unfinished))


def _settle(attempt: Attempt, lease: Lease, unfinished: list[Entry], plan: Plan) -> bool:
    """Settles the open updates of others; whether the service is still as it was read."""
    is_current = True
    for entry in unfinished:
        known = plan.snapshot.service if is_current else None
        try:
            settled = attempt.recovery.settle(
                entry, lease, known, is_followed_by_a_deployment=plan.deploys
            )
        except InternalError:
            # It is logged. It must not stop the updates of its service for good.
            is_current = False
            continue
        if settled.rollback or settled.verdict == Verdict.INTERRUPTED:
            is_current = False
    return is_current


def _begin(attempt: Attempt, lease: Lease, plan: Plan) -> Step:
    """Writes what is about to be done into the ledger."""
    entry, identity, history = attempt.intent(plan), attempt.identity, attempt.history
    rollback_to, rollback_tags = entry.rollback_to, None
    if entry.rollback_on_failure:
        success = None
        if rollback_to is None and (success := history.last_success(entry.service)):
            rollback_to = success.task_definition_arn
        if rollback_to and rollback_to != entry.before.task_definition_arn:
            # A rollout is going on, or has failed: the tags are that one's.
            rollback_tags = with_tags(rollback_to, attempt.planner.past_of(plan.snapshot)).tags
            if rollback_tags is None:
                success = success or history.last_success(entry.service)
                if success and success.task_definition_arn == rollback_to:
                    rollback_tags = success.tags
    begun = history.begin(
        replace(
            entry,
            number=lease.term.fence,
            fence=lease.term.fence,
            owner=identity.holder.id,
            request_id=identity.holder.request_id,
            caller=attempt.call.caller,
            batch=attempt.call.batch,
            fingerprint=identity.fingerprint,
            rollback_to=rollback_to,
            rollback_tags=rollback_tags,
        ),
        lease.term,
    )
    if not begun.is_new:
        identity.check_begun_elsewhere(begun.entry)
    left_behind = LeftBehind(may_have_registered=identity.is_repetition)
    journal = Journal(begun.entry, history, lease)
    return Step(journal, plan, left_behind, has_ended=not begun.is_new)


def _resume(attempt: Attempt, lease: Lease, entry: Entry, unfinished: list[Entry]) -> Step:
    """Goes on with an earlier attempt where it stopped."""
    for other in unfinished[: unfinished.index(entry)]:
        if other.is_before_deployment:
            attempt.recovery.settle(other, lease)
    taken = attempt.history.take_over(entry, lease.term)
    journal = Journal(taken, attempt.history, lease)
    entry = journal.entry
    if entry.rollback or entry.state is State.DEPLOYED:
        return Step(journal, None)
    service = attempt.recovery.describe(entry)
    if deployment := attempt.recovery.deployment_of(entry, service):
        revision = deployment.get("taskDefinition")
        journal.deployed(deployment["id"], deployment.get("updatedAt"), None, revision)
        return Step(journal, None)
    return _resume_before_deployment(attempt, journal, attempt.planner.plan(attempt.request))


def _resume_before_deployment(attempt: Attempt, journal: Journal, plan: Plan) -> Step:
    """Plans the rest of an attempt that made no deployment."""
    entry = journal.entry
    running = (plan.snapshot.task_definition_arn, plan.snapshot.deployment_id)
    if running == (entry.before.task_definition_arn, entry.previous_deployment_id):
        # Its tags may be written already: the entry has the tags before.
        snapshot = replace(plan.snapshot, tags=entry.before.tags)
        again = attempt.planner.plan_from(snapshot, attempt.request)
        if _is_begun_as(entry, again, attempt.intent(again)):
            registered = entry.after.task_definition_arn if again.revision is not None else None
            return Step(journal, again, LeftBehind(registered, may_have_registered=True))
    new = attempt.intent(plan)
    journal.entry = replace(
        entry,
        before=replace(new.before, tags=entry.before.tags),
        after=new.after,
        answer=new.answer,
        digests=new.digests,
        deploys=new.deploys,
        rollback_to=new.rollback_to or entry.rollback_to,
        previous_deployment_id=new.previous_deployment_id,
    )
    if journal.entry.before.tags != new.after.tags and not plan.tags:
        journal.tagged()  # The attempt before has written them.
    return Step(journal, plan)


def _is_begun_as(entry: Entry, plan: Plan, planned: Entry) -> bool:
    """Whether an entry was begun for a plan.

    The target of a rollback may have been deregistered or deleted since.
    """
    target = plan.target["taskDefinitionArn"] if plan.target is not None else None
    is_to_target = target is not None and entry.after.task_definition_arn == target
    has_target = target is None or is_to_target == (plan.revision is None)
    return has_target and entry.after.images == planned.after.images


def _write_and_wait(attempt: Attempt, step: Step) -> RolloutOutcome:
    """Writes what is left to write, and waits for the rollout."""
    journal, plan, waiter = step.journal, step.plan, attempt.waiter
    if plan is None:
        return waiter.wait(journal, attempt.deadline)
    # An earlier attempt may have written the tags, which a failure of this one does not put back.
    entry = journal.entry
    may_have_tags = entry.fence != entry.number and entry.before.tags != entry.after.tags
    try:
        outcome = write_and_wait(attempt, plan, journal, step.left_behind)
        if journal.has_deployed and step.has_settled:
            attempt.recovery.end_overtaken()
        return outcome
    except (LeaseHeldError, UnknownOutcomeError):
        raise  # The entry stays open: the reconciler reads what became of the service.
    except EcsUpdaterError as error:
        # With tags that were not put back it stays open too: the reconciler puts them back.
        if not journal.has_deployed and not may_have_tags and "tags_before" not in error.details:
            journal.failed(Verdict.NOT_DEPLOYED, error, is_untouched=True)
        raise


def write_and_wait(
    attempt: Attempt, plan: Plan, journal: Journal, left_behind: LeftBehind = NOTHING
) -> RolloutOutcome:
    """Writes the plan and waits for the rollout. Raises what ``writer.apply`` raises."""
    if plan.writes:
        _write(attempt, plan, journal, left_behind)
    if not plan.deploys:
        planner, snapshot = attempt.planner, plan.snapshot
        outcome = attempt.waiter.judge_without_deployment(
            journal, snapshot, lambda: planner.past_of(snapshot)
        )
        if outcome.error and plan.tags and journal.entry.rollback is None:
            outcome.error.also("the tags of this event are set")
        if outcome.is_final:
            return outcome
    return attempt.waiter.wait(journal, attempt.deadline)


def _write(attempt: Attempt, plan: Plan, journal: Journal, left_behind: LeftBehind) -> None:
    """Writes the plan, and another one where somebody else's deployment came between reading and
    writing.
    """
    applied = apply(attempt.ecs, plan, journal, left_behind)
    for plans_left in reversed(range(_MOST_PLANS)):
        if plan.deploys and (applied.deployment_id or applied.foreign is None):
            journal.deployed(
                applied.deployment_id,
                applied.updated_on,
                applied.service_deployment_arn,
                applied.deployed_arn,
            )
        foreign = applied.foreign
        if foreign is None:
            return
        theirs = f"deployment {foreign['id']} of {revision_name(foreign['taskDefinition'])}"
        if not isinstance(attempt.request, UpdateRequest):
            journal.notes.append(
                f"{theirs}, of somebody else, came in between: this rollback took its place"
            )
            return
        ours = revision_name(applied.task_definition["taskDefinitionArn"])
        now = f"runs {ours} of this update, without what {theirs}, of somebody else, changed"
        if applied.deployment_id is None:
            now = (
                f"runs {theirs}, of somebody else; {ours} of this update may have been deployed "
                "before it"
            )
        if not plans_left:
            raise ServiceUpdateError(
                "service could not be update with new task_definition: somebody else "
                f"deployed it {_MOST_PLANS} times meanwhile; it {now}"
            )
        try:
            again = attempt.planner.plan_again(plan, attempt.request, applied)
            if again is None:
                return
            journal.notes.append(f"{theirs} came in between: planned again from it")
            journal.entry = _planned_again(attempt, again, journal.entry)
            if not again.deploys:
                journal.planned_again()
                return
            plan, applied = again, apply(attempt.ecs, again, journal)
        except EcsUpdaterError as error:
            error.also(f"the service {now}", instead_of=AS_IT_WAS)
            raise


def _planned_again(attempt: Attempt, plan: Plan, entry: Entry) -> Entry:
    """Returns the entry with the service before and after as the new plan has them; the tags of
    the first plan are written.
    """
    new = attempt.intent(plan)
    return replace(
        entry,
        before=replace(new.before, tags=entry.before.tags),
        after=new.after,
        digests=new.digests,
        answer=merged(new.answer or {}, entry.answer or {}),
    )


def _finish(attempt: Attempt, journal: Journal, outcome: RolloutOutcome) -> Answer:
    """Writes the end into the ledger, and returns the response or raises the error."""
    if outcome.error:
        outcome.error.details["notes"] = _notes(attempt, journal, outcome)
        if outcome.is_final:
            journal.failed(outcome.verdict, outcome.error)
            # With a note where that could not be written.
            outcome.error.details["notes"] = _notes(attempt, journal, outcome)
        raise outcome.error
    known = len(journal.notes)
    notes = _notes(attempt, journal, outcome)
    response = of_entry(journal.entry, outcome.deployment, notes=notes)
    if outcome.is_final:
        journal.ended(response)
    else:
        journal.answered(response)
    if len(journal.notes) == known:
        return response
    notes = _notes(attempt, journal, outcome)
    return of_entry(journal.entry, response["body"]["deployment"], notes=notes)


def _notes(attempt: Attempt, journal: Journal, outcome: RolloutOutcome) -> list[str]:
    """Returns what the caller should know beside the response."""
    notes = [*attempt.planner.notes, *journal.notes]
    if attempt.request.wait_seconds and outcome.verdict == Verdict.IN_PROGRESS:
        notes.append("no time was left to wait for the rollout")
    if (
        journal.entry.rollback_on_failure
        and not outcome.is_final
        and not attempt.settings.ledger_table
    ):
        notes.append("nobody rolls it back from now on: the function has no ledger (LEDGER_TABLE)")
    return notes
