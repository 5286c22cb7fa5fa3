"""Why tasks stopped, in one readable sentence each, and which of them died the same death. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_DEPLOYMENTS = "ecs-svc/"
"""How the id of every deployment of ECS begins."""
# Tasks that somebody or the service's own scaling ended: nothing is wrong with what they ran.
_ENDED_ON_PURPOSE = frozenset(
    {
        "ServiceSchedulerInitiated",
        "UserInitiated",
        "SpotInterruption",
        "TerminationNotice",
        "InfrastructureHealth",
    }
)
_HEALTH = re.compile(r"failed (container|elb|.*load balancer.*) health checks", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(r"OutOfMemory|out of memory|memory usage", re.IGNORECASE)
_CANNOT_PULL = re.compile(
    r"CannotPull\w*|image .*not found|pull access denied|No such image|manifest .*unknown",
    re.IGNORECASE,
)
_SPECIFIC = re.compile(r"\b\w+Error\b")
"""A reason that names an error; the others are generic, such as ``Task failed to start``."""
_CANNOT_START = re.compile(r"^Cannot\w*Error\b")
# What differs between two deaths of the same kind: ids, addresses, times.
_PARTICULAR = re.compile(r"[0-9a-f]{8,}|\b\d{1,3}(\.\d{1,3}){3}\b|\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Containers:
    """The containers of a task definition, as far as they are known.

    ECS adds others to a task, and lists all in any order.
    """

    essential: Sequence[str] = ()
    """Names of the essential containers, the addressed one first.

    Only one of these ends a task by exiting.
    """
    others: Collection[str] = ()
    """Names of the other containers."""


@dataclass(frozen=True)
class TaskFailure:
    """Why one task stopped."""

    kind: str
    """``image pull``, ``out of memory``, ``health check``, ``exit`` or ``start``."""
    cause: str
    """One sentence without a full stop."""
    task: str
    """The task's id."""
    container: str = ""
    exit_code: int | None = None
    """The container that ended the task, and its exit code, where these are known."""

    @property
    def sameness(self) -> tuple[object, ...]:
        """Equal for two deaths of the same kind."""
        return self.kind, self.container, self.exit_code, _PARTICULAR.sub("#", self.cause)


def task_failures_of(
    tasks: Iterable[Mapping[str, Any]],
    deployment_id: str,
    deployment: Mapping[str, Any] | None = None,
    containers: Containers = Containers(),
) -> tuple[TaskFailure, ...]:
    """The deaths among the stopped ``tasks``, as DescribeTasks gives them, of one deployment; the
    last one first.

    ``deployment``, where it is known, as DescribeServices gives it; see ``is_of``. ``containers``
    are those of its revision.
    """
    ours = (task for task in tasks if is_of(task, deployment_id, deployment))
    in_order = sorted(
        ours,
        key=lambda task: task.get("stoppedAt") or task.get("stoppingAt") or _EPOCH,
        reverse=True,
    )
    return tuple(failure for task in in_order if (failure := task_failure_of(task, containers)))


def is_of(
    task: Mapping[str, Any], deployment_id: str, deployment: Mapping[str, Any] | None = None
) -> bool:
    """Whether a deployment started a task: ECS says so in the task's ``startedBy``.

    Emulators name the service there. Then it is a task of the deployment's revision, and not older
    than the deployment.
    """
    started_by: str = task.get("startedBy", "")
    if started_by.startswith(_DEPLOYMENTS) or deployment is None:
        return started_by == deployment_id
    is_older = task.get("createdAt", _EPOCH) < deployment.get("createdAt", _EPOCH)
    return task.get("taskDefinitionArn") == deployment["taskDefinition"] and not is_older


def task_failure_of(
    task: Mapping[str, Any], containers: Containers = Containers()
) -> TaskFailure | None:
    """Why a stopped task died; None when it was ended on purpose, or has not stopped."""
    if task.get("lastStatus") not in (None, "STOPPED") or not (
        task.get("stopCode") or task.get("stoppedReason")
    ):
        return None
    reason, code = task.get("stoppedReason", ""), task.get("stopCode", "")
    name = exit_code = None
    if _HEALTH.search(reason):
        kind, cause = "health check", _sentence(reason)
    elif code in _ENDED_ON_PURPOSE:
        return None
    else:
        weight, container = min(
            _ended(task, containers), key=lambda one: one[0], default=((_NOTHING,), {})
        )
        if weight[0] < _ONLY_STOPPED or (container and not _SPECIFIC.search(reason)):
            name, exit_code = container.get("name", "?"), container.get("exitCode")
            kind, cause = _of_container(name, exit_code, _reason(container, task))
        elif _CANNOT_PULL.search(reason):
            kind, cause = "image pull", f"the image could not be pulled: {_sentence(reason)}"
        else:
            what = (
                "a task stopped"
                if code == "EssentialContainerExited"
                else "a task could not be started"
            )
            kind, cause = "start", f"{what}: {_sentence(reason or code)}"
    return TaskFailure(
        kind, cause, task.get("taskArn", "").rpartition("/")[2], name or "", exit_code
    )


_WITH_REASON, _FAILED, _DEPENDENCY, _ONLY_STOPPED, _ENDED_BY_ECS, _NOTHING = range(6)
"""How likely a container is the cause of its task's end, the most likely first."""


def _ended(
    task: Mapping[str, Any], known: Containers
) -> Iterator[tuple[tuple[int, ...], Mapping[str, Any]]]:
    """The containers that may have ended a task, each with what orders them: their own state, never
    ECS's order.
    """
    by_name = {one.get("name", "?"): one for one in task.get("containers", [])}
    # A revision that is not known has no container that is: then all are taken for essential.
    essential = [name for name in known.essential if name in by_name] or sorted(by_name)
    for position, name in enumerate(essential):
        weight = _weight(by_name[name], task)
        is_addressed = name == next(iter(known.essential), None)
        if weight < _NOTHING:
            yield (
                (weight, not is_addressed, by_name[name].get("exitCode") == 0, position),
                by_name[name],
            )
    if task.get("stopCode") == "TaskFailedToStart":  # Perhaps for one that others depend on.
        for position, name in enumerate(sorted(by_name.keys() & set(known.others))):
            if _weight(by_name[name], task) <= _FAILED:
                yield (_DEPENDENCY, position), by_name[name]


def _weight(container: Mapping[str, Any], task: Mapping[str, Any]) -> int:
    code, reason = container.get("exitCode"), _reason(container, task)
    if reason and (
        code is None
        or _OUT_OF_MEMORY.search(reason)
        or _CANNOT_PULL.search(reason)
        or _CANNOT_START.search(reason)
    ):
        return _WITH_REASON
    if code is None:
        return _NOTHING
    if code not in (0, 137, 143):
        return _FAILED
    # ECS ends the others when an essential container has ended: with 143, and with 137 those that
    # do not heed that.
    return _ENDED_BY_ECS if code == 143 else _ONLY_STOPPED


def _reason(container: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    """The container's own reason; ECS may give that of one that ran out of memory with the task."""
    of_task = task.get("stoppedReason", "")
    return container.get("reason") or (
        of_task if container.get("exitCode") == 137 and _OUT_OF_MEMORY.search(of_task) else ""
    )


def _of_container(name: str, exit_code: int | None, reason: str) -> tuple[str, str]:
    """Kind and cause of a task's failure that a container is the cause of."""
    if _OUT_OF_MEMORY.search(reason):
        code = f" (exit code {exit_code})" if exit_code is not None else ""
        return "out of memory", f"container {name} ran out of memory{code}"
    if _CANNOT_PULL.search(reason):
        return "image pull", f"container {name} could not pull its image: {_sentence(reason)}"
    if exit_code is None or _CANNOT_START.search(reason):
        return "start", f"container {name} could not be started: {_sentence(reason)}"
    return "exit", f"container {name} exited with code {exit_code}" + (
        f" ({_sentence(reason)})" if reason else ""
    )


def most_frequent(failures: Sequence[TaskFailure]) -> tuple[TaskFailure | None, int]:
    """The last of the deaths that happened most often, and how often."""
    if not failures:
        return None, 0
    ((sameness, times),) = Counter(failure.sameness for failure in failures).most_common(1)
    return next(failure for failure in failures if failure.sameness == sameness), times


def _sentence(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")
