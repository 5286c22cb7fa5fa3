"""Looks at a deployment until there is a verdict, or no time left.

One DescribeServices per look. Tasks are asked about when something changed, and a few times when nothing did; ECS's record of the
deployment when another one took its place: so a rollout of three minutes costs at most 40 calls, and one of seconds at most 8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..aws.failure import AwsFailure, Outcome
from ..clock import Clock
from .deaths import Death, deaths_of
from .observation import Observation, ServiceDeployment, observe
from .pace import pauses
from .verdict import Finding, Followed, judge, timed_out

_TASK_LOOKS = 8
"""The most looks at tasks, in one rollout, that show no further death."""

_EVEN_SO = frozenset({1, 2, 3, 5})
"""The looks at which tasks are asked about although nothing shows a death, as long as the service has had no event.

Not everything with ECS's API tells events of tasks, and counts those that failed where there is no circuit breaker.
"""

_STALE_SECONDS = 15.0
"""For how long an answer of ECS may be older than the deployment."""

_LOOK_SECONDS = 1.0
"""What the last look may take: it ends before the deadline too."""


class Watched(Protocol):
    """What of ECS the follower asks. Every failure is an ``AwsFailure``."""

    def describe_service(self, cluster: str, service: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The service, or None, and ECS's ``failures``."""

    def stopped_tasks(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """Tasks of the service that have stopped lately, as DescribeTasks gives them."""

    def service_deployments(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """ECS's own records of the service's last deployments, as ListServiceDeployments gives them."""


@dataclass(frozen=True)
class Rollout:
    """Which deployment is followed."""

    cluster: str
    service: str
    """Names or ARNs."""
    deployment_id: str
    previous_deployment_id: str | None = None
    """The PRIMARY one before it: ECS may still tell that one at the first looks."""
    made_at: float | None = None
    """When it was made, in seconds since the epoch; None: just now."""
    service_deployment_arn: str | None = None
    previous_service_deployment_arn: str | None = None
    """ECS's own records of it and of the one before, where they are known."""


class Follower:
    """Follows one deployment of one service."""

    def __init__(self, ecs: Watched, rollout: Rollout, same_deaths: int, clock: Clock):
        self._ecs = ecs
        self._rollout = rollout
        self._same_deaths = same_deaths
        self._clock = clock
        self._begin = clock.now()
        self._notes: dict[str, str] = {}
        self._looks = self._task_looks = 0
        self._is_silent = True
        """Whether the service has had no event since the first look."""
        self._deployment: Mapping[str, Any] | None = None
        """The deployment as ECS told it last."""
        self._seen: Observation | None = None
        self._deaths: tuple[Death, ...] = ()
        self._record = rollout.service_deployment_arn
        """The ARN of ECS's own record of the deployment, once it is known."""
        self._made_at = clock.epoch() if rollout.made_at is None else rollout.made_at

    def follow(self, deadline: float) -> Followed:
        """Looks until there is a verdict or ``deadline``, a moment of the clock, has come. Raises nothing of AWS."""
        seen: Observation | None = None
        trouble = None
        for pause in pauses(self._clock.random):
            left = deadline - self._clock.now() - _LOOK_SECONDS
            if left <= 0:
                break
            self._clock.sleep(min(pause, left))
            try:
                seen = self._look()
                trouble = None
            except AwsFailure as failure:  # A throttle, or trouble that may pass: the next look will tell.
                trouble = str(failure)
                self._notes[failure.operation] = trouble
                if failure.outcome is Outcome.NOT_PERMITTED:
                    break
                continue
            if finding := judge(seen, self._same_deaths):
                return self._followed(finding, seen)
        return self._followed(timed_out(seen, self._clock.now() - self._begin, trouble), seen)

    def look(self, service: Mapping[str, Any] | None = None) -> Followed | None:
        """Looks once, at ``service`` where DescribeServices has told it already; None while the rollout goes on.

        Raises AwsFailure.
        """
        seen = self._look(service, thoroughly=True)
        finding = judge(seen, self._same_deaths)
        return self._followed(finding, seen) if finding else None

    def _followed(self, finding: Finding, seen: Observation | None) -> Followed:
        notes = tuple(f"{operation}: {text}" for operation, text in self._notes.items())
        return Followed(finding, seen, self._clock.now() - self._begin, notes, self._record)

    def _look(self, service: Mapping[str, Any] | None = None, thoroughly: bool = False) -> Observation:
        if service is None:
            service, _ = self._ecs.describe_service(self._rollout.cluster, self._rollout.service)
        seen = observe(service, self._rollout.deployment_id)
        self._looks += 1
        every = service.get("deployments", []) if service else []
        self._deployment = next((one for one in every if one["id"] == self._rollout.deployment_id), self._deployment)
        if self._is_stale(seen):
            return seen.not_yet_there
        if service and seen.ours and seen.ours.status == "PRIMARY":
            current = service.get("currentServiceDeployment")
            self._record = current if current != self._rollout.previous_service_deployment_arn else self._record
        is_replaced = seen.service_status == "ACTIVE" and (seen.ours is None or seen.ours.status != "PRIMARY")
        # Behind some load balancers, and for some strategies, the deployment itself has no state.
        if self._record and (is_replaced or (seen.ours is not None and seen.ours.rollout_state is None)):
            seen = replace(seen, service_deployment=self._service_deployment(self._record))
        is_ending = is_replaced or (seen.ours is not None and seen.ours.rollout_state == "FAILED")
        if is_ending or self._may_have_deaths(seen, thoroughly):
            self._look_at_tasks()
        self._seen = seen
        return replace(seen, deaths=self._deaths)

    def _may_have_deaths(self, seen: Observation, thoroughly: bool) -> bool:
        """Whether it is worth a call, or two, to ask what tasks of the deployment died of."""
        self._is_silent = self._is_silent and (self._seen is None or seen.events == self._seen.events)
        is_on_its_way = seen.ours is not None and not seen.ours.is_complete
        if self._is_silent and self._deaths:
            return is_on_its_way  # Nobody will tell of the next one either.
        if self._task_looks >= _TASK_LOOKS:
            return False
        is_time = thoroughly or (self._is_silent and self._looks in _EVEN_SO)
        return seen.shows_a_death_since(self._seen) or (is_time and is_on_its_way)

    def _is_stale(self, seen: Observation) -> bool:
        """Whether ECS still tells the service as it was before the deployment, which may be so for some seconds."""
        return (
            seen.ours is None
            and self._seen is None
            and seen.primary is not None
            and seen.primary.id == self._rollout.previous_deployment_id
            and self._clock.epoch() - self._made_at < _STALE_SECONDS
        )

    def _look_at_tasks(self) -> None:
        """Looks for deaths of the deployment's tasks; what cannot be read is noted once, and leaves what is known as it is."""
        try:
            stopped = self._ecs.stopped_tasks(self._rollout.cluster, self._rollout.service)
            deaths = deaths_of(stopped, self._rollout.deployment_id, self._deployment)
        except AwsFailure as failure:
            self._notes[failure.operation] = str(failure)
            is_for_good = failure.outcome in (Outcome.NOT_PERMITTED, Outcome.REFUSED)
            self._task_looks += _TASK_LOOKS if is_for_good else 1
            return
        self._task_looks += len(deaths) <= len(self._deaths)
        self._deaths = deaths or self._deaths

    def _service_deployment(self, arn: str) -> ServiceDeployment | None:
        """ECS's record of the deployment; None where the API has none, as in some partitions and emulators."""
        try:
            every = self._ecs.service_deployments(self._rollout.cluster, self._rollout.service)
        except AwsFailure as failure:
            self._notes[failure.operation] = str(failure)
            return None
        found = (one for one in every if one.get("serviceDeploymentArn") == arn)
        return next((ServiceDeployment(one.get("status", ""), one.get("statusReason", "")) for one in found), None)
