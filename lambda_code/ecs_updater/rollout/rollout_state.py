"""The state of one deployment at one poll. Pure: answers of ECS in, dataclasses out.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

from ..model.arn import revision_name
from ..model.strategy import ROLLING
from .service_deployment import ServiceDeployment
from .task_failures import TaskFailure

SERVICE_DEPLOYMENT = "ecs-updater:serviceDeployment"
"""Field of a service that was read together with its current service deployment."""

_EVENTS_SHOWN = 3
_ROLLING_BACK = re.compile(r"rolling back to deployment(?:Id)? (ecs-svc/\d+)", re.IGNORECASE)
_FAILED = "deployment failed"
_TASKS_CHANGED = re.compile(r"\bhas (started|stopped)\b|\b(de)?registered \d+ targets\b")
"""An event about started or stopped tasks. Other events are repeated while nothing changes."""
_REPLACED_TASK = ("has started", "unhealthy", "health check")
"""Texts of events after which a task may have failed."""


@dataclass(frozen=True)
class Deployment:
    """A deployment of a service."""

    id: str
    """`ecs-svc/` and a number. Its tasks have this id in `startedBy`."""
    status: str
    """PRIMARY, ACTIVE or INACTIVE."""
    task_definition: str
    desired: int
    running: int
    pending: int
    failed: int
    """Tasks that failed in a row, 0 again after one has started."""
    rollout_state: str | None
    """IN_PROGRESS, COMPLETED, FAILED, or None if ECS returns none."""
    reason: str
    updated_at: datetime | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Deployment":
        """Returns the deployment of an item in DescribeServices."""
        return cls(
            id=answer["id"],
            status=answer["status"],
            task_definition=answer.get("taskDefinition") or "",
            desired=answer.get("desiredCount", 0),
            running=answer.get("runningCount", 0),
            pending=answer.get("pendingCount", 0),
            failed=answer.get("failedTasks", 0),
            rollout_state=answer.get("rolloutState"),
            reason=answer.get("rolloutStateReason") or "",
            updated_at=answer.get("updatedAt") or answer.get("createdAt"),
        )

    @property
    def revision(self) -> str:
        """Family and number of its task definition."""
        return revision_name(self.task_definition)

    @property
    def is_complete(self) -> bool:
        """Whether its rollout state is COMPLETED."""
        return self.rollout_state == "COMPLETED"

    @property
    def is_steady(self) -> bool:
        """Whether all of its tasks run."""
        return self.running == self.desired and not self.pending and not self.failed


@dataclass(frozen=True)
class RolloutState:  # pylint: disable=too-many-instance-attributes
    """A service at one poll, in relation to the polled deployment."""

    service_status: str
    """ACTIVE, DRAINING, INACTIVE, or MISSING if the service does not exist any more."""
    deployment: Deployment | None
    """The polled deployment. ECS does not list one that was replaced."""
    primary: Deployment | None
    others: tuple[Deployment, ...] = ()
    desired: int = 0
    """The service's desired count."""
    is_rolling: bool = True
    """Whether the strategy is the rolling update. Only then the deployments' states decide."""
    has_circuit_breaker: bool = False
    rolls_back: bool = False
    """Whether the circuit breaker or an alarm rolls back to the last completed deployment."""
    service_deployment: ServiceDeployment | None = None
    is_current: bool | None = None
    """Whether that is the service's current one. None: ECS returns none."""
    may_be_rollback: bool = False
    """Whether the polled deployment may itself be the rollback of a failed one."""
    is_stopped: bool = False
    """Whether the caller has stopped the deployment, so that ECS's rollback is the success."""
    failed_seconds: float = 0
    """Seconds since the deployment has failed."""
    task_failures: tuple[TaskFailure, ...] = ()
    """Why tasks of the deployment stopped, the latest first."""
    has_completed: bool = False
    """Whether an event reports completion. It stays known after a replacement."""
    has_failed: bool = False
    another_has_failed: bool = False
    """Whether the deployment, or another one since it began, has failed."""
    failure: str = ""
    """Why it failed, from its event."""
    rollbacks: frozenset[str] = frozenset()
    """Ids of the deployments to which ECS has rolled back since it began."""
    messages: tuple[str, ...] = ()
    """All events of the service since the deployment began, the latest first."""
    tasks_changed_at: datetime | None = None
    """Time of the latest event about started or stopped tasks."""
    events: tuple[str, ...] = ()
    """The latest events of the service, the latest first."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """The service's deployment configuration."""

    @property
    def is_replaced(self) -> bool:
        """Whether another deployment has taken its place."""
        return self.deployment is None or self.deployment.status != "PRIMARY"

    @property
    def is_rollback(self) -> bool:
        """Whether ECS's rollback, if there was one, is the polled deployment itself."""
        return self.may_be_rollback and not self.is_replaced

    @property
    def is_watched_by_circuit_breaker(self) -> bool:
        """Whether ECS's circuit breaker decides. It is documented for rolling updates only."""
        known = self.service_deployment.has_circuit_breaker if self.service_deployment else None
        return self.has_circuit_breaker if known is None else known

    @property
    def needs_service_deployment(self) -> bool:
        """Whether the deployments' states, documented for rolling updates only, cannot decide."""
        return self.service_status == "ACTIVE" and (
            self.deployment is None
            or self.is_replaced
            or not self.is_rolling
            or bool(self.configuration.get("lifecycleHooks"))
            or self.deployment.rollout_state in (None, "FAILED")
        )

    @property
    def rollback(self) -> Deployment | None:
        """The deployment with which ECS rolls this one back, if there is one."""
        primary, own = self.primary, self.deployment
        if primary is None or (own and primary.id == own.id):
            return None
        if self.service_deployment:
            is_rollback = self.service_deployment.status.startswith("ROLLBACK")
            return primary if is_rollback and self.is_current is not False else None
        reasons = f"{primary.reason} {own.reason if own else ''}".lower()
        is_reported = primary.id in self.rollbacks or "rolling back" in reasons
        may_roll_back = self.rolls_back or not self.has_circuit_breaker
        is_due = self.has_failed and may_roll_back and not self.rollbacks
        is_own = is_reported and (self.has_failed or not self.another_has_failed)
        return primary if is_own or is_due else None

    @property
    def rollback_is_in_progress(self) -> bool:
        """Whether the deployment of ECS's rollback is in progress by its own state."""
        back = self.rollback if self.is_rolling and self.service_deployment else None
        return back is not None and back.rollout_state == "IN_PROGRESS"

    @property
    def is_complete(self) -> bool:
        """Whether the deployment is complete, by the evidence for its strategy."""
        return self.deployment is not None and self._is_complete(self.deployment)

    @property
    def completed(self) -> str | None:
        """The task definition of the latest complete deployment, if there is one."""
        # ECS lists the others from the latest on.
        candidates = (self.primary, self.deployment, *self.others)
        complete = (item.task_definition for item in candidates if item and self._is_complete(item))
        return next(complete, None)

    def _is_complete(self, deployment: Deployment) -> bool:
        if self.is_rolling and deployment.rollout_state is not None:
            return deployment.is_complete
        if deployment.status != "PRIMARY":
            return False
        if self.service_deployment:
            return self.service_deployment.has_succeeded
        return deployment.is_steady and all(other.id == deployment.id for other in self.others)

    @property
    def is_waiting(self) -> bool:
        """Whether ECS waits for a time or a hook, so that nothing changes."""
        return self.service_deployment is not None and self.service_deployment.is_waiting

    def shown(self) -> dict[str, Any]:
        """Returns strategy, stage, traffic, hook and alarms as in a response.

        Empty for a rolling update without alarms, of which no service deployment was read.
        """
        fields: dict[str, Any] = {}
        if not self.is_rolling or self.service_deployment:
            fields["strategy"] = self.configuration.get("strategy") or ROLLING
        if self.service_deployment:
            fields |= self.service_deployment.shown()
        alarms = self.configuration.get("alarms") or {}
        if alarms.get("enable"):
            triggered = self.service_deployment.alarms if self.service_deployment else ()
            configured = list(alarms.get("alarmNames") or ())
            fields["alarms"] = {"configured": configured, "triggered": list(triggered)}
        return fields

    @property
    def changed_at(self) -> datetime | None:
        """Time of the latest change of the rollout."""
        moments = (
            self.deployment.updated_at if self.deployment else None,
            self.tasks_changed_at,
            self.service_deployment.updated_at if self.service_deployment else None,
        )
        return max((moment for moment in moments if moment), default=None)

    def shows_failure_since(self, earlier: "RolloutState | None") -> bool:
        """Returns whether a task may have failed since then: only then the tasks are read."""
        before, now = earlier.deployment if earlier else None, self.deployment
        if earlier is None or before is None or now is None:
            return False
        if (
            now.running < before.running
            or now.running + now.pending < before.running + before.pending
            or now.failed > before.failed
        ):
            return True
        # A failed task that was replaced between two polls leaves the numbers as they were.
        new = takewhile(lambda event: event not in earlier.events[:1], self.events)
        return any(text in event for event in new for text in _REPLACED_TASK)


def rollout_state_of(
    service: Mapping[str, Any] | None, deployment_id: str, since: datetime | None = None
) -> RolloutState:
    """Returns the state of a deployment from an item of DescribeServices.

    `service` is None if it does not exist. `since`: when the deployment began, if ECS does not list
    it any more. The service's last hundred events then still report about it.
    """
    if service is None:
        return RolloutState("MISSING", None, None)
    configuration = service.get("deploymentConfiguration") or {}
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    alarms = configuration.get("alarms") or {}
    polled, primary, others, begun = None, None, [], since
    for answer in service.get("deployments") or []:
        deployment = Deployment.of(answer)
        if primary is None and deployment.status == "PRIMARY":
            primary = deployment
        if deployment.id != deployment_id:
            others.append(deployment)
        elif polled is None:
            polled, begun = deployment, answer.get("createdAt") or since
    events = service.get("events") or []
    reported = _reported(deployment_id, begun, events) if events else {}
    if polled is not None and polled.rollout_state == "FAILED":
        reported["has_failed"] = True
    return RolloutState(
        service_status=service["status"],
        deployment=polled,
        primary=primary,
        others=tuple(others),
        desired=service.get("desiredCount", primary.desired if primary else 0),
        is_rolling=(configuration.get("strategy") or ROLLING) == ROLLING,
        has_circuit_breaker=bool(breaker.get("enable")),
        configuration=configuration,
        rolls_back=bool(
            (breaker.get("enable") and breaker.get("rollback"))
            or (alarms.get("enable") and alarms.get("rollback"))
        ),
        events=tuple(
            _without_subject(event.get("message", "")) for event in events[:_EVENTS_SHOWN]
        ),
        **reported,
    )


def _reported(
    deployment_id: str, begun: datetime | None, events: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Returns the fields of a rollout state from the events since a deployment began."""
    own, messages, rollbacks = f"(deployment {deployment_id}) ", [], set()
    failures: list[str] = []
    has_completed = another_has_failed = False
    tasks_changed_at: datetime | None = None
    for event in events:
        at, message = event.get("createdAt"), event.get("message", "")
        if begun is not None and at is not None and at < begun:
            continue
        messages.append(_without_subject(message))
        if found := _ROLLING_BACK.search(message):
            rollbacks.add(found[1])
        is_later = at and (tasks_changed_at is None or at > tasks_changed_at)
        if is_later and _TASKS_CHANGED.search(message):
            tasks_changed_at = at
        is_own, is_failure = own in message, _FAILED in message
        has_completed = has_completed or (is_own and "deployment completed" in message)
        another_has_failed = another_has_failed or (is_failure and not is_own)
        if is_own and is_failure:
            failures.append(message.partition(f"{_FAILED}: ")[2])
    return {
        "messages": tuple(messages),
        "rollbacks": frozenset(rollbacks),
        "has_completed": has_completed,
        "has_failed": bool(failures),
        "another_has_failed": another_has_failed,
        "failure": next(iter(failures), ""),
        "tasks_changed_at": tasks_changed_at,
    }


def _without_subject(message: str) -> str:
    """Returns an event without the service's name, `(service NAME)`, at its beginning."""
    subject, bracket, rest = message.partition(") ")
    return rest if bracket and subject.startswith("(service ") else message
