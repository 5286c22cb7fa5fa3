"""One deployment of a service, and when ECS's circuit breaker gives it up.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import wording
from .history import Revision, ServiceDeployment
from .tasks import Task

FEWEST_FAILURES, MOST_FAILURES = 3, 200


def threshold(desired: int) -> int:
    """How many failed tasks make the circuit breaker give up a deployment: half of the desired
    tasks, 3 at least, 200 at most.
    """
    return min(max(math.ceil(desired / 2), FEWEST_FAILURES), MOST_FAILURES)


@dataclass(eq=False)
class Deployment:
    """One deployment: a revision on its way to the desired count."""

    id: str
    revision: Revision
    desired: int
    created_at: float
    launch_type: str
    service_deployment: ServiceDeployment
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    rollout_reason: str = ""
    updated_at: float = 0
    rolls_back: bool = False
    """Whether this is a rollback, which none follows when it fails."""
    failed_tasks: int = 0
    """Consecutive ones."""
    launched: int = 0
    tasks: list[Task] = field(default_factory=list)
    not_before: float = 0
    """When the scheduler may start its next task."""
    is_leaving: bool = False
    """Whether its tasks have gone and it is about to."""

    def __post_init__(self) -> None:
        self.updated_at = self.updated_at or self.created_at
        self.rollout_reason = self.rollout_reason or wording.in_progress(self.id)

    @property
    def live(self) -> list[Task]:
        """Its tasks that ECS is to run."""
        return [task for task in self.tasks if task.is_live]

    @property
    def is_drained(self) -> bool:
        """Whether all its tasks have stopped."""
        return all(task.last_status == "STOPPED" for task in self.tasks)

    def task_failed(self) -> None:
        """A task could not be placed, never ran, or failed its health check."""
        self.failed_tasks += 1
        self._update_history()

    def task_succeeded(self) -> None:
        """A task runs well: the count of failed ones begins anew."""
        self.failed_tasks = 0
        self._update_history()

    def breaks(self, breaker: Mapping[str, Any]) -> bool:
        """Whether the circuit breaker gives it up now."""
        if not breaker.get("enable") or self.rollout_state != "IN_PROGRESS":
            return False
        return self.failed_tasks >= threshold(self.desired)

    def _update_history(self) -> None:
        if not self.rolls_back:
            self.service_deployment.failures = self.failed_tasks

    def turn(self, state: str, reason: str, now: float) -> None:
        """Its rollout comes into another state."""
        self.rollout_state, self.rollout_reason, self.updated_at = state, reason, now

    def to_wire(self) -> dict[str, Any]:
        """As DescribeServices answers."""
        return {
            "id": self.id,
            "status": self.status,
            "taskDefinition": self.revision.task_definition["taskDefinitionArn"],
            "desiredCount": self.desired if self.status == "PRIMARY" else len(self.live),
            "pendingCount": sum(not task.is_running for task in self.live),
            "runningCount": sum(task.is_running for task in self.tasks),
            "failedTasks": self.failed_tasks,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "launchType": self.launch_type,
            **self._rollout_state(),
        }

    def _rollout_state(self) -> dict[str, str]:
        """Only of rolling updates, as API_Deployment.html says."""
        if not self.service_deployment.is_rolling:
            return {}
        return {"rolloutState": self.rollout_state, "rolloutStateReason": self.rollout_reason}
