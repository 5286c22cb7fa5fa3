"""Judges a one-off task by the container with its command. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import one_line
from .task_failures import ENDED_ON_PURPOSE, Containers, task_failure_of


@dataclass(frozen=True)
class TaskResult:
    """How a one-off task ended."""

    task_arn: str
    reason: str
    """One sentence without a full stop, such as `container app exited with code 1`."""
    exit_code: int | None = None
    """Exit code of the container. None: it did not start, or was stopped."""
    has_succeeded: bool = False
    log_lines: Sequence[str] = ()
    """The last lines of the container's log, the latest last. None are read after a success of
    `run_before`.
    """
    log_note: str = ""
    """Why there are no lines."""
    has_stopped: bool = True
    """Whether no other container of the task keeps it running."""


def result_of(task: Mapping[str, Any], container: str) -> TaskResult | None:
    """Returns the result of a task of DescribeTasks. None: it goes on.

    A task that was stopped has not succeeded, also with exit code 0, the code of some processes
    after SIGTERM.
    """
    containers: list[Mapping[str, Any]] = task.get("containers", [])
    own = next((item for item in containers if item.get("name") == container), {})
    exit_code: int | None = own.get("exitCode")
    has_stopped = task.get("lastStatus") == "STOPPED"
    if exit_code is None and not has_stopped:
        return None
    code, stop_reason = task.get("stopCode", ""), " ".join(task.get("stoppedReason", "").split())
    was_stopped = code in ENDED_ON_PURPOSE
    failure = task_failure_of(task, Containers((container,))) if has_stopped else None
    reason = f"container {container} exited with code {exit_code}"
    if was_stopped:
        reason = f"the task was stopped ({code})"
    elif failure and exit_code != 0:
        reason = failure.cause
    elif exit_code is None:
        reason = f"container {container} has no exit code"
    if exit_code != 0 or was_stopped:
        stop_reason = stop_reason.removesuffix(".")
        if stop_reason and stop_reason not in reason:
            reason = f"{reason}: {stop_reason}"
    return TaskResult(
        task_arn=task["taskArn"],
        reason=one_line(reason),
        exit_code=exit_code,
        has_succeeded=exit_code == 0 and not was_stopped,
        has_stopped=has_stopped or task.get("desiredStatus") != "RUNNING",
    )
