"""Runs the task of `run_before` and updates the service after it.

The order is: register the revision, record RUNNING_TASK, RunTask, record the task's ARN, wait,
record the success, then tags and UpdateService. Only exit code 0 goes on. After any other end the
service is unchanged and the update has FAILED.

The task runs at most once for a `request_id`. Before RunTask, the ledger has RUNNING_TASK. From
then on, each attempt looks for the task before it starts one. A repetition of an update that ended
before its deployment takes the task over, too.

A caller that does not wait gets IN_PROGRESS once the task runs. The reconciler continues from the
entry only, which has no command: it never starts a task. If another program has deployed the
service while the task ran, the update ends, because its revision lacks that deployment's changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..context import Clock
from ..errors import (
    AwsFailure,
    CallerFault,
    EcsUpdaterError,
    Outcome,
    ServiceNotActiveError,
    ServiceUpdateRefusedError,
    TaskRunFailedError,
    UnknownOutcomeError,
)
from ..ledger.entry import Entry, TaskRun, iso, seconds
from ..model.arn import name_of, revision_name
from ..model.plan import Plan
from ..model.request import RUN_BEFORE, Request
from ..model.service import ServiceDescription, Snapshot, own_tags, primary_deployment
from ..model.tags import TagChanges, taken_back
from ..model.verdict import Verdict
from ..rollout.poller import pauses
from ..rollout.task_result import TaskResult
from . import tag_writer
from .existing_revision import unused
from .journal import Journal
from .reader import read
from .response import RolloutOutcome, task_deployment
from .tag_writer import UNCHANGED
from .task_run import StandaloneTask, TaskRunner, token_of
from .writer import LeftBehind, revision_arn, write_plan


class RunBeforeStep:
    """Runs the tasks of updates, and continues the updates."""

    def __init__(self, ecs: Ecs, clock: Clock, *, is_continued: bool):
        """`is_continued`: whether a reconciler continues an update after this call."""
        self._ecs, self._clock, self._is_continued = ecs, clock, is_continued
        self._runner = TaskRunner(ecs, clock)

    def register(self, plan: Plan, journal: Journal, earlier: LeftBehind) -> None:
        """Registers the plan's revision, if it has one."""
        revision_arn(self._ecs, plan, journal, earlier, self._clock)

    def run(
        self, journal: Journal, service: Mapping[str, Any], command: list[str], deadline: float
    ) -> RolloutOutcome | None:
        """Runs the task, waits at most until `deadline`, and updates the service.

        `service`: the service in DescribeServices. Returns None after UpdateService, else the
        outcome. Raises the errors of `writer.write_plan` and `TaskRunner.start`, and LedgerError or
        LeaseHeldError before a write.
        """
        run = _run_of(journal.entry)
        if not run.has_succeeded:
            if run.task_arn is None:
                self._start(journal, service, command)
            outcome = self._wait(journal, deadline)
            if outcome:
                return outcome
        self._deploy(journal, None)
        return None

    def proceed(self, journal: Journal, service: Mapping[str, Any]) -> RolloutOutcome | None:
        """Polls the task once, and updates the service if it has succeeded.

        Returns None if no task was started. Raises AwsFailure, and the errors of `run`.
        """
        run = _run_of(journal.entry)
        if not run.has_succeeded:
            if run.task_arn is None:
                arn = self._runner.find(_task_of(journal.entry))
                if arn is None:
                    is_settled = self._runner.is_settled(seconds(run.begun_at) or 0)
                    return None if is_settled else _running(journal.entry)
                journal.task_started(arn)
            result = self._poll(journal)
            if result is None:
                return _running(journal.entry)
            if not result.has_succeeded:
                return self._failed(journal, result)
            self._succeeded(journal, result)
        try:
            self._deploy(journal, service)
        except CallerFault as error:
            return RolloutOutcome(error=error, verdict=Verdict.NOT_DEPLOYED)
        return _running(journal.entry)

    def _start(self, journal: Journal, service: Mapping[str, Any], command: list[str]) -> None:
        run = _run_of(journal.entry)
        if service.get("status") != "ACTIVE":
            raise ServiceNotActiveError(
                f"ecs_service_name {journal.entry.service} was deleted: its task of {RUN_BEFORE} "
                "is not started"
            )
        journal.before_write()
        journal.running_task(replace(run, begun_at=iso(self._clock.epoch())))
        try:
            arn = self._runner.start(
                _task_of(journal.entry), service, command, reads_first=run.begun_at is not None
            )
        except UnknownOutcomeError:
            raise
        except EcsUpdaterError as error:
            # There is no task: a repetition does not look for one.
            journal.entry = replace(journal.entry, task=replace(run, begun_at=None))
            error.also(f"{UNCHANGED}{_unused(journal.entry)}")
            raise
        journal.task_started(arn)

    def _wait(self, journal: Journal, deadline: float) -> RolloutOutcome | None:
        """Polls the task until it has ended. Returns None after its success."""
        begin = self._clock.now()
        for pause in pauses(self._clock.random):
            left = deadline - self._clock.now()
            if left <= 0:
                break
            journal.keep_lease()
            self._clock.sleep(min(pause, left))
            try:
                result = self._poll(journal)
            except AwsFailure as failure:
                # Throttled or transient: the next poll may succeed.
                if failure.outcome is Outcome.NOT_PERMITTED:
                    journal.notes.append(f"{failure.operation}: {failure}")
                    break
                continue
            if result and not result.has_succeeded:
                return self._failed(journal, result)
            if result:
                self._succeeded(journal, result)
                return None
        if not self._is_continued:
            arn = _run_of(journal.entry).task_arn or ""
            why = "it did not end within the wait of this call, which has no ledger"
            stopped = self._runner.stop(_task_of(journal.entry), arn, why)
            return self._failed(journal, TaskResult(arn, f"{why}, and {stopped}"))
        waited = self._clock.now() - begin
        return _running(journal.entry, waited)

    def _poll(self, journal: Journal) -> TaskResult | None:
        entry, run = journal.entry, _run_of(journal.entry)
        begun_at = seconds(run.begun_at) or 0
        return self._runner.poll(_task_of(entry), run.task_arn or "", begun_at)

    def _succeeded(self, journal: Journal, result: TaskResult) -> None:
        # The tags and the deployment may exist after this record only.
        journal.running_task(replace(_run_of(journal.entry), has_succeeded=True))
        result = self._runner.stop_others(_task_of(journal.entry), result)
        journal.notes.append(f"task {name_of(result.task_arn)} of {RUN_BEFORE}: {result.reason}")

    def _failed(self, journal: Journal, result: TaskResult) -> RolloutOutcome:
        entry = journal.entry
        task = _task_of(entry)
        result = self._runner.explained(task, self._runner.stop_others(task, result))
        sentence = (
            f"task {name_of(result.task_arn)} of {RUN_BEFORE}: {result.reason}; "
            f"{UNCHANGED}{_unused(entry)}"
        )
        if result.log_lines:
            sentence += f"; its last log lines: {' | '.join(result.log_lines)}"
        else:
            sentence += f"; {result.log_note}"
        details: dict[str, object] = {
            "service_arn": entry.service_arn,
            "task": {
                "taskArn": result.task_arn,
                "exitCode": result.exit_code,
                "reason": result.reason,
                "logLines": list(result.log_lines),
            },
        }
        error = TaskRunFailedError(sentence).with_details(details)
        return RolloutOutcome(error=error, verdict=Verdict.FAILED)

    def _deploy(self, journal: Journal, service: Mapping[str, Any] | None) -> None:
        """Writes tags and deployment of the entry. `service`: None reads it."""
        entry = journal.entry
        request = Request(cluster=entry.cluster_arn, service=entry.service_arn)
        description = ServiceDescription(self._clock.epoch(), dict(service)) if service else None
        snapshot = read(self._ecs, request, None, description)
        if snapshot.task_definition_arn != entry.before.task_definition_arn:
            self._take_back_tags(journal, snapshot)
            other = primary_deployment(snapshot.service)
            raise ServiceUpdateRefusedError(
                "service could not be update with new task_definition "
                f"{entry.after.task_definition_arn}: deployment {other.get('id')} of "
                f"{revision_name(snapshot.task_definition_arn)}, of somebody else, came while the "
                f"task of {RUN_BEFORE} ran{_unused(entry)}: send the event again with another "
                "request_id"
            )
        # Another program may have forced a deployment of the same revision.
        journal.entry = replace(
            entry,
            previous_deployment_id=snapshot.deployment_id,
            previous_service_deployment_arn=snapshot.service_deployment_arn,
        )
        registered = LeftBehind(registered=entry.after.task_definition_arn)
        applied = write_plan(self._ecs, _plan_of(entry, snapshot), journal, registered)
        if between := applied.other_deployment:
            journal.notes.append(
                f"deployment {between['id']} of {revision_name(between['taskDefinition'])}, of "
                "somebody else, came in between: this update took its place"
            )
        journal.deployed(
            applied.deployment_id,
            applied.updated_on,
            applied.service_deployment_arn,
            applied.deployed_arn,
        )

    def _take_back_tags(self, journal: Journal, snapshot: Snapshot) -> None:
        """Restores the tags that an interrupted attempt may have written."""
        entry = journal.entry
        written = TagChanges(entry.before.tags, entry.after.tags)
        if changes := taken_back(own_tags(snapshot.service), written):
            journal.before_write()
            tag_writer.write(self._ecs, entry.service_arn, changes)


def _plan_of(entry: Entry, snapshot: Snapshot) -> Plan:
    """Returns the rest of an update, after its task."""
    run, arn = _run_of(entry), entry.after.task_definition_arn
    revision: Mapping[str, Any] = {"taskDefinitionArn": arn}
    is_other = arn != entry.before.task_definition_arn
    return Plan(
        snapshot=snapshot,
        container=run.container,
        images=(),
        tags=TagChanges(entry.before.tags, entry.after.tags),
        revision=revision if is_other and entry.registers else None,
        unknown_fields=(),
        drops_unknown_fields=False,
        force_new_deployment=run.force_new_deployment,
        target=revision if is_other and not entry.registers else None,
        service_settings=entry.settings,
        adds_breaker=run.adds_breaker,
        adds_alarms=run.adds_alarms,
    )


def _run_of(entry: Entry) -> TaskRun:
    assert entry.task is not None
    return entry.task


def _task_of(entry: Entry) -> StandaloneTask:
    run = _run_of(entry)
    return StandaloneTask(
        entry.cluster_arn,
        entry.after.task_definition_arn or "",
        run.container,
        token_of(entry.service_arn, entry.request_id, RUN_BEFORE),
        run.timeout_seconds,
    )


def _running(entry: Entry, waited: float = 0.0) -> RolloutOutcome:
    """Returns the outcome while the task runs. `waited`: seconds of the wait that ended."""
    arn = _run_of(entry).task_arn
    sentence = f"task {name_of(arn or '')} of {RUN_BEFORE} runs, the service changes after it"
    verdict = Verdict.IN_PROGRESS
    if waited:
        verdict = Verdict.TIMED_OUT
        sentence = f"waited {waited:.0f} s: {sentence}"
    deployment = task_deployment(verdict, sentence, arn)
    return RolloutOutcome(deployment, is_final=False, verdict=verdict)


def _unused(entry: Entry) -> str:
    """Returns that the revision of the update is not used, for a message."""
    if not entry.registers or entry.after.task_definition_arn == entry.before.task_definition_arn:
        return ""
    return f", {revision_name(entry.after.task_definition_arn or '')} {unused(entry)}"
