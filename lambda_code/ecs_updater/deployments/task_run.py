"""Runs a one-off task of a service: starts it at most once, polls it, and explains its failure.

`run_before` of an update and `ecs-updater run` use it. The task has the service's network, platform
version and capacity. ECS returns the first task for a second RunTask with the same `clientToken`.
Nevertheless, ListTasks comes first after a response that was lost: ECS documents no time for which
it keeps a token.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..aws.ecs import Ecs
from ..context import REAL_TIME, Clock
from ..errors import (
    LASTING,
    AwsFailure,
    EcsUpdaterError,
    Outcome,
    TaskRunError,
    TaskRunRefusedError,
    UnknownOutcomeError,
    one_line,
)
from ..model import task_definition as td
from ..model.arn import family, name_of
from ..model.request import Request
from ..rollout.poller import pauses
from ..rollout.task_result import TaskResult, result_of
from .reader import read

RUN = "run"
"""Step of `ecs-updater run`. Two steps of one request have two tasks."""

LOG_LINES = 10
"""Maximum log lines of a failed task."""

_LINE_LIMIT, _REASON_LIMIT = 150, 255
"""Maximum characters of a log line, and of the reason that StopTask gets."""

_LOG_READS, _LOG_SECONDS = 2, 2.0
"""Maximum reads of a log, and the seconds before each."""

_SETTLED_SECONDS = 60.0
"""Seconds for which ECS may not yet return a task that was started."""

_FROM_SERVICE = (
    "capacityProviderStrategy",
    "launchType",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "platformVersion",
)
"""Fields of a service that its one-off tasks get."""


@dataclass(frozen=True)
class StandaloneTask:
    """A task to run once."""

    cluster_arn: str
    task_definition_arn: str
    container: str
    token: str
    """`clientToken` of RunTask."""
    timeout_seconds: int

    @property
    def started_by(self) -> str:
        """Returns the text by which ListTasks finds the task."""
        return f"ecs-updater/{self.token}"


def token_of(service_arn: str, request_id: str, step: str) -> str:
    """Returns the `clientToken` of a request's step: SHA-256 in hexadecimal, 64 characters."""
    return hashlib.sha256("\n".join((service_arn, request_id, step)).encode()).hexdigest()


def run_task(
    ecs: Ecs,
    cluster: str,
    service: str,
    command: Sequence[str],
    *,
    container: str | None = None,
    task_definition: str | None = None,
    timeout_seconds: int = 600,
    request_id: str,
    clock: Clock = REAL_TIME,
    on_start: Callable[[str], None] = lambda _: None,
) -> TaskResult:
    """Runs a command in a one-off task of a service and waits for its end. Changes nothing else.

    `cluster`, `service`: names or ARNs. `container`: by default the only one. `task_definition`:
    `family:revision` or an ARN, by default the running revision. `request_id`: a second call with
    the same one finds the first one's task. `on_start` gets the task's ARN. After
    `timeout_seconds` the task is stopped. Raises the errors of `reader.read`,
    AmbiguousContainerError, ContainerNotFoundError, TaskRunRefusedError, TaskRunError,
    UnknownOutcomeError, and AwsFailure if the task cannot be read.
    """
    snapshot = read(ecs, Request(cluster=cluster, service=service))
    definition: Mapping[str, Any] = snapshot.task_definition
    if task_definition is not None:
        definition, _ = ecs.describe_task_definition(task_definition)
    task = StandaloneTask(
        snapshot.cluster_arn,
        definition["taskDefinitionArn"],
        td.addressed_container(definition, container, None)["name"],
        token_of(snapshot.service_arn, request_id, RUN),
        timeout_seconds,
    )
    runner, begun_at = TaskRunner(ecs, clock), clock.epoch()
    arn = runner.start(task, snapshot.service, command, reads_first=False)
    on_start(arn)
    result = None
    for pause in pauses(clock.random):
        clock.sleep(pause)
        try:
            result = runner.poll(task, arn, begun_at)
        except AwsFailure as failure:
            # Throttled or transient: the next poll may succeed.
            is_late = clock.epoch() - begun_at > timeout_seconds + _SETTLED_SECONDS
            if failure.outcome in LASTING or is_late:
                raise
        if result:
            break
    assert result
    return runner.explained(task, runner.stop_others(task, result))


class TaskRunner:
    """Starts, finds, polls and stops one-off tasks."""

    def __init__(self, ecs: Ecs, clock: Clock):
        self._ecs, self._clock = ecs, clock

    def start(
        self,
        task: StandaloneTask,
        service: Mapping[str, Any],
        command: Sequence[str],
        *,
        reads_first: bool,
    ) -> str:
        """Starts a task and returns its ARN. `service`: the service in DescribeServices.

        `reads_first`: an earlier attempt may have started it. Raises TaskRunRefusedError,
        TaskRunError or UnknownOutcomeError.
        """
        may_run = reads_first
        for is_last in (False, True):
            try:
                found = self.find(task) if may_run else None
                return found or self._run(task, service, command)
            except AwsFailure as failure:
                may_run = may_run or failure.outcome is Outcome.UNKNOWN
                if is_last or failure.outcome is not Outcome.UNKNOWN:
                    raise _start_error(failure, may_run) from failure
        raise AssertionError("the last attempt returns or raises")

    def _run(self, task: StandaloneTask, service: Mapping[str, Any], command: Sequence[str]) -> str:
        """Calls RunTask. Raises AwsFailure, or TaskRunError with the `failures` of the response."""
        parameters = {name: service[name] for name in _FROM_SERVICE if service.get(name)}
        if "capacityProviderStrategy" in parameters:
            parameters.pop("launchType", None)
        override = {"name": task.container, "command": list(command)}
        arn, failures = self._ecs.run_task(
            task.cluster_arn,
            task.task_definition_arn,
            overrides={"containerOverrides": [override]},
            startedBy=task.started_by,
            clientToken=task.token,
            **parameters,
        )
        if arn:
            return arn
        reasons = {f"{item.get('reason')} {item.get('detail') or ''}".strip() for item in failures}
        raise TaskRunError(", ".join(sorted(reasons)) or "ECS returned neither a task nor a reason")

    def find(self, task: StandaloneTask) -> str | None:
        """Returns the ARN of a task that an earlier attempt started, or None. Raises AwsFailure."""
        return self._ecs.find_task(
            task.cluster_arn, family(task.task_definition_arn), task.started_by
        )

    def is_settled(self, begun_at: float) -> bool:
        """Returns whether ECS returns a task that was started at `begun_at`, in epoch seconds."""
        return self._clock.epoch() - begun_at > _SETTLED_SECONDS

    def poll(self, task: StandaloneTask, arn: str, begun_at: float) -> TaskResult | None:
        """Polls a task once and stops it after its timeout. Returns None while it goes on.

        `begun_at`: time before RunTask, in seconds since the epoch. Raises AwsFailure, also if the
        next poll may be able to stop the task.
        """
        found = self._ecs.task(task.cluster_arn, arn)
        if found is None:
            if not self.is_settled(begun_at):
                return None
            return TaskResult(arn, "ECS does not have the task any more, its exit code is unknown")
        created = found.get("createdAt")
        since = created.timestamp() if created else begun_at
        result = result_of(found, task.container)
        if result is None and self._clock.epoch() - since >= task.timeout_seconds:
            reason = f"it did not end within {task.timeout_seconds} seconds"
            stopped = self.stop(task, arn, reason, is_last=False)
            return TaskResult(arn, f"{reason} and {stopped}")
        return result

    def stop(self, task: StandaloneTask, arn: str, why: str, *, is_last: bool = True) -> str:
        """Stops a task. Returns how that went, for a message.

        `is_last`: no later attempt follows. Otherwise raises AwsFailure if one may succeed.
        """
        reason = one_line(f"ecs-updater: {why}", _REASON_LIMIT)
        try:
            self._ecs.stop_task(task.cluster_arn, arn, reason)
        except AwsFailure as failure:
            if not is_last and failure.outcome not in LASTING:
                raise
            return f"could not be stopped ({failure.reason})"
        return "was stopped"

    def stop_others(self, task: StandaloneTask, result: TaskResult) -> TaskResult:
        """Stops the containers that run on after the one with the command.

        Returns the result with how that went.
        """
        if result.has_stopped:
            return result
        stopped = self.stop(task, result.task_arn, "its command has ended")
        return replace(result, reason=f"{result.reason}, the rest of the task {stopped}")

    def explained(self, task: StandaloneTask, result: TaskResult) -> TaskResult:
        """Returns the result with the last lines of the container's log, or a note without them."""
        try:
            definition, _ = self._ecs.describe_task_definition(task.task_definition_arn)
            container = td.container(definition, task.container)
            lines = self._log_lines(container.get("logConfiguration") or {}, task, result)
        except (AwsFailure, EcsUpdaterError) as failure:
            return replace(result, log_note=f"its log could not be read: {failure}")
        if isinstance(lines, str):
            return replace(result, log_note=lines)
        return replace(result, log_lines=[one_line(line.rstrip(), _LINE_LIMIT) for line in lines])

    def _log_lines(
        self, configuration: Mapping[str, Any], task: StandaloneTask, result: TaskResult
    ) -> Sequence[str] | str:
        """Returns the last log lines, or a note without them. Raises AwsFailure."""
        options = configuration.get("options") or {}
        group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
        if configuration.get("logDriver") != "awslogs" or not (group and prefix):
            return "its log is not in CloudWatch Logs (awslogs with a stream prefix)"
        stream = f"{prefix}/{task.container}/{name_of(result.task_arn)}"
        region = options.get("awslogs-region")
        for _ in range(_LOG_READS):
            # The last lines come a moment after the end of the task.
            self._clock.sleep(_LOG_SECONDS)
            if lines := self._ecs.logs.last_messages(region, group, stream, LOG_LINES):
                return lines
        return "its log is empty"


def _start_error(failure: AwsFailure, may_run: bool) -> EcsUpdaterError:
    """Returns the error of a failed start. `may_run`: the task may have been started."""
    kind: type[EcsUpdaterError] = TaskRunError
    sentence = failure.reason
    if may_run:
        kind = UnknownOutcomeError
        sentence = (
            f"it is not known whether the one-off task was started: {failure.reason}: send the "
            "same event again"
        )
    elif failure.outcome is Outcome.REFUSED:
        kind = TaskRunRefusedError
    return kind(sentence).caused_by(failure)
