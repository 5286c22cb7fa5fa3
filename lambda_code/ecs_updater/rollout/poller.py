"""Looks at a deployment until there is a verdict, or no time left.

One DescribeServices per look. Tasks are asked about when something changed, and a few times when
nothing did; ECS's record of the deployment when another one took its place: so a rollout of three
minutes costs at most 40 calls, and one of seconds at most 8.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from ..aws.errors import AwsFailure, Outcome
from ..context import Clock
from .judgement import Judgement, PollResult, age, judge, overdue, timed_out
from .rollout_state import RolloutState, ServiceDeployment, rollout_state_of
from .task_failures import Containers, TaskFailure, task_failures_of

_FIRST = 2.0
_SOON = 3.0
_SOON_FOR = 60.0
_GROWTH = 1.8
_SELDOM = 15.0
_JITTER = 0.1
"""Callers that begin together do not ask together for long."""


def pauses(random: Callable[[], float]) -> Iterator[float]:
    """Yields the seconds to wait before each look, without end.

    ``random`` gives numbers from 0 to 1.
    """
    pause, gone = _FIRST, 0.0
    while True:
        yield pause * (1 + _JITTER * (2 * random() - 1))
        gone += pause
        pause = _SOON if gone < _SOON_FOR else min(max(pause, _SOON) * _GROWTH, _SELDOM)


_TASK_LOOKS = 8
"""The most looks at tasks, in one rollout, that show no further death."""

_EVEN_SO = frozenset({1, 2, 3, 5})
"""The looks at which tasks are asked about although nothing shows a death, as long as the service
has had no event.

Not everything with ECS's API tells events of tasks, and counts those that failed where there is no
circuit breaker.
"""

_RECORD_LOOKS = 6
"""At every so many looks ECS's record is asked for also while the state of a rollback's own
deployment says that it goes on.
"""

_STALE_SECONDS = 15.0
"""For how long an answer of ECS may be older than the deployment."""

_LOOK_SECONDS = 1.0
"""What the last look may take: it ends before the deadline too."""


class EcsReads(Protocol):
    """What of ECS the follower asks. Every failure is an ``AwsFailure``."""

    def describe_service(
        self, cluster: str, service: str
    ) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The service, or None, and ECS's ``failures``."""

    def stopped_tasks(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """Tasks of the service that have stopped lately, as DescribeTasks gives them."""

    def service_deployment(self, arn: str) -> dict[str, Any] | None:
        """ECS's own record of a deployment, as DescribeServiceDeployments gives it, or None."""


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
    begun_at: float | None = None
    """A moment before it was made, after which nothing of another deployment's was heard; None:
    ``made_at``.
    """
    containers: Containers = field(default_factory=Containers)
    """Those of its revision, where they are known."""
    may_be_rollback: bool = False
    """Whether it may be the return after a deployment that failed, which ECS may record as that
    one's rollback.
    """


class Poller:
    """Follows one deployment of one service."""

    def __init__(self, ecs: EcsReads, rollout: Rollout, same_failures: int, clock: Clock):
        self._ecs = ecs
        self._rollout = rollout
        self._same_deaths = same_failures
        self._clock = clock
        self._begin = clock.now()
        self._notes: dict[str, str] = {}
        self._looks = self._task_looks = 0
        self._is_silent = True
        """Whether the service has had no event since the first look."""
        self._deployment: Mapping[str, Any] | None = None
        """The deployment as ECS told it last."""
        self._seen: RolloutState | None = None
        self._deaths: tuple[TaskFailure, ...] = ()
        self._record: str | None = rollout.service_deployment_arn
        """The ARN of ECS's own record of the deployment, once it is known."""
        self._told: ServiceDeployment | None = None
        """The record, as ECS returned it last."""
        self._has_failed = self._is_ending = False
        """Whether ECS has said that the deployment failed, and whether tasks have been asked about
        since.
        """
        self._failed_at: float | None = None
        self._made_at = clock.epoch() if rollout.made_at is None else rollout.made_at

    def follow(self, deadline: float) -> PollResult:
        """Looks until there is a verdict or ``deadline``, a moment of the clock, has come.

        Raises nothing of AWS.
        """
        seen: RolloutState | None = None
        trouble = None
        for pause in pauses(self._clock.random):
            left = deadline - self._clock.now() - _LOOK_SECONDS
            if left <= 0:
                break
            self._clock.sleep(min(pause, left))
            try:
                seen = self._look()
                trouble = None
            except AwsFailure as failure:
                # A throttle, or trouble that may pass: the next look will tell.
                trouble = str(failure)
                self._notes[failure.operation] = trouble
                if failure.outcome is Outcome.NOT_PERMITTED:
                    break
                continue
            if judgement := judge(seen, self._same_deaths):
                return self._followed(judgement, seen)
        return self._followed(timed_out(seen, self._clock.now() - self._begin, trouble), seen)

    def look(self, service: Mapping[str, Any] | None = None) -> PollResult | None:
        """Looks once, at ``service`` where DescribeServices has told it already; None while the
        rollout goes on.

        Raises AwsFailure.
        """
        seen = self._look(service, thoroughly=True)
        judgement = judge(seen, self._same_deaths)
        return self._followed(judgement, seen) if judgement else None

    def overdue(self, most_seconds: float) -> PollResult | None:
        """After a look without a verdict: the end of the wait, if nothing has changed for
        ``most_seconds``; else None.
        """
        if self._seen is None or (self._seen.ours is None and self._seen.rollback is None):
            return None
        now, begun_at = (
            self._clock.epoch(),
            self._made_at if self._rollout.begun_at is None else self._rollout.begun_at,
        )
        changed_at = (
            max(self._seen.changed_at.timestamp(), begun_at) if self._seen.changed_at else begun_at
        )
        why = age(now - changed_at, now - begun_at, most_seconds)
        return self._followed(overdue(self._seen, why), self._seen) if why else None

    def _followed(self, judgement: Judgement, seen: RolloutState | None) -> PollResult:
        notes = tuple(f"{operation}: {text}" for operation, text in self._notes.items())
        return PollResult(judgement, seen, self._clock.now() - self._begin, notes, self._record)

    def _look(
        self, service: Mapping[str, Any] | None = None, thoroughly: bool = False
    ) -> RolloutState:
        if service is None:
            service, _ = self._ecs.describe_service(self._rollout.cluster, self._rollout.service)
        seen = rollout_state_of(service, self._rollout.deployment_id, self._begun_at)
        self._looks += 1
        every = service.get("deployments", []) if service else []
        self._deployment = next(
            (one for one in every if one["id"] == self._rollout.deployment_id), self._deployment
        )
        if self._is_stale(seen):
            return seen.not_yet_there
        seen = self._with_record(seen, service or {})
        self._has_failed = self._has_failed or seen.has_failed
        seen = replace(seen, has_failed=self._has_failed, failed_seconds=self._failed_seconds(seen))
        seen = replace(seen, may_be_rollback=self._rollout.may_be_rollback)
        is_ending = seen.is_replaced or seen.has_failed
        if is_ending != self._is_ending or self._may_have_deaths(seen, thoroughly):
            self._look_at_tasks()
        self._is_ending = is_ending
        self._seen = replace(seen, task_failures=self._deaths)
        return self._seen

    @property
    def _begun_at(self) -> datetime:
        """When the deployment began, by ECS's clock as far as that is known."""
        told = self._deployment.get("createdAt") if self._deployment else None
        before = self._made_at if self._rollout.begun_at is None else self._rollout.begun_at
        return told or datetime.fromtimestamp(before - _STALE_SECONDS, UTC)

    def _with_record(self, seen: RolloutState, service: Mapping[str, Any]) -> RolloutState:
        """With ECS's own record of the deployment, where that has to decide.

        Raises AwsFailure while it cannot be read.
        """
        current = service.get("currentServiceDeployment")
        if not seen.is_replaced and current != self._rollout.previous_service_deployment_arn:
            self._record = current or self._record
        if not (self._record and seen.needs_service_deployment):
            return seen
        is_current = current == self._record if current else None
        seen = replace(seen, service_deployment=self._told, is_current=is_current)
        if seen.rollback_shows_its_state and self._looks % _RECORD_LOOKS:
            return seen
        try:
            record = self._ecs.service_deployment(self._record)
        except AwsFailure as failure:
            if failure.outcome not in (Outcome.NOT_PERMITTED, Outcome.REFUSED):
                raise
            self._notes[failure.operation] = str(failure)
            record = None  # Not every partition has records, nor does every emulator.
        self._told = ServiceDeployment.of(record) if record else None
        return replace(seen, service_deployment=self._told)

    def _failed_seconds(self, seen: RolloutState) -> float:
        """For how long ECS has called the deployment failed: since it said so, or since it was
        first seen.
        """
        if seen.ours is None or seen.ours.rollout_state != "FAILED":
            return 0
        now = self._clock.epoch()
        self._failed_at = now if self._failed_at is None else self._failed_at
        return now - min(
            self._failed_at,
            seen.ours.updated_at.timestamp() if seen.ours.updated_at else self._made_at,
        )

    def _may_have_deaths(self, seen: RolloutState, thoroughly: bool) -> bool:
        """Whether it is worth a call, or two, to ask what tasks of the deployment died of."""
        self._is_silent = self._is_silent and (
            self._seen is None or seen.events == self._seen.events
        )
        is_on_its_way = seen.ours is not None and not seen.ours.is_complete
        if self._is_silent and self._deaths:
            return is_on_its_way  # Nobody will tell of the next one either.
        if self._task_looks >= _TASK_LOOKS:
            return False
        is_time = thoroughly or (self._is_silent and self._looks in _EVEN_SO)
        return seen.shows_failure_since(self._seen) or (is_time and is_on_its_way)

    def _is_stale(self, seen: RolloutState) -> bool:
        """Whether ECS still tells the service as it was before the deployment, which may be so for
        some seconds.
        """
        return (
            seen.ours is None
            and self._seen is None
            and seen.primary is not None
            and seen.primary.id == self._rollout.previous_deployment_id
            and self._clock.epoch() - self._made_at < _STALE_SECONDS
        )

    def _look_at_tasks(self) -> None:
        """Looks for deaths of the deployment's tasks; what cannot be read is noted once, and leaves
        what is known as it is.
        """
        try:
            stopped = self._ecs.stopped_tasks(self._rollout.cluster, self._rollout.service)
            task_failures = task_failures_of(
                stopped, self._rollout.deployment_id, self._deployment, self._rollout.containers
            )
        except AwsFailure as failure:
            self._notes[failure.operation] = str(failure)
            is_for_good = failure.outcome in (Outcome.NOT_PERMITTED, Outcome.REFUSED)
            self._task_looks += _TASK_LOOKS if is_for_good else 1
            return
        self._task_looks += len(task_failures) <= len(self._deaths)
        self._deaths = task_failures or self._deaths
