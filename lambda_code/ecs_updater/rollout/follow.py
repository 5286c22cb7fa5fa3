"""Looks at a deployment until there is a verdict, or no time left.

One DescribeServices per look. Tasks are asked about when something changed, ECS's record of the deployment when another one took
its place: so a rollout of three minutes costs at most 40 calls, and one of seconds at most 8.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..aws.failure import AwsFailure, Outcome
from .deaths import Death, deaths_of
from .observation import Observation, ServiceDeployment, observe
from .pace import pauses
from .verdict import Finding, Followed, judge, timed_out

_TASK_LOOKS = 8
"""The most looks at tasks in one rollout: what they died of is known by then."""

_LOOK_SECONDS = 1.0
"""What the last look may take: it ends before the deadline too."""


@dataclass(frozen=True)
class Clock:
    """Time as the follower knows it, so that no test has to wait."""

    now: Callable[[], float]
    """Seconds, from any beginning."""
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """From 0 to 1."""


REAL_TIME = Clock(time.monotonic, time.sleep, random.random)


class Watched(Protocol):
    """What of ECS the follower asks. Every failure is an ``AwsFailure``."""

    def describe_service(self, cluster: str, service: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The service, or None, and ECS's ``failures``."""

    def stopped_tasks(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """Tasks of the service that have stopped lately, as DescribeTasks gives them."""

    def service_deployments(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """ECS's own records of the service's last deployments, as ListServiceDeployments gives them."""


class Follower:
    """Follows one deployment of one service."""

    def __init__(self, ecs: Watched, cluster: str, service: str, deployment_id: str, same_deaths: int, clock: Clock):
        self._ecs = ecs
        self._cluster, self._service, self._deployment_id = cluster, service, deployment_id
        self._same_deaths = same_deaths
        self._clock = clock
        self._notes: dict[str, str] = {}
        self._task_looks = 0
        self._seen: Observation | None = None
        self._deaths: tuple[Death, ...] = ()

    def follow(self, deadline: float) -> Followed:
        """Looks until there is a verdict or ``deadline``, a moment of the clock, has come. Raises nothing of AWS."""
        begin = self._clock.now()
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
                return self._followed(finding, seen, begin)
        return self._followed(timed_out(seen, self._clock.now() - begin, trouble), seen, begin)

    def _followed(self, finding: Finding, seen: Observation | None, begin: float) -> Followed:
        notes = tuple(f"{operation}: {text}" for operation, text in self._notes.items())
        return Followed(finding, seen, self._clock.now() - begin, notes)

    def _look(self) -> Observation:
        service, _ = self._ecs.describe_service(self._cluster, self._service)
        seen = observe(service, self._deployment_id)
        if self._is_replaced(seen):
            seen = replace(seen, service_deployment=self._service_deployment())
        is_ending = self._is_replaced(seen) or (seen.ours is not None and seen.ours.rollout_state == "FAILED")
        if is_ending or (seen.shows_a_death_since(self._seen) and self._task_looks < _TASK_LOOKS):
            self._deaths = self._dead() or self._deaths
        self._seen = seen
        return replace(seen, deaths=self._deaths)

    def _is_replaced(self, seen: Observation) -> bool:
        return seen.service_status == "ACTIVE" and (seen.ours is None or seen.ours.status != "PRIMARY")

    def _dead(self) -> tuple[Death, ...]:
        """The deaths of the deployment's tasks; none where they cannot be read, which is noted once."""
        self._task_looks += 1
        try:
            return deaths_of(self._ecs.stopped_tasks(self._cluster, self._service), self._deployment_id)
        except AwsFailure as failure:
            self._notes[failure.operation] = str(failure)
            if failure.outcome in (Outcome.NOT_PERMITTED, Outcome.REFUSED):
                self._task_looks = _TASK_LOOKS
            return ()

    def _service_deployment(self) -> ServiceDeployment | None:
        """ECS's record of the deployment; None where the API has none, as in some partitions and emulators."""
        try:
            return next(
                (
                    ServiceDeployment(one.get("status", ""), one.get("statusReason", ""))
                    for one in self._ecs.service_deployments(self._cluster, self._service)
                    # A service revision's ARN ends with the number that its deployment's id has.
                    if one.get("targetServiceRevisionArn", "").rpartition("/")[2] == self._deployment_id.rpartition("/")[2]
                ),
                None,
            )
        except AwsFailure as failure:
            self._notes[failure.operation] = str(failure)
            return None
