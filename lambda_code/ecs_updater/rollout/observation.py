"""What ECS says of one deployment at one moment. Pure: answers of ECS in, dataclasses out.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .deaths import Death

_EVENTS_SHOWN = 3


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

    @property
    def revision(self) -> str:
        """Family and number of its task definition."""
        return self.task_definition.rpartition("/")[2]

    @property
    def is_complete(self) -> bool:
        """Whether ECS says so; where it gives no state, whether all of the tasks run."""
        if self.rollout_state is None:
            return self.running == self.desired and not self.pending and not self.failed
        return self.rollout_state == "COMPLETED"


@dataclass(frozen=True)
class ServiceDeployment:
    """ECS's own record of a deployment, where the API has one.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeploymentBrief.html
    """

    status: str
    reason: str


@dataclass(frozen=True)
class Observation:
    """A service as seen from the deployment that is followed."""

    service_status: str
    """ACTIVE, DRAINING, INACTIVE, or MISSING when there is no such service any more."""
    ours: Deployment | None
    """The deployment that is followed; ECS forgets one that was replaced."""
    primary: Deployment | None
    """The deployment that the service is at or on its way to."""
    others: tuple[Deployment, ...] = ()
    has_circuit_breaker: bool = False
    rolls_back: bool = False
    """Whether the circuit breaker, or an alarm, also returns to the last revision that was complete."""
    service_deployment: ServiceDeployment | None = None
    deaths: tuple[Death, ...] = ()
    """Why tasks of the deployment stopped, the last one first."""
    has_completed: bool = False
    """Whether an event says so of this deployment: it stays known when another one has taken its place."""
    has_failed: bool = False
    another_has_failed: bool = False
    """The same of its failure, and of another deployment's."""
    events: tuple[str, ...] = ()
    """The last events of the service, the newest first."""

    @property
    def not_yet_there(self) -> "Observation":
        """The same before the deployment: nothing is known of it."""
        return replace(self, primary=None, others=())

    @property
    def completed(self) -> str | None:
        """The task definition of the newest deployment that is complete, if there is one."""
        every = (*((self.ours,) if self.ours else ()), *self.others)
        in_order = sorted(every, key=lambda one: one.status != "PRIMARY")  # ECS lists the others from the newest on.
        return next((one.task_definition for one in in_order if one.is_complete), None)

    def shows_a_death_since(self, earlier: "Observation | None") -> bool:
        """Whether a task of the deployment may have died since then: only in that case tasks are asked about."""
        before, now = earlier and earlier.ours, self.ours
        if earlier is None or before is None or now is None:
            return False
        is_less = now.running < before.running or now.running + now.pending < before.running + before.pending
        if is_less or now.failed > before.failed:
            return True
        # One task that died and another that was started in its place between two looks leave the numbers as they were.
        new = self.events[: next((i for i, event in enumerate(self.events) if event in earlier.events[:1]), len(self.events))]
        return any(word in event for event in new for word in ("has started", "unhealthy", "health check"))


def observe(service: Mapping[str, Any] | None, deployment_id: str) -> Observation:
    """What the answer of DescribeServices (``None``: no such service) says of a deployment.

    ECS brings the service's last hundred events with every answer: they tell of a deployment that is no longer listed.
    """
    if service is None:
        return Observation("MISSING", None, None)
    deployments = [_deployment(one) for one in service.get("deployments", [])]
    configuration = service.get("deploymentConfiguration") or {}
    messages = [event.get("message", "") for event in service.get("events", [])]
    own = [message for message in messages if f"(deployment {deployment_id}) " in message]
    breaker, alarms = configuration.get("deploymentCircuitBreaker") or {}, configuration.get("alarms") or {}
    return Observation(
        service_status=service["status"],
        ours=next((one for one in deployments if one.id == deployment_id), None),
        primary=next((one for one in deployments if one.status == "PRIMARY"), None),
        others=tuple(one for one in deployments if one.id != deployment_id),
        has_circuit_breaker=bool(breaker.get("enable")),
        rolls_back=any(one.get("enable") and one.get("rollback") for one in (breaker, alarms)),
        has_completed=any("deployment completed" in message for message in own),
        has_failed=any("deployment failed" in message for message in own),
        another_has_failed=any("deployment failed" in message and message not in own for message in messages),
        events=tuple(map(_without_subject, messages[:_EVENTS_SHOWN])),
    )


def _deployment(answer: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=answer["id"],
        status=answer["status"],
        task_definition=answer["taskDefinition"],
        desired=answer.get("desiredCount", 0),
        running=answer.get("runningCount", 0),
        pending=answer.get("pendingCount", 0),
        failed=answer.get("failedTasks", 0),
        rollout_state=answer.get("rolloutState"),
        reason=answer.get("rolloutStateReason", ""),
    )


def _without_subject(message: str) -> str:
    """An event without ``(service NAME)`` before it: whose it is is known."""
    subject, bracket, rest = message.partition(") ")
    return rest if bracket and subject.startswith("(service ") else message
