"""What ECS says of one deployment at one moment. Pure: answers of ECS in, dataclasses out.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .task_failures import TaskFailure

_EVENTS_SHOWN = 3
_ROLLING = "ROLLING"
_ROLLING_BACK = re.compile(r"rolling back to deployment(?:Id)? (ecs-svc/\d+)", re.IGNORECASE)
_FAILED = "deployment failed"
_MOVED = re.compile(r"\bhas (started|stopped)\b|\b(de)?registered \d+ targets\b")
"""An event about tasks that came or went. Others are repeated while nothing changes."""


@dataclass(frozen=True)
class Deployment:
    """A deployment of a service."""

    id: str
    """``ecs-svc/`` and a number; tasks that it started carry it as ``startedBy``."""
    status: str
    """PRIMARY, ACTIVE or INACTIVE."""
    task_definition: str
    desired: int
    running: int
    pending: int
    failed: int
    """Tasks that failed in a row; back at 0 as soon as one has started."""
    rollout_state: str | None
    """IN_PROGRESS, COMPLETED, FAILED, or None where ECS does not say."""
    reason: str
    updated_at: datetime | None = None

    @property
    def revision(self) -> str:
        """Family and number of its task definition."""
        return self.task_definition.rpartition("/")[2]

    @property
    def is_complete(self) -> bool:
        """Whether ECS says so."""
        return self.rollout_state == "COMPLETED"

    @property
    def is_steady(self) -> bool:
        """Whether all of its tasks run."""
        return self.running == self.desired and not self.pending and not self.failed


@dataclass(frozen=True)
class ServiceDeployment:
    """ECS's own record of a deployment and, where ECS rolls it back, of the rollback.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
    """

    status: str
    reason: str = ""
    stage: str = ""
    """The lifecycle stage, such as BAKE_TIME."""
    rollback_reason: str = ""
    alarms: tuple[str, ...] = ()
    """Names of the alarms that were triggered."""
    hooks: tuple[str, ...] = ()
    """The lifecycle hooks that failed."""
    updated_at: datetime | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "ServiceDeployment":
        """As DescribeServiceDeployments answers."""
        hooks = [
            one
            for one in answer.get("lifecycleHookDetails") or ()
            if one.get("status") in ("FAILED", "TIMED_OUT")
        ]
        return cls(
            status=answer.get("status", ""),
            reason=answer.get("statusReason") or "",
            stage=answer.get("lifecycleStage") or "",
            rollback_reason=(answer.get("rollback") or {}).get("reason") or "",
            alarms=tuple((answer.get("alarms") or {}).get("triggeredAlarmNames") or ()),
            hooks=tuple(one.get("targetArn") or one.get("hookId") or "?" for one in hooks),
            updated_at=answer.get("updatedAt"),
        )

    @property
    def has_succeeded(self) -> bool:
        """Whether the service is well with it: it succeeded, or was rolled back."""
        return self.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL")

    @property
    def is_rolling_back(self) -> bool:
        """Whether ECS returns the service at the moment."""
        return self.status in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")

    @property
    def cause(self) -> str:
        """Why it failed, as far as ECS says.

        When the rollback failed too, ``reason`` is about that.
        """
        reasons = (
            (self.rollback_reason,)
            if self.status == "ROLLBACK_FAILED"
            else (self.reason, self.rollback_reason)
        )
        said = list(dict.fromkeys(reason.rstrip(". ") for reason in reasons if reason))
        said += [f"alarm {name} was triggered" for name in self.alarms if name not in "".join(said)]
        said += [
            f"lifecycle hook {name} failed" for name in self.hooks if name not in "".join(said)
        ]
        return "; ".join(said)


@dataclass(frozen=True)
class RolloutState:  # pylint: disable=too-many-instance-attributes
    """A service as seen from the deployment that is followed."""

    service_status: str
    """ACTIVE, DRAINING, INACTIVE, or MISSING when there is no such service any more."""
    ours: Deployment | None
    """The deployment that is followed; ECS forgets one that was replaced."""
    primary: Deployment | None
    """The deployment that the service is at or on its way to."""
    others: tuple[Deployment, ...] = ()
    is_rolling: bool = True
    """Whether the deployment strategy is the rolling update: only then the deployments' state
    decides.
    """
    has_circuit_breaker: bool = False
    rolls_back: bool = False
    """Whether the circuit breaker, or an alarm, also returns to the last revision that was
    complete.
    """
    service_deployment: ServiceDeployment | None = None
    is_current: bool | None = None
    """Whether that is the service's current one; None where ECS does not say."""
    may_be_rollback: bool = False
    """Whether the deployment that is followed may itself be the return after one that failed."""
    failed_seconds: float = 0
    """For how long ECS has called the deployment failed."""
    task_failures: tuple[TaskFailure, ...] = ()
    """Why tasks of the deployment stopped, the last one first."""
    has_completed: bool = False
    """Whether an event says so of this deployment: it stays known when another one has taken its
    place.
    """
    has_failed: bool = False
    another_has_failed: bool = False
    """The same of its failure, and of another deployment's since it began."""
    failure: str = ""
    """Why it failed, as its event says."""
    rollbacks: frozenset[str] = frozenset()
    """The ids of the deployments to which ECS has rolled back since it began."""
    heard: tuple[str, ...] = ()
    """All events of the service since the deployment began, the newest first."""
    moved_at: datetime | None = None
    """When tasks came or went last, by the events."""
    events: tuple[str, ...] = ()
    """The last events of the service, the newest first."""

    @property
    def not_yet_there(self) -> "RolloutState":
        """The same before the deployment: nothing is known of it."""
        return replace(self, primary=None, others=())

    @property
    def is_replaced(self) -> bool:
        """Whether another deployment has taken its place."""
        return self.ours is None or self.ours.status != "PRIMARY"

    @property
    def is_rollback(self) -> bool:
        """Whether it is that, if ECS has rolled back: ECS returns to the deployment that is PRIMARY
        then.
        """
        return self.may_be_rollback and not self.is_replaced

    @property
    def needs_service_deployment(self) -> bool:
        """Whether the deployments' states cannot decide: they are documented for rolling updates
        only.
        """
        return self.service_status == "ACTIVE" and (
            self.is_replaced
            or not self.is_rolling
            or (self.ours is not None and self.ours.rollout_state in (None, "FAILED"))
        )

    @property
    def rollback(self) -> Deployment | None:
        """The deployment with which ECS returns the service from this one, once there is one."""
        primary = self.primary
        if primary is None or (self.ours and primary.id == self.ours.id):
            return None
        if record := self.service_deployment:
            return (
                primary
                if self.is_current is not False and record.status.startswith("ROLLBACK")
                else None
            )
        reasons = f"{primary.reason} {self.ours.reason if self.ours else ''}".lower()
        is_said = primary.id in self.rollbacks or "rolling back" in reasons
        may_roll_back = self.rolls_back or not self.has_circuit_breaker
        is_due = self.has_failed and may_roll_back and not self.rollbacks
        return (
            primary
            if (is_said and (self.has_failed or not self.another_has_failed)) or is_due
            else None
        )

    @property
    def rollback_shows_its_state(self) -> bool:
        """Whether ECS's rollback goes on, as its own deployment says."""
        back = self.rollback if self.is_rolling and self.service_deployment else None
        return back is not None and back.rollout_state == "IN_PROGRESS"

    @property
    def is_complete(self) -> bool:
        """Whether the deployment is complete, as what decides that for its strategy says."""
        return self.ours is not None and self._is_complete(self.ours)

    @property
    def completed(self) -> str | None:
        """The task definition of the newest deployment that is complete, if there is one."""
        candidates = [self.ours, *self.others] if self.ours else list(self.others)
        # ECS lists the others from the newest on.
        if self.primary in candidates:
            candidates.remove(self.primary)
            candidates.insert(0, self.primary)
        for deployment in candidates:
            if deployment and self._is_complete(deployment):
                return deployment.task_definition
        return None

    def _is_complete(self, deployment: Deployment) -> bool:
        if self.is_rolling and deployment.rollout_state is not None:
            return deployment.is_complete
        if deployment.status != "PRIMARY":
            return False
        if self.service_deployment:
            return self.service_deployment.has_succeeded
        return deployment.is_steady and len({one.id for one in (deployment, *self.others)}) == 1

    @property
    def changed_at(self) -> datetime | None:
        """The last change of the rollout that ECS shows."""
        record = self.service_deployment
        return _newest(
            (
                self.ours.updated_at if self.ours else None,
                self.moved_at,
                record.updated_at if record else None,
            )
        )

    def shows_failure_since(self, earlier: "RolloutState | None") -> bool:
        """Whether a task of the deployment may have died since then: only in that case tasks are
        asked about.
        """
        before, now = earlier.ours if earlier else None, self.ours
        if earlier is None or before is None or now is None:
            return False
        is_less = (
            now.running < before.running
            or now.running + now.pending < before.running + before.pending
        )
        if is_less or now.failed > before.failed:
            return True
        # One task that died and another that was started in its place between two looks leave the
        # numbers as they were.
        new = self.events[
            : next(
                (i for i, event in enumerate(self.events) if event in earlier.events[:1]),
                len(self.events),
            )
        ]
        return any(
            word in event for event in new for word in ("has started", "unhealthy", "health check")
        )


def rollout_state_of(
    service: Mapping[str, Any] | None, deployment_id: str, since: datetime | None = None
) -> RolloutState:
    """What the answer of DescribeServices (``None``: no such service) says of a deployment.

    ECS brings the service's last hundred events with every answer: they tell of a deployment that
    is no longer listed. ``since`` is when that one began; of one that is listed, ECS says so.
    """
    if service is None:
        return RolloutState("MISSING", None, None)
    configuration = service.get("deploymentConfiguration") or {}
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    alarms = configuration.get("alarms") or {}
    ours, primary, others, begun = None, None, [], since
    for answer in service.get("deployments") or []:
        deployment = _deployment(answer)
        if primary is None and deployment.status == "PRIMARY":
            primary = deployment
        if deployment.id != deployment_id:
            others.append(deployment)
        elif ours is None:
            ours, begun = deployment, answer.get("createdAt") or since
    events = service.get("events") or []
    heard = _Heard(deployment_id, begun, events) if events else None
    return RolloutState(
        service_status=service["status"],
        ours=ours,
        primary=primary,
        others=tuple(others),
        is_rolling=(configuration.get("strategy") or _ROLLING) == _ROLLING,
        has_circuit_breaker=bool(breaker.get("enable")),
        rolls_back=bool(
            (breaker.get("enable") and breaker.get("rollback"))
            or (alarms.get("enable") and alarms.get("rollback"))
        ),
        has_completed=heard is not None and heard.has_completed,
        has_failed=(heard is not None and heard.has_failed)
        or (ours is not None and ours.rollout_state == "FAILED"),
        another_has_failed=heard is not None and heard.another_has_failed,
        failure=heard.failure if heard else "",
        rollbacks=frozenset(heard.rollbacks) if heard else frozenset(),
        heard=tuple(heard.messages) if heard else (),
        moved_at=heard.moved_at if heard else None,
        events=tuple(
            [_without_subject(event.get("message", "")) for event in events[:_EVENTS_SHOWN]]
        ),
    )


class _Heard:
    """What a service's events say since a deployment began, the newest first."""

    def __init__(
        self, deployment_id: str, begun: datetime | None, events: Sequence[Mapping[str, Any]]
    ):
        self.messages: list[str] = []
        self.rollbacks: set[str] = set()
        self.has_completed = self.has_failed = self.another_has_failed = False
        self.failure = ""
        self.moved_at: datetime | None = None
        for event in events:
            at, message = event.get("createdAt"), event.get("message", "")
            if begun is not None and at is not None and at < begun:
                continue
            self.messages.append(_without_subject(message))
            if found := _ROLLING_BACK.search(message):
                self.rollbacks.add(found[1])
            if at and (self.moved_at is None or at > self.moved_at) and _MOVED.search(message):
                self.moved_at = at
            if f"(deployment {deployment_id}) " in message:
                self.has_completed = self.has_completed or "deployment completed" in message
                if _FAILED in message:
                    if not self.has_failed:
                        self.failure = message.partition(f"{_FAILED}: ")[2]
                    self.has_failed = True
            elif _FAILED in message:
                self.another_has_failed = True


def _newest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def _deployment(answer: Mapping[str, Any]) -> Deployment:
    return Deployment(
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


def _without_subject(message: str) -> str:
    """An event without ``(service NAME)`` before it: whose it is is known."""
    subject, bracket, rest = message.partition(") ")
    return rest if bracket and subject.startswith("(service ") else message
