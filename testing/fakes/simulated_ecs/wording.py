"""The sentences of ECS: service events, rollout state reasons, stopped reasons, status reasons.

The words are AWS's own, so that what reads them is tested on what it will meet.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
"""

from collections.abc import Sequence

TROUBLESHOOTING = (
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
)
TASKS_FAILED_TO_START = "tasks failed to start."
BREAKER_FAILED = f"ECS deployment circuit breaker: {TASKS_FAILED_TO_START}"
BREAKER_EXCEEDED = (
    "Service deployment rolled back because the circuit breaker threshold was exceeded."
)
BREAKER_STOPPED = "Service deployment stopped because the circuit breaker threshold was exceeded."
STOP_REQUESTED = (
    "Service deployment rolled back because of a request to stop the service deployment."
)
REPLACED = "Service deployment was stopped because a new service deployment was started."
NO_CANDIDATE = "No rollback candidate was found to run the rollback."
ROLLBACK_FAILED = (
    "Service deployment rollback failed because the circuit breaker threshold was exceeded."
)
NO_CAPACITY = "Service deployment rollback failed because its tasks could not be placed."
ALARM_DETECTED = (
    "Service deployment rolled back because one or more alarms went into the ALARM state."
)
ALARM_STOPPED = "Service deployment stopped because one or more alarms went into the ALARM state."
ALARM_EVENT = "alarm detected."
ESSENTIAL_EXITED = "Essential container in task exited"
UNHEALTHY = "Task failed container health checks"
FAILED_TO_START = "Task failed to start"
"""The reason of an EC2 task. Only its container has the cause."""


def tasks(ids: Sequence[str]) -> str:
    """The tasks of an event."""
    return " ".join(f"(task {task_id})" for task_id in ids)


def in_progress(deployment_id: str) -> str:
    """The reason of a rollout that goes on."""
    return f"ECS deployment {deployment_id} in progress."


def completed(deployment_id: str) -> str:
    """The reason of a rollout that is done."""
    return f"ECS deployment {deployment_id} completed."


def rolling_back(deployment_id: str) -> str:
    """The reason of a rollout that brings back what was there."""
    return f"ECS deployment circuit breaker: rolling back to deploymentId {deployment_id}."


def hook_failed(stage: str, target: str) -> str:
    """Why a deployment is rolled back whose lifecycle hook did not succeed."""
    return (
        f"Service deployment rolled back because {stage} lifecycle hook(s) failed. Lifecycle "
        f"hook target {target} returned "
        "FAILED status."
    )


def hook_timed_out(stage: str, target: str) -> str:
    """Why a deployment is rolled back whose lifecycle hook was not resolved in time."""
    return (
        f"Service deployment rolled back because {stage} lifecycle hook(s) timed out. Lifecycle "
        f"hook {target} was not resolved before its time-out."
    )


def hook_rejected(stage: str, hook_id: str) -> str:
    """Why a deployment is rolled back whose PAUSE hook was answered with ROLLBACK."""
    return (
        "Service deployment rolled back because of a request to roll back at the "
        f"{stage} lifecycle hook {hook_id}."
    )


def scaling(deployment_id: str) -> str:
    """Why a task that did nothing wrong was stopped."""
    return f"Scaling activity initiated by (deployment {deployment_id})"
