"""The causes of stopped tasks, in one readable sentence each. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..model.arn import name_of

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_DEPLOYMENTS = "ecs-svc/"
"""Prefix of the id of every ECS deployment."""
ENDED_ON_PURPOSE = frozenset(
    {
        "ServiceSchedulerInitiated",
        "UserInitiated",
        "SpotInterruption",
        "TerminationNotice",
        "InfrastructureHealth",
    }
)
"""Stop codes that are not caused by the task definition."""
_HEALTH = re.compile(r"failed (container|elb|.*load balancer.*) health checks", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(r"OutOfMemory|out of memory|memory usage", re.IGNORECASE)
_CANNOT_PULL = re.compile(
    r"CannotPull\w*|image .*not found|pull access denied|No such image|manifest .*unknown",
    re.IGNORECASE,
)
_SPECIFIC = re.compile(r"\b\w+Error\b")
"""A reason that names an error. Others are generic, for example `Task failed to start`."""
_CANNOT_START = re.compile(r"^Cannot\w*Error\b")
_PARTICULAR = re.compile(r"[0-9a-f]{8,}|\b\d{1,3}(\.\d{1,3}){3}\b|\d+", re.IGNORECASE)
"""Ids, addresses and times, which differ between two failures of the same kind."""


@dataclass(frozen=True)
class Containers:
    """Names of the containers of a task definition.

    ECS adds others to a task and lists all in any order.
    """

    essential: Sequence[str] = ()
    """The addressed one first. Only the exit of an essential container stops a task."""
    others: Collection[str] = ()


@dataclass(frozen=True)
class TaskFailure:
    """Why one task stopped."""

    kind: str
    """`image pull`, `out of memory`, `health check`, `exit` or `start`."""
    cause: str
    """One sentence without a full stop."""
    task: str
    container: str = ""
    exit_code: int | None = None
    """The container that stopped the task, and its exit code, if both are known."""

    @property
    def sameness(self) -> tuple[object, ...]:
        """A value that is equal for two failures of the same kind."""
        return self.kind, self.container, self.exit_code, _PARTICULAR.sub("#", self.cause)


def task_failures_of(
    tasks: Iterable[Mapping[str, Any]],
    deployment_id: str,
    deployment: Mapping[str, Any] | None = None,
    containers: Containers = Containers(),
) -> tuple[TaskFailure, ...]:
    """Returns the failures among the stopped `tasks` of one deployment, the latest first.

    `tasks` are those of DescribeTasks. `deployment`: see `is_of`. `containers`: those of its
    revision.
    """
    latest_first = sorted(
        (task for task in tasks if is_of(task, deployment_id, deployment)),
        key=lambda task: task.get("stoppedAt") or task.get("stoppingAt") or _EPOCH,
        reverse=True,
    )
    return tuple(failure for task in latest_first if (failure := task_failure_of(task, containers)))


def is_of(
    task: Mapping[str, Any], deployment_id: str, deployment: Mapping[str, Any] | None = None
) -> bool:
    """Returns whether a deployment started a task, by the task's `startedBy`.

    Emulators write the service's name there. Then the task must have the revision of `deployment`,
    an item of DescribeServices, and must not be older.
    """
    started_by: str = task.get("startedBy", "")
    if started_by.startswith(_DEPLOYMENTS) or deployment is None:
        return started_by == deployment_id
    is_older = task.get("createdAt", _EPOCH) < deployment.get("createdAt", _EPOCH)
    return task.get("taskDefinitionArn") == deployment["taskDefinition"] and not is_older


def task_failure_of(
    task: Mapping[str, Any], containers: Containers = Containers()
) -> TaskFailure | None:
    """Returns why a task failed. None: it has not stopped, or was stopped on purpose."""
    reason, code = task.get("stoppedReason", ""), task.get("stopCode", "")
    if task.get("lastStatus") not in (None, "STOPPED") or not (code or reason):
        return None
    name = exit_code = None
    if _HEALTH.search(reason):
        kind, cause = "health check", _sentence(reason)
    elif code in ENDED_ON_PURPOSE:
        return None
    else:
        weight, container = min(
            _weighted(task, containers), key=lambda weighted: weighted[0], default=((_NOTHING,), {})
        )
        if weight[0] < _ONLY_STOPPED or (container and not _SPECIFIC.search(reason)):
            name, exit_code = container.get("name", "?"), container.get("exitCode")
            kind, cause = _of_container(name, exit_code, _reason(container, task))
        elif _CANNOT_PULL.search(reason):
            kind, cause = "image pull", f"the image could not be pulled: {_sentence(reason)}"
        else:
            has_started = code == "EssentialContainerExited"
            what = "a task stopped" if has_started else "a task could not be started"
            kind, cause = "start", f"{what}: {_sentence(reason or code)}"
    return TaskFailure(kind, cause, name_of(task.get("taskArn", "")), name or "", exit_code)


_WITH_REASON, _FAILED, _DEPENDENCY, _ONLY_STOPPED, _ENDED_BY_ECS, _NOTHING = range(6)
"""How likely a container is the cause of its task's failure, the most likely first."""


def _weighted(
    task: Mapping[str, Any], known: Containers
) -> Iterator[tuple[tuple[int, ...], Mapping[str, Any]]]:
    """Yields the containers that may have stopped a task, each with its sort key.

    The key depends on the state of the containers, never on their order in the task.
    """
    by_name = {container.get("name", "?"): container for container in task.get("containers", [])}
    # Without a known revision, all containers count as essential.
    essential = [name for name in known.essential if name in by_name] or sorted(by_name)
    addressed = next(iter(known.essential), None)
    for position, name in enumerate(essential):
        container = by_name[name]
        weight = _weight(container, task)
        if weight < _NOTHING:
            yield (weight, name != addressed, container.get("exitCode") == 0, position), container
    if task.get("stopCode") == "TaskFailedToStart":  # Possibly due to a dependency of others.
        for position, name in enumerate(sorted(by_name.keys() & set(known.others))):
            if _weight(by_name[name], task) <= _FAILED:
                yield (_DEPENDENCY, position), by_name[name]


def _weight(container: Mapping[str, Any], task: Mapping[str, Any]) -> int:
    code, reason = container.get("exitCode"), _reason(container, task)
    if reason and (
        code is None or any(p.search(reason) for p in (_OUT_OF_MEMORY, _CANNOT_PULL, _CANNOT_START))
    ):
        return _WITH_REASON
    if code is None:
        return _NOTHING
    if code not in (0, 137, 143):
        return _FAILED
    # After an essential container has exited, ECS stops the others: exit code 143, or 137 for
    # those that ignore SIGTERM.
    return _ENDED_BY_ECS if code == 143 else _ONLY_STOPPED


def _reason(container: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    """Returns the container's reason. An out-of-memory reason can be in the task only."""
    of_task = task.get("stoppedReason", "")
    return container.get("reason") or (
        of_task if container.get("exitCode") == 137 and _OUT_OF_MEMORY.search(of_task) else ""
    )


def _of_container(name: str, exit_code: int | None, reason: str) -> tuple[str, str]:
    """Returns kind and cause of a task failure that a container caused."""
    if _OUT_OF_MEMORY.search(reason):
        code = f" (exit code {exit_code})" if exit_code is not None else ""
        return "out of memory", f"container {name} ran out of memory{code}"
    if _CANNOT_PULL.search(reason):
        return "image pull", f"container {name} could not pull its image: {_sentence(reason)}"
    if exit_code is None or _CANNOT_START.search(reason):
        return "start", f"container {name} could not be started: {_sentence(reason)}"
    explained = f" ({_sentence(reason)})" if reason else ""
    return "exit", f"container {name} exited with code {exit_code}{explained}"


def most_frequent(failures: Sequence[TaskFailure]) -> tuple[TaskFailure | None, int]:
    """Returns the latest of the most frequent kind of failure, and how often that kind occurred."""
    if not failures:
        return None, 0
    ((sameness, times),) = Counter(failure.sameness for failure in failures).most_common(1)
    return next(failure for failure in failures if failure.sameness == sameness), times


def _sentence(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")
