"""Polls a deployment until there is a verdict or no time is left.

Each poll is one DescribeServices. Tasks are read after a change, and a few times without one. The
service deployment is read if another deployment is PRIMARY. A rollout of three minutes costs at
most 40 calls, one of seconds at most 8.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..aws.ecs import Ecs
from ..context import Clock
from ..errors import LASTING, AwsFailure, Outcome
from ..model.strategy import COMPLETE
from .judgement import (
    Judgement,
    PollResult,
    Scale,
    age,
    judge,
    judge_scale,
    overdue,
    stage_reached,
    timed_out,
)
from .rollout_state import SERVICE_DEPLOYMENT, RolloutState, rollout_state_of
from .service_deployment import ServiceDeployment
from .task_failures import Containers, TaskFailure, task_failures_of

_FIRST = 2.0
_SOON = 3.0
_SOON_FOR = 60.0
_GROWTH = 1.8
_STAGE = 10.0
_SELDOM = 15.0
_JITTER = 0.1
"""Separates callers that begin at the same time."""

_TASK_POLLS = 8
"""Maximum task polls of a rollout without a new failure."""

_UNPROMPTED_TASK_POLLS = frozenset({1, 2, 3, 5})
"""Polls that read the tasks although nothing shows a failure, as long as there is no event.

Some implementations of ECS's API have no events of tasks, and count no failed tasks without a
circuit breaker.
"""

_ROLLBACK_POLLS = 6
"""Polls per read of the service deployment while the state of its rollback is IN_PROGRESS."""

_STALE_SECONDS = 15.0
"""Seconds for which ECS may return the service as it was before the deployment."""

_POLL_SECONDS = 1.0
"""Duration of the last poll, which ends before the deadline."""


def pauses(random: Callable[[], float]) -> Iterator[float]:
    """Yields the seconds to wait before each poll. `random` returns numbers from 0 to 1."""
    pause, gone = _FIRST, 0.0
    while True:
        yield pause * (1 + _JITTER * (2 * random() - 1))
        gone += pause
        pause = _SOON if gone < _SOON_FOR else min(max(pause, _SOON) * _GROWTH, _SELDOM)


def _least_pause(state: RolloutState | None) -> float:
    """Returns the minimum seconds before the next poll.

    A deployment with another strategy than the rolling update takes minutes, and a poll of it two
    calls.
    """
    if state is None or state.service_deployment is None or state.is_rolling:
        return 0
    return _SELDOM if state.is_waiting else _STAGE


@dataclass(frozen=True)
class Rollout:
    """The deployment to poll."""

    cluster: str
    service: str
    """Names or ARNs."""
    deployment_id: str
    previous_deployment_id: str | None = None
    """The PRIMARY deployment before it, which ECS may still return at the first polls."""
    made_at: float | None = None
    """Time of the deployment in seconds since the epoch. None: now."""
    service_deployment_arn: str | None = None
    previous_service_deployment_arn: str | None = None
    """The service deployments of it and of the one before, if they are known."""
    begun_at: float | None = None
    """A time before the deployment, after which no events of others follow. None: `made_at`."""
    containers: Containers = field(default_factory=Containers)
    """The containers of its revision, if they are known."""
    may_be_rollback: bool = False
    """Whether ECS may have made it as the rollback of a failed deployment."""
    is_stopped: bool = False
    """Whether the caller has stopped the deployment, so that ECS's rollback is the success."""
    scale: Scale | None = None
    """The changed settings of the service. None: the update deployed."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """What an earlier process read, see `RolloutState.shown`: since when the stage goes on."""


class Poller:
    """Polls one deployment of one service."""

    def __init__(
        self,
        ecs: Ecs,
        rollout: Rollout,
        same_failures: int,
        clock: Clock,
        before_pause: Callable[[], None] = lambda: None,
    ):
        """`before_pause`: called before each pause of `wait`, such as to renew a lease."""
        self._ecs, self._rollout, self._clock = ecs, rollout, clock
        self._same_failures, self._before_pause = same_failures, before_pause
        self._begin = clock.now()
        self._notes: dict[str, str] = {}
        self._polls = self._task_polls = 0
        self._is_silent = True
        """Whether the service has had no event since the first poll."""
        self._deployment: Mapping[str, Any] | None = None
        """The deployment at the latest poll that returned it."""
        self._state: RolloutState | None = None
        self._task_failures: tuple[TaskFailure, ...] = ()
        self._service_deployment_arn: str | None = rollout.service_deployment_arn
        self._service_deployment: ServiceDeployment | None = None
        """The service deployment at its latest read."""
        self._has_failed = self._is_ending = False
        """Whether the deployment has failed, and whether the tasks have been read since."""
        self._failed_at: float | None = None
        self._made_at = clock.epoch() if rollout.made_at is None else rollout.made_at
        self._begun_at = self._made_at if rollout.begun_at is None else rollout.begun_at

    def wait(
        self,
        deadline: float,
        until: str = COMPLETE,
        after_read: Callable[[], None] = lambda: None,
    ) -> PollResult:
        """Polls until there is a verdict, or until `deadline`, a moment of the clock.

        `until`: a lifecycle stage that ends the wait, too. `after_read`: called after each poll
        without a verdict that has the service deployment. Raises no AwsFailure.
        """
        state: RolloutState | None = None
        trouble = None
        for pause in pauses(self._clock.random):
            left = deadline - self._clock.now() - _POLL_SECONDS
            if left <= 0:
                break
            self._before_pause()
            self._clock.sleep(min(max(pause, _least_pause(state)), left))
            try:
                state = self._read_state()
                trouble = None
            except AwsFailure as failure:
                # Throttled or transient: the next poll may succeed.
                trouble = str(failure)
                self._notes[failure.operation] = trouble
                if failure.outcome is Outcome.NOT_PERMITTED:
                    break
                continue
            if judgement := self._judge(state):
                return self._result(judgement, state)
            if until != COMPLETE and (judgement := stage_reached(state, until)):
                return replace(self._result(judgement, state), reached_stage=until)
            if state.service_deployment is not None:
                after_read()
        return self._result(timed_out(state, self._clock.now() - self._begin, trouble), state)

    def poll(
        self, service: Mapping[str, Any] | None = None, most_seconds: float = math.inf
    ) -> PollResult | None:
        """Polls once. Returns None while the rollout goes on. Raises AwsFailure.

        `service`: the service, if DescribeServices was called already. A rollout in which nothing
        has changed for `most_seconds` has the verdict TIMED_OUT.
        """
        state = self._read_state(service, is_thorough=True)
        judgement = self._judge(state) or self._overdue(state, most_seconds)
        return self._result(judgement, state) if judgement else None

    @property
    def shown(self) -> Mapping[str, Any]:
        """What a response shows of the latest state. Empty: nothing was read."""
        return self._state.shown() if self._state else {}

    def _judge(self, state: RolloutState) -> Judgement | None:
        scale = self._rollout.scale
        if scale is None:
            return judge(state, self._same_failures)
        # ECS may still return the service as it was before UpdateService.
        is_recent = self._clock.epoch() - self._made_at < _STALE_SECONDS
        if is_recent and scale.desired_count not in (None, state.desired):
            return None
        return judge_scale(state, self._same_failures, scale)

    def _overdue(self, state: RolloutState, most_seconds: float) -> Judgement | None:
        if state.deployment is None and state.rollback is None:
            return None
        now, changed_at = self._clock.epoch(), self._begun_at
        if state.is_waiting:
            changed_at = now  # The age does not grow while ECS itself waits.
        elif state.changed_at:
            changed_at = max(state.changed_at.timestamp(), changed_at)
        why = age(now - changed_at, now - self._begun_at, most_seconds)
        return overdue(state, why) if why else None

    def _result(self, judgement: Judgement, state: RolloutState | None) -> PollResult:
        notes = tuple(f"{operation}: {text}" for operation, text in self._notes.items())
        seconds = self._clock.now() - self._begin
        return PollResult(judgement, state, seconds, notes, self._service_deployment_arn)

    def _read_state(
        self, service: Mapping[str, Any] | None = None, is_thorough: bool = False
    ) -> RolloutState:
        if service is None:
            service, _ = self._ecs.describe_service(self._rollout.cluster, self._rollout.service)
        begun = self._deployment.get("createdAt") if self._deployment else None
        begun = begun or datetime.fromtimestamp(self._begun_at - _STALE_SECONDS, UTC)
        state = rollout_state_of(service, self._rollout.deployment_id, begun)
        self._polls += 1
        listed = service.get("deployments", []) if service else ()
        own = (item for item in listed if item["id"] == self._rollout.deployment_id)
        self._deployment = next(own, self._deployment)
        if self._is_stale(state):
            return replace(state, primary=None, others=())
        state = self._with_service_deployment(state, service or {})
        self._has_failed = self._has_failed or state.has_failed
        state = replace(
            state,
            has_failed=self._has_failed,
            failed_seconds=self._failed_seconds(state),
            may_be_rollback=self._rollout.may_be_rollback,
            is_stopped=self._rollout.is_stopped,
        )
        is_ending = state.is_replaced or state.has_failed
        if is_ending != self._is_ending or self._may_have_failures(state, is_thorough):
            self._read_task_failures()
        self._is_ending = is_ending
        self._state = replace(state, task_failures=self._task_failures)
        return self._state

    def _is_stale(self, state: RolloutState) -> bool:
        """Returns whether ECS still returns the service as it was before the deployment."""
        return (
            state.deployment is None
            and self._state is None
            and state.primary is not None
            and state.primary.id == self._rollout.previous_deployment_id
            and self._clock.epoch() - self._made_at < _STALE_SECONDS
        )

    def _with_service_deployment(
        self, state: RolloutState, service: Mapping[str, Any]
    ) -> RolloutState:
        """Returns the state with the service deployment, if that has to decide.

        Raises AwsFailure after a transient failure.
        """
        current = service.get("currentServiceDeployment")
        if not state.is_replaced and current != self._rollout.previous_service_deployment_arn:
            self._service_deployment_arn = current or self._service_deployment_arn
        arn = self._service_deployment_arn
        is_needed = state.needs_service_deployment or self._rollout.is_stopped
        if arn is None or not is_needed:
            return state
        is_current = current == arn if current else None
        state = replace(state, service_deployment=self._service_deployment, is_current=is_current)
        if state.rollback_is_in_progress and self._polls % _ROLLBACK_POLLS:
            return state
        answer = service.get(SERVICE_DEPLOYMENT)
        try:
            if answer is None or answer.get("serviceDeploymentArn") != arn:
                answer = self._ecs.service_deployment(arn)
        except AwsFailure as failure:
            if failure.outcome not in LASTING:
                raise
            # Not every partition and emulator has service deployments.
            answer = None
            self._notes[failure.operation] = str(failure)
        earlier = self._service_deployment
        self._service_deployment = self._dated(answer, earlier) if answer else None
        return replace(state, service_deployment=self._service_deployment)

    def _dated(
        self, answer: Mapping[str, Any], earlier: ServiceDeployment | None
    ) -> ServiceDeployment:
        """Returns the service deployment with the begin of its stage, which ECS does not report."""
        found = ServiceDeployment.of(answer)
        if earlier is not None:
            is_same = earlier.step == found.step
            since = earlier.stage_since if is_same else None
        else:
            since = _since_of(self._rollout.shown, found)
        read_at = datetime.fromtimestamp(self._clock.epoch(), UTC)
        return replace(found, stage_since=since or found.updated_at or read_at)

    def _failed_seconds(self, state: RolloutState) -> float:
        """Returns the seconds since ECS or a poll first showed that the deployment has failed."""
        if state.deployment is None or not self._has_failed:
            return 0
        now, updated_at = self._clock.epoch(), state.deployment.updated_at
        self._failed_at = now if self._failed_at is None else self._failed_at
        return now - min(self._failed_at, updated_at.timestamp() if updated_at else self._made_at)

    def _may_have_failures(self, state: RolloutState, is_thorough: bool) -> bool:
        """Returns whether to read the tasks, which costs one or two calls."""
        earlier = self._state
        self._is_silent = self._is_silent and (earlier is None or state.events == earlier.events)
        is_in_progress = state.deployment is not None and (
            not state.deployment.is_complete
            or (self._rollout.scale is not None and state.deployment.running < state.desired)
        )
        if self._is_silent and self._task_failures:
            return is_in_progress  # No event will report the next failure either.
        if self._task_polls >= _TASK_POLLS:
            return False
        is_due = is_thorough or (self._is_silent and self._polls in _UNPROMPTED_TASK_POLLS)
        return state.shows_failure_since(earlier) or (is_due and is_in_progress)

    def _read_task_failures(self) -> None:
        """Reads the failures of the deployment's tasks. Notes a failed read."""
        try:
            stopped = self._ecs.stopped_tasks(self._rollout.cluster, self._rollout.service)
        except AwsFailure as failure:
            self._notes[failure.operation] = str(failure)
            self._task_polls += _TASK_POLLS if failure.outcome in LASTING else 1
            return
        if self._rollout.scale:
            # The deployment may be old. Only the tasks that it started since count.
            begun = datetime.fromtimestamp(self._begun_at, UTC)
            stopped = [task for task in stopped if task.get("createdAt", begun) >= begun]
        task_failures = task_failures_of(
            stopped, self._rollout.deployment_id, self._deployment, self._rollout.containers
        )
        self._task_polls += len(task_failures) <= len(self._task_failures)
        self._task_failures = task_failures or self._task_failures


def _since_of(shown: Mapping[str, Any], found: ServiceDeployment) -> datetime | None:
    """Returns when the stage began, if an earlier process has read the same one."""
    step = shown.get("stage", ""), (shown.get("traffic") or {}).get("production")
    since = shown.get("stageSince")
    return datetime.fromisoformat(since) if since and step == found.step else None
