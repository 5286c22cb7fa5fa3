"""Why tasks stopped, in one readable sentence each, and which of them died the same death. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_DEPLOYMENTS = "ecs-svc/"
"""How the id of every deployment of ECS begins."""
# Tasks that somebody or the service's own scaling ended: nothing is wrong with what they ran.
_ENDED_ON_PURPOSE = frozenset({"ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption", "TerminationNotice"})
_HEALTH = re.compile(r"failed (container|elb|.*load balancer.*) health checks", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(r"OutOfMemory|out of memory|memory usage", re.IGNORECASE)
_CANNOT_PULL = re.compile(r"CannotPull\w*|image .*not found|pull access denied|No such image|manifest .*unknown", re.IGNORECASE)
# What differs between two deaths of the same kind: ids, addresses, times.
_PARTICULAR = re.compile(r"[0-9a-f]{8,}|\b\d{1,3}(\.\d{1,3}){3}\b|\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Death:
    """Why one task stopped."""

    kind: str
    """``image pull``, ``out of memory``, ``health check``, ``exit`` or ``start``."""
    cause: str
    """One sentence without a full stop."""
    task: str
    """The task's id."""

    @property
    def sameness(self) -> tuple[str, str]:
        """Equal for two deaths of the same kind."""
        return self.kind, self.cause if self.kind == "exit" else _PARTICULAR.sub("#", self.cause)


def deaths_of(
    tasks: Iterable[Mapping[str, Any]], deployment_id: str, deployment: Mapping[str, Any] | None = None
) -> tuple[Death, ...]:
    """The deaths among the stopped ``tasks``, as DescribeTasks gives them, of one deployment; the last one first.

    ``deployment``, where it is known, as DescribeServices gives it; see ``is_of``.
    """
    ours = (task for task in tasks if is_of(task, deployment_id, deployment))
    in_order = sorted(ours, key=lambda task: task.get("stoppedAt") or task.get("stoppingAt") or _EPOCH, reverse=True)
    return tuple(death for task in in_order if (death := death_of(task)))


def is_of(task: Mapping[str, Any], deployment_id: str, deployment: Mapping[str, Any] | None = None) -> bool:
    """Whether a deployment started a task: ECS says so in the task's ``startedBy``.

    Emulators name the service there. Then it is a task of the deployment's revision, and not older than the deployment.
    """
    started_by = task.get("startedBy", "")
    if started_by.startswith(_DEPLOYMENTS) or deployment is None:
        return started_by == deployment_id
    is_older = task.get("createdAt", _EPOCH) < deployment.get("createdAt", _EPOCH)
    return task.get("taskDefinitionArn") == deployment["taskDefinition"] and not is_older


def death_of(task: Mapping[str, Any]) -> Death | None:
    """Why a stopped task died; None when it was ended on purpose, or has not stopped."""
    if task.get("lastStatus") not in (None, "STOPPED") or not (task.get("stopCode") or task.get("stoppedReason")):
        return None
    reason, code = task.get("stoppedReason", ""), task.get("stopCode", "")
    if _HEALTH.search(reason):
        kind, cause = "health check", _sentence(reason)
    elif code in _ENDED_ON_PURPOSE:
        return None
    elif found := _said_by_a_container(task.get("containers", [])):
        kind, cause = found
    elif _CANNOT_PULL.search(reason):
        kind, cause = "image pull", f"the image could not be pulled: {_sentence(reason)}"
    elif ended := _that_exited(task.get("containers", [])):
        own = f" ({_sentence(ended['reason'])})" if ended.get("reason") else ""
        kind, cause = "exit", f"container {ended.get('name', '?')} exited with code {ended['exitCode']}{own}"
    else:
        kind, cause = "start", f"a task could not be started: {_sentence(reason or code)}"
    return Death(kind, cause, task.get("taskArn", "").rpartition("/")[2])


def _said_by_a_container(containers: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Kind and cause of a death that a container gives a reason for."""
    for container in containers:
        own, name = container.get("reason", ""), container.get("name", "?")
        if _OUT_OF_MEMORY.search(own):
            code = container.get("exitCode")
            return "out of memory", f"container {name} ran out of memory" + (f" (exit code {code})" if code is not None else "")
        if _CANNOT_PULL.search(own):
            return "image pull", f"container {name} could not pull its image: {_sentence(own)}"
    return None


def most_frequent(deaths: Sequence[Death]) -> tuple[Death | None, int]:
    """The last of the deaths that happened most often, and how often."""
    if not deaths:
        return None, 0
    counted = Counter(death.sameness for death in deaths)
    sameness, times = max(counted.items(), key=lambda one: one[1])
    return next(death for death in deaths if death.sameness == sameness), times


def _that_exited(containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The container that a task died of: the first that failed, else the first that ended at all."""
    ended = [container for container in containers if container.get("exitCode") is not None]
    # 137 and 143 are what ECS gives to the others when an essential one has ended.
    failed = [container for container in ended if container["exitCode"] not in (0, 137, 143)]
    return next(iter(failed or ended), None)


def _sentence(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")
