"""Finishes, resumes or reverses an open update.

Its caller did not wait, or its process was killed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import unless_missing
from ..context import Clock
from ..errors import (
    LASTING,
    AwsFailure,
    EcsUpdaterError,
    InternalError,
    LeaseHeldError,
    LedgerError,
    RolloutFailedError,
    ServiceUpdateError,
)
from ..ledger.entry import Entry, Side, State, TaskRun, entry_key
from ..ledger.lease import Lease
from ..ledger.store import History
from ..log import keys_of, log_ended, logger
from ..model.plan import Plan
from ..model.request import Request
from ..model.service import is_express, own_tags, primary_deployment
from ..model.tags import TagChanges, taken_back
from ..model.verdict import Verdict
from ..settings import Settings
from . import tag_writer
from .express import find_deployment
from .journal import Journal
from .planner import Planner
from .reader import read_errors
from .response import RolloutOutcome, of_entry
from .run_before import RunBeforeStep
from .waiter import Waiter, running_deployment
from .writer import NOTHING, LeftBehind

GONE = ("ClusterNotFoundException", "ServiceNotFoundException")
"""Codes of ECS for a service that does not exist any more."""

NO_SERVICE: Mapping[str, Any] = {"status": "INACTIVE"}
"""A service that does not exist any more, in the form of DescribeServices."""


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Returns a service's open entries in the order of their recovery.

    Entries without a deployment come first, the latest of them first. They may be reversed, and
    their writes were made after those of the earlier entries.
    """
    return sorted(
        entries,
        key=lambda entry: (0, -entry.number) if entry.is_before_deployment else (1, entry.number),
    )


@dataclass(frozen=True)
class Step:
    """The remaining work for a request under the lease."""

    journal: Journal
    plan: Plan | None
    """None: an earlier attempt has made the deployment, or has begun the task before it."""
    left_behind: LeftBehind = NOTHING
    has_ended: bool = False
    """Whether an earlier attempt has ended for good meanwhile."""
    has_recovered: bool = False
    """Whether other updates of the service were open."""
    service: Mapping[str, Any] = field(default_factory=dict)
    """The service in DescribeServices, without a plan."""


class Recovery:
    """Ends open entries. The caller holds the service's lease."""

    def __init__(
        self,
        ecs: Ecs,
        waiter: Waiter,
        history: History,
        run_before: RunBeforeStep,
        *,
        unreachable: EcsUpdaterError | None = None,
    ):
        """`unreachable`: why no service can be read. Then only an entry that is too old ends."""
        self._ecs, self._waiter, self._history = ecs, waiter, history
        self._run_before, self._unreachable = run_before, unreachable
        self._overtaken: list[Journal] = []

    def recover(
        self,
        entry: Entry,
        lease: Lease,
        service: Mapping[str, Any] | None = None,
        *,
        is_followed_by_a_deployment: bool = False,
    ) -> Entry:
        """Ends an entry, if its verdict can be known now. Returns the entry.

        `service`: the service, if DescribeServices was called already.
        `is_followed_by_a_deployment`: the next update deploys, which replaces a due rollback, see
        `fail_overtaken`. Raises ServiceReadError, LeaseHeldError or LedgerError, and InternalError
        for an entry that causes a defect.
        """
        try:
            try:
                journal = Journal(self._history.take_over(entry, lease), self._history, lease)
            except LeaseHeldError:
                return entry  # It has ended meanwhile.
            outcome = self._outcome(journal, service, is_followed_by_a_deployment)
            if outcome.is_final and outcome.error:
                journal.failed(outcome.verdict, outcome.error)
            elif outcome.is_final:
                journal.ended(of_entry(journal.entry, outcome.deployment))
            if journal.entry.is_ended:
                log_ended(journal.entry)
        except EcsUpdaterError:
            raise
        except Exception as defect:
            key = f"{entry.service} {entry_key(entry.number)}"
            logger.exception("an open update cannot be ended", entry=key, **keys_of(entry))
            raise InternalError(
                f"{type(defect).__name__}: the entry {key} cannot be ended, the log has the details"
            ) from None
        return journal.entry

    def _outcome(
        self, journal: Journal, service: Mapping[str, Any] | None, is_followed_by_a_deployment: bool
    ) -> RolloutOutcome:
        """Returns the outcome of an entry, also of one that is too old to be read again."""
        try:
            outcome = self._poll(journal, service, is_followed_by_a_deployment)
        except (LeaseHeldError, LedgerError):
            raise
        except EcsUpdaterError as failure:
            if aged := self._waiter.expired(journal.entry, str(failure)):
                return aged
            raise
        is_stuck = outcome.error is not None and not outcome.is_final
        if is_stuck and self._waiter.expired(journal.entry, str(outcome.error)):
            return replace(outcome, is_final=True)
        return outcome

    def _poll(
        self, journal: Journal, service: Mapping[str, Any] | None, is_followed_by_a_deployment: bool
    ) -> RolloutOutcome:
        entry = journal.entry
        if self._unreachable:
            raise self._unreachable
        with read_errors(
            f"; an earlier update of the service (request_id {entry.request_id}) is not done"
        ):
            if service is None:
                service = self.describe(entry)
            if entry.is_before_deployment and not self.find_deployment(journal, service):
                if entry.has_begun_task and (outcome := self._run_before.proceed(journal, service)):
                    return outcome
                self._reverse(journal, service)
                return RolloutOutcome(is_final=False)
            primary_id = primary_deployment(service).get("id")
            is_primary = primary_id == journal.entry.deployment_id
            # The next update does not restore the service's settings.
            is_replaced = is_followed_by_a_deployment and is_primary and not entry.settings
            may_roll_back = not is_replaced
            past = [] if entry.deploys else self._history.latest(entry.service)
            outcome = self._waiter.poll(journal, service, may_roll_back=may_roll_back, past=past)
            rollback_id = journal.entry.rollback and journal.entry.rollback.deployment_id
            is_started = rollback_id is not None and rollback_id == primary_id
            if may_roll_back and not outcome.is_final and is_started:
                # The tags are restored now. The rollback may be complete, too.
                outcome = self._waiter.poll(journal, service)
            if outcome.verdict == Verdict.FAILED and not outcome.is_final and not may_roll_back:
                self._overtaken.append(journal)
            return outcome

    def fail_overtaken(self) -> None:
        """Ends the updates whose due rollback was replaced by a later deployment."""
        for journal in self._overtaken:
            error = RolloutFailedError(
                f"{journal.entry.cause}; a later update came before the service was rolled back"
            )
            journal.failed(Verdict.FAILED, error)
            log_ended(journal.entry)
        self._overtaken.clear()

    def resume(self, entry: Entry, lease: Lease, planner: Planner, request: Request) -> Step:
        """Continues an earlier attempt at the same request after its last step."""
        journal = Journal(self._history.take_over(entry, lease), self._history, lease)
        entry = journal.entry
        service: Mapping[str, Any] = {}
        if (
            entry.rollback
            or entry.state is State.DEPLOYED
            or self.find_deployment(journal, service := self.describe(entry))
        ):
            return Step(journal, None)
        if entry.has_begun_task:
            return Step(journal, None, service=service)
        plan = planner.plan(request)
        running = (plan.snapshot.task_definition_arn, plan.snapshot.deployment_id)
        if running == (entry.before.task_definition_arn, entry.previous_deployment_id):
            # The tags may be written already: the entry has the earlier ones.
            snapshot = replace(plan.snapshot, tags=entry.before.tags)
            again = planner.plan_from(snapshot, request)
            planned = planner.make_entry(again, request)
            if _is_begun_as(entry, again, planned):
                journal.entry = replace(
                    entry,
                    before=_with_settings(entry.before, planned.before),
                    after=_with_settings(entry.after, planned.after),
                    # Another caller may have changed the settings meanwhile.
                    answer=planned.answer,
                )
                registered = entry.after.task_definition_arn if again.revision is not None else None
                return Step(journal, again, LeftBehind(registered, may_have_registered=True))
        new = planner.make_entry(plan, request)
        journal.entry = replace(
            entry,
            before=replace(new.before, tags=entry.before.tags),
            after=new.after,
            answer=new.answer,
            digests=new.digests,
            deploys=new.deploys,
            task=taken_over(new.task, entry.task),
            rollback_to=new.rollback_to or entry.rollback_to,
            previous_deployment_id=new.previous_deployment_id,
        )
        if journal.entry.before.tags != new.after.tags and not plan.tags:
            journal.tagged()  # The earlier attempt has written them.
        return Step(journal, plan)

    def describe(self, entry: Entry) -> Mapping[str, Any]:
        """Returns the entry's service. Raises ServiceReadError."""
        arns = entry.cluster_arn, entry.service_arn
        with read_errors():
            found = unless_missing(GONE, lambda: self._ecs.describe_service(*arns))
        return (found and found[0]) or NO_SERVICE

    def find_deployment(self, journal: Journal, service: Mapping[str, Any]) -> bool:
        """Records the deployment that an interrupted attempt made.

        Returns False if it made none. Raises ServiceReadError.
        """
        entry = journal.entry
        if not entry.may_have_deployed:
            return False
        if entry.only_changes_settings:
            primary = primary_deployment(service)
            has_written = bool(primary) and entry.settings.is_in(service)
            if has_written:
                current = service.get("currentServiceDeployment")
                journal.joined(primary["id"], current, primary.get("taskDefinition"))
            return has_written
        deployment_id = running_deployment(service, entry) or self._replaced_deployment(entry)
        if deployment_id is None and is_express(service):
            with read_errors():
                deployment_id = find_deployment(self._ecs, entry, service)
        if deployment_id is None:
            return False
        listed: Sequence[Mapping[str, Any]] = service.get("deployments", [])
        own = next((item for item in listed if item.get("id") == deployment_id), {})
        current, arn = service.get("currentServiceDeployment"), None
        if entry.action == "rollback" and current == entry.previous_service_deployment_arn:
            arn = current  # ECS's own rollback has no service deployment beside it.
        journal.deployed(deployment_id, own.get("updatedAt"), arn, own.get("taskDefinition"))
        return True

    def _replaced_deployment(self, entry: Entry) -> str | None:
        """Returns the id of a deployment of the entry's revision that ECS does not list any more.

        The stopped tasks have it.
        """
        revision = entry.after.task_definition_arn
        is_own = entry.action == "update" and entry.registers
        if not is_own or revision in (None, entry.before.task_definition_arn):
            return None
        with read_errors():
            try:
                stopped = self._ecs.stopped_tasks(entry.cluster_arn, entry.service_arn)
            except AwsFailure as failure:
                if failure.outcome not in LASTING:
                    raise
                return None  # No later read will succeed either.
        own = (
            task.get("startedBy", "")
            for task in stopped
            if task.get("taskDefinitionArn") == revision
        )
        return next((name for name in own if name.startswith("ecs-svc/")), None)

    def _reverse(self, journal: Journal, service: Mapping[str, Any]) -> None:
        """Restores the tags of an update without a deployment, except those changed since."""
        entry = journal.entry
        changes = taken_back(own_tags(service), TagChanges(entry.before.tags, entry.after.tags))
        if changes and service.get("status") == "ACTIVE":
            journal.before_write()
            tag_writer.write(self._ecs, entry.service_arn, changes)
        sentence = (
            "the update was interrupted before its deployment: the service runs its earlier "
            "revision, its tags are what they were"
        )
        if entry.only_changes_settings:
            sentence = (
                "the update was interrupted at UpdateService: the service has none of its "
                "settings, its tags are what they were"
            )
        error = ServiceUpdateError(sentence)
        journal.failed(Verdict.INTERRUPTED, error, is_untouched=True)


class Recoveries:
    """The `Recovery` of each account and region."""

    def __init__(self, ecs: Ecs, settings: Settings, history: History, clock: Clock):
        """`ecs`: the client of home."""
        self._ecs, self._settings, self._history, self._clock = ecs, settings, history, clock

    def of(self, arn: str) -> Recovery:
        """Returns the recovery for the service of an ARN, also of one in a target that is gone."""
        ecs, error = self._ecs, None
        try:
            ecs = ecs.for_arn(arn)
        except EcsUpdaterError as unreachable:
            error = unreachable
        waiter = Waiter(ecs, self._settings, self._clock)
        run_before = RunBeforeStep(ecs, self._clock, is_continued=True)
        return Recovery(ecs, waiter, self._history, run_before, unreachable=error)


def _with_settings(side: Side, planned: Side) -> Side:
    return replace(side, service_settings=planned.service_settings)


def taken_over(task: TaskRun | None, earlier: TaskRun | None) -> TaskRun | None:
    """Returns a planned task with the progress of an earlier attempt at the same request."""
    if task is None or earlier is None:
        return task
    return replace(
        task,
        begun_at=earlier.begun_at,
        task_arn=earlier.task_arn,
        has_succeeded=earlier.has_succeeded,
    )


def _is_begun_as(entry: Entry, plan: Plan, planned: Entry) -> bool:
    """Returns whether an entry was begun for a plan.

    The target of a rollback may have been deregistered or deleted since.
    """
    target = plan.target["taskDefinitionArn"] if plan.target is not None else None
    is_to_target = target is not None and entry.after.task_definition_arn == target
    has_target = target is None or is_to_target == (plan.revision is None)
    return has_target and entry.after.images == planned.after.images
