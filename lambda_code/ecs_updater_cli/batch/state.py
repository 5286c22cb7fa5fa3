"""State of one update, as its entry in the ledger shows it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from ecs_updater.model.arn import name_of, revision_name
from ecs_updater.model.hook import CONTINUE, ROLLBACK
from ecs_updater.model.strategy import has_reached
from ecs_updater.model.verdict import Verdict


class State(StrEnum):
    """How far one update is. The value is shown to the user."""

    QUEUED = "queued"
    BEGUN = "begun"
    RUNNING_TASK = "running task"
    """The task of `run_before` runs."""
    DEPLOYING = "deploying"
    AWAITING_APPROVAL = "awaiting approval"
    """The deployment has reached a PAUSE hook."""
    ROLLING_BACK = "rolling back"
    RETRYING = "retrying"
    """An attempt failed, and another one follows."""
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    """Nothing differed, or only tags."""
    STAGE_REACHED = "stage reached"
    """The rollout goes on after the stage of `wait_until`."""
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    ROLLBACK_FAILED = "rollback failed"
    SUPERSEDED = "superseded"
    STOPPED = "stopped"
    NOT_STARTED = "not started"

    @property
    def is_good(self) -> bool:
        """Whether the service is as requested."""
        return self in (State.SUCCEEDED, State.UNCHANGED, State.STAGE_REACHED)

    @property
    def is_bad(self) -> bool:
        """Whether the update is over and the service is not as requested."""
        return self in _BAD

    @property
    def is_over(self) -> bool:
        """Whether the update is over."""
        return self.is_good or self.is_bad

    @property
    def is_rolling_out(self) -> bool:
        """Whether ECS is rolling out a deployment."""
        return self in (State.DEPLOYING, State.AWAITING_APPROVAL, State.ROLLING_BACK)

    @property
    def is_continued(self) -> bool:
        """Whether the update goes on without the process that started it."""
        return self.is_rolling_out or self is State.RUNNING_TASK

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of an update that is over, for programs."""
        return _VERDICTS.get(self)


_BAD = (
    State.FAILED,
    State.ROLLED_BACK,
    State.ROLLBACK_FAILED,
    State.SUPERSEDED,
    State.STOPPED,
    State.NOT_STARTED,
)
_VERDICTS = {
    State.SUCCEEDED: Verdict.SUCCEEDED,
    State.UNCHANGED: Verdict.NO_CHANGE,
    State.STAGE_REACHED: Verdict.IN_PROGRESS,
    State.FAILED: Verdict.FAILED,
    State.ROLLED_BACK: Verdict.ROLLED_BACK,
    State.ROLLBACK_FAILED: Verdict.ROLLBACK_FAILED,
    State.SUPERSEDED: Verdict.SUPERSEDED,
    State.STOPPED: Verdict.STOPPED,
    State.NOT_STARTED: Verdict.NOT_STARTED,
}
_BY_VERDICT: Mapping[str, State] = {verdict: state for state, verdict in _VERDICTS.items()}
_BY_LEDGER_STATE = {
    "RUNNING_TASK": State.RUNNING_TASK,
    "DEPLOYED": State.DEPLOYING,
    "ROLLING_BACK": State.ROLLING_BACK,
}

_GOES_ON = (State.DEPLOYING, State.AWAITING_APPROVAL)

_PREFIX = re.compile(
    r"^\[ERROR\]\[\w+\] (?:(?:FAILED|ROLLED_BACK|ROLLBACK_FAILED|STOPPED|SUPERSEDED): )?"
)
_TASK_COUNTS = re.compile(r"^(\d+) of (\d+) tasks run ")


@dataclass(frozen=True)
class TaskCounts:
    """Number of tasks of a service's deployment."""

    running: int
    desired: int

    def __str__(self) -> str:
        return f"{self.running}/{self.desired}"


@dataclass(frozen=True)
class Status:
    """State of one update, with its details."""

    state: State = State.QUEUED
    cause: str = ""
    """Reason of the final state or, during the rollout, its target."""
    begun_at: float | None = None
    ended_at: float | None = None
    """Seconds since the epoch."""
    cluster_arn: str = ""
    service_arn: str = ""
    deployment_id: str | None = None
    arn_before: str | None = None
    arn_after: str | None = None
    """The revisions before and after the update. None: not known, or not registered yet."""
    has_run_task: bool = False
    """Whether the task of `run_before` has succeeded."""
    error_type: str | None = None
    hint: str | None = None
    hook_id: str | None = None
    """The PAUSE hook that awaits an answer."""

    @property
    def counts(self) -> TaskCounts | None:
        """The number of tasks, if the cause contains it."""
        match = _TASK_COUNTS.match(self.cause)
        return TaskCounts(int(match[1]), int(match[2])) if match else None


def status_of(item: Mapping[str, Any]) -> Status:
    """Returns the status that an entry of the ledger shows. See `ecs_updater.ledger.queries`."""
    if item.get("state") != "ENDED":
        state = _BY_LEDGER_STATE.get(item.get("state", ""), State.BEGUN)
    elif item.get("may_be_repeated"):
        state = State.RETRYING
    else:
        state = _BY_VERDICT.get(item.get("verdict") or "", State.FAILED)
    # The message of an error also says what the rollback did.
    cause = plain_cause(item.get("error_message") or item.get("cause") or "")
    rollback = item.get("rollback") or {}
    if state.is_rolling_out:
        is_rollback = state is State.ROLLING_BACK
        revision = (rollback if is_rollback else item["after"]).get("task_definition_arn")
        target = f"{'back ' if is_rollback else ''}to {revision_name(revision)}" if revision else ""
        cause = ", ".join(filter(None, (target, cause)))
    hook = awaited_hook(item) if state.is_rolling_out else None
    if hook:
        state, cause = State.AWAITING_APPROVAL, ", ".join(filter(None, (cause, _wait_of(hook))))
    task = item.get("task") or {}
    if state is State.RUNNING_TASK and task.get("task_arn"):
        cause = f"task {name_of(task['task_arn'])}"
    # The event of a rollback names no image.
    if (
        item.get("action") == "rollback"
        and state in (State.DEPLOYING, State.SUCCEEDED)
        and (images := item["after"].get("images"))
    ):
        cause += f" ({', '.join(dict.fromkeys(images.values()))})"
    return Status(
        state=state,
        cause=cause,
        begun_at=_epoch(item.get("begun_at")),
        ended_at=_epoch(item.get("ended_at")),
        cluster_arn=item["cluster_arn"],
        service_arn=item["service_arn"],
        deployment_id=rollback.get("deployment_id") or item.get("deployment_id"),
        arn_before=item["before"].get("task_definition_arn"),
        arn_after=item["after"].get("task_definition_arn"),
        has_run_task=bool(task.get("has_succeeded")),
        error_type=item.get("error_type"),
        hint=json.loads(item.get("error_attributes") or "{}").get("hint"),
        hook_id=hook["id"] if hook else None,
    )


def awaited_hook(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the PAUSE hook that an entry showed at its last poll, with its `stage`.

    None: there is none, or it was answered since.
    """
    rollout = item.get("rollout") or {}
    hook = rollout.get("hook") or {}
    answered = {each["hook_id"] for each in item.get("approvals", ()) if each.get("is_confirmed")}
    if hook.get("awaits") != "approval" or hook["id"] in answered:
        return None
    return {**hook, "stage": rollout.get("stage")}


def approvals_text(item: Mapping[str, Any]) -> str:
    """Returns who answered the hooks of an update, for example `approved by me at …`."""
    verbs = {CONTINUE: "approved", ROLLBACK: "rejected"}
    return "; ".join(
        f"{verbs.get(each['action'], each['action'])} by {each['caller']} at {each['at']}"
        for each in item.get("approvals", ())
        if each.get("is_confirmed")
    )


def _wait_of(hook: Mapping[str, Any]) -> str:
    """Returns for example `hook ecs-pause-e7tK at PRE_SCALE_UP until 2027-01-15T08:11Z, then
    ROLLBACK`.
    """
    parts = {"at": hook.get("stage"), "until": hook.get("until")}
    words = [f"hook {hook['id']}", *(f"{word} {text}" for word, text in parts.items() if text)]
    return f"{' '.join(words)}{', then ' + hook['then'] if hook.get('then') else ''}"


def with_stage(status: Status, item: Mapping[str, Any], wanted: str) -> Status:
    """Returns the status of an update whose caller only waits for a lifecycle stage.

    `wanted`: value of `wait_until`. A deployment that ECS stops or rolls back has not reached it.
    """
    rollout = item.get("rollout") or {}
    stage = rollout.get("stage", "")
    if status.state not in _GOES_ON or "status" in rollout or not has_reached(stage, wanted):
        return status
    cause = f"stage {stage}; {status.cause}" if status.cause else f"stage {stage}"
    return replace(status, state=State.STAGE_REACHED, cause=cause)


def plain_cause(text: str) -> str:
    """Returns an error's message without the prefix for programs, such as `[ERROR][stage]`."""
    return _PREFIX.sub("", text)


def _epoch(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
