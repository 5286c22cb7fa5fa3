"""The verdict that a rollout state proves, possibly none yet. Pure.

The verdict is about one deployment. A steady service proves nothing: it is also steady after a
rollback by the circuit breaker.
"""

import re
from dataclasses import dataclass

from ..model.strategy import has_reached
from ..model.verdict import Verdict
from .rollout_state import Deployment, RolloutState
from .service_deployment import ServiceDeployment
from .task_failures import most_frequent

_TROUBLE = re.compile(r"unable|fail|unhealthy|error|cannot|could not", re.IGNORECASE)
"""An event that can be a cause. Most events only report started and stopped tasks."""

_STARTING = {"PENDING", "IN_PROGRESS"}
_FAILURE = re.compile(
    r"circuit breaker|alarm|hook|fail|invalid|timed? ?out|exceeded", re.IGNORECASE
)
"""A status reason of a deployment that ECS itself stopped."""
_GENERAL = re.compile(
    r"circuit breaker|tasks failed to start|in progress|completed|rolling back to", re.IGNORECASE
)
"""A reason that only reports that tasks failed, or the progress, without the cause."""
_PROGRESS = re.compile(r"in progress|completed")
_ROLLBACK_BEGINS_WITHIN = 30.0
"""Seconds to wait for the rollback of a failed deployment that has no service deployment."""
_BLIND_TIMES = 2
"""Factor for the needed task failures while a circuit breaker may still count them."""

LONGEST_SECONDS = 30 * 86_400
"""Maximum duration of a deployment, the same as ECS's. A crash loop changes something forever."""

_STOP_REQUESTED = "request to stop"
"""Status reason after StopServiceDeployment, in contrast to the circuit breaker."""


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the reason in one sentence without a full stop."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class PollResult:
    """Outcome of polling a rollout: the latest state, and the duration of the polling."""

    judgement: Judgement
    state: RolloutState | None
    seconds: float
    notes: tuple[str, ...] = ()
    """Failed reads, for the log."""
    service_deployment_arn: str | None = None
    reached_stage: str | None = None
    """The lifecycle stage at which the wait has ended."""


@dataclass(frozen=True)
class Scale:
    """A change of the service's settings, judged by the tasks of its running deployment."""

    desired_count: int | None = None
    """The count that the update set. None: any count is right."""


def judge(state: RolloutState, same_failures: int) -> Judgement | None:
    """Returns the verdict of a rollout state. None: the rollout, or ECS's rollback, goes on.

    `same_failures`: identical task failures that prove a failure without a circuit breaker.
    """
    if state.service_status != "ACTIVE":
        return Judgement(
            Verdict.STOPPED,
            f"the service is {state.service_status}: it was deleted during the rollout",
        )
    if state.service_deployment:
        judgement = _by_service_deployment(state, state.service_deployment)
        is_starting = state.service_deployment.status in _STARTING
    else:
        judgement, is_starting = _by_state(state), state.rollback is None
    # After a failure, ECS reports the cause and decides about the rollback.
    if judgement or state.has_failed or not is_starting:
        return judgement
    return _by_task_failures(state, same_failures)


def judge_scale(state: RolloutState, same_failures: int, scale: Scale) -> Judgement | None:
    """Returns the verdict of changed settings on the running deployment. None: tasks are missing.

    `same_failures`: identical failures of tasks that were started since.
    """
    judgement, deployment = judge(state, same_failures), state.deployment
    has_succeeded = judgement is not None and judgement.verdict == Verdict.SUCCEEDED
    if state.service_status != "ACTIVE" or deployment is None or state.is_replaced:
        return _superseded(state.primary) if has_succeeded and state.primary else judgement
    if scale.desired_count not in (None, state.desired):
        return Judgement(
            Verdict.SUPERSEDED,
            f"the desired count was changed from {scale.desired_count} to {state.desired} since",
        )
    if judgement is None or judgement.verdict not in (Verdict.SUCCEEDED, Verdict.FAILED):
        return judgement
    if deployment.running == state.desired and not deployment.pending:
        return _success(state)
    _, times = most_frequent(state.task_failures)
    has_failed = not has_succeeded or times >= same_failures
    return Judgement(Verdict.FAILED, cause(state)) if has_failed else None


def timed_out(state: RolloutState | None, seconds: float, failure: str | None = None) -> Judgement:
    """Returns the judgement at the end of the wait, while the rollout goes on.

    `failure`: the latest failed read.
    """
    after = f"after {seconds:.0f} s"
    if state and _is_rolling_back(state):
        back = state.rollback
        progress = f" {back.running} of {back.desired} tasks run {back.revision};" if back else ""
        reason = f"ECS is rolling back: {after}{progress} {cause(state)}"
    elif state is None or state.deployment is None:
        reason = f"{after} nothing could be read of the rollout: {failure or 'no answer'}"
    else:
        reason = f"the rollout goes on: {after} {_progress(state, state.deployment)}"
    return Judgement(Verdict.TIMED_OUT, reason)


def stage_reached(state: RolloutState, wanted: str) -> Judgement | None:
    """Returns the judgement if the rollout goes on and has reached the stage `wanted`."""
    service_deployment = state.service_deployment
    if service_deployment is None or service_deployment.status != "IN_PROGRESS":
        return None
    if not has_reached(service_deployment.stage, wanted):
        return None
    progress = f": {_progress(state, state.deployment)}" if state.deployment else ""
    return Judgement(
        Verdict.IN_PROGRESS, f"stage {wanted} is reached, the rollout goes on{progress}"
    )


def overdue(state: RolloutState, why: str) -> Judgement:
    """Returns the judgement of a rollout that is too old. `why`: the reason from `age`."""
    back = f"; ECS is rolling back: {cause(state)}" if _is_rolling_back(state) else ""
    progress = f": {_progress(state, state.deployment)}" if state.deployment else ""
    return Judgement(Verdict.TIMED_OUT, f"{why}{back}{progress}")


def age(since_change: float, since_begin: float, most_seconds: float) -> str | None:
    """Returns why an open update is too old to wait for. None: it is not.

    The ages are seconds since its last change and since its begin.
    """
    if since_change > most_seconds:
        return (
            f"nothing of the rollout has changed for {since_change / 3600:.0f} hours "
            "(OPEN_UPDATE_MAX_HOURS)"
        )
    if since_begin > LONGEST_SECONDS:
        return f"the rollout has gone on for {since_begin / 86_400:.0f} days"
    return None


def _progress(state: RolloutState, deployment: Deployment) -> str:
    """Returns the running tasks, the lifecycle stage, and the latest failure or event."""
    last, _ = most_frequent(state.task_failures)
    service_deployment = state.service_deployment
    stage = wait = ""
    if service_deployment:
        stage, wait = service_deployment.stage, service_deployment.wait
    hint = last.cause if last else next(iter(state.events), "")
    return (
        f"{_counts(deployment)}{_after(stage, ', stage ')}{_after(wait)}"
        f"{_after(hint, '; latest report: ')}"
    )


def _counts(deployment: Deployment) -> str:
    return f"{deployment.running} of {deployment.desired} tasks run {deployment.revision}"


def cause(state: RolloutState) -> str:
    """Returns why the deployment failed.

    In this order: a specific reason of ECS, why its tasks stopped, an event that reports trouble,
    a general reason of ECS.
    """
    service_deployment, deployment = state.service_deployment, state.deployment
    reasons = [
        service_deployment.cause(state.failure) if service_deployment else "",
        state.failure,
        deployment.reason if deployment else "",
    ]
    specific = next((text for text in reasons if text and not _GENERAL.search(text)), "")
    failure, times = most_frequent(state.task_failures)
    if failure and not specific:
        return f"{failure.cause}, {times} times" if times > 1 else failure.cause
    troubles = (
        event for event in state.messages if _TROUBLE.search(event) and not _GENERAL.search(event)
    )
    general = (text for text in reversed(reasons) if text and not _PROGRESS.search(text))
    return (specific or next(troubles, "") or next(general, "no reason was reported")).rstrip(". ")


def _by_service_deployment(
    state: RolloutState, service_deployment: ServiceDeployment
) -> Judgement | None:
    """Judges by the service deployment, which is the best evidence."""
    status, reason = service_deployment.status, service_deployment.reason
    if state.is_stopped and service_deployment.has_succeeded:
        if service_deployment.is_rolled_back:
            return _success(state)
        sentence = "the deployment was completed before it could be stopped: roll back again"
        return Judgement(Verdict.FAILED, sentence)
    if service_deployment.has_succeeded and (state.is_rollback or status == "SUCCESSFUL"):
        return _success(state)
    if status == "ROLLBACK_FAILED":
        return _rollback_failed(state, reason)
    if status == "ROLLBACK_SUCCESSFUL":
        if _STOP_REQUESTED not in reason:
            return _rolled_back(state)
        back = f"ECS returned the service{_returned_to(state)}"
        return Judgement(
            Verdict.STOPPED, f"somebody stopped the deployment, and {back}{_after(reason)}"
        )
    is_stopped = status == "STOPPED"
    if is_stopped and (
        _FAILURE.search(reason) or service_deployment.alarms or service_deployment.hooks
    ):
        return Judgement(Verdict.FAILED, cause(state))
    # Only a deployment with its own service deployment replaces this one and its rollback.
    if state.primary and state.is_replaced and (state.is_current is False or is_stopped):
        return _superseded(state.primary)
    if is_stopped:
        return Judgement(Verdict.STOPPED, f"the deployment was stopped{_after(reason)}")
    return None


def _by_state(state: RolloutState) -> Judgement | None:
    """Judges by the deployment's own state, if ECS has no service deployment."""
    if state.is_replaced:
        return _by_replacement(state, state.primary) if state.primary else None
    deployment = state.deployment
    assert deployment is not None
    if deployment.is_complete and state.is_rolling:
        return _success(state)
    if state.has_failed:
        stays = state.has_circuit_breaker and not state.rolls_back
        is_final = stays or state.failed_seconds >= _ROLLBACK_BEGINS_WITHIN
        return Judgement(Verdict.FAILED, cause(state)) if is_final else None
    has_no_state = deployment.rollout_state is None or not state.is_rolling
    return _success(state) if has_no_state and not state.others and deployment.is_steady else None


def _by_replacement(state: RolloutState, primary: Deployment) -> Judgement | None:
    """Judges by the PRIMARY deployment, which is ECS's rollback or another update's."""
    if state.has_completed or (state.deployment and state.deployment.is_complete):
        return _success(state)
    if state.rollback is None:
        return _superseded(primary)
    if primary.rollout_state == "FAILED":
        return _rollback_failed(state, primary.reason)
    if primary.is_complete or (primary.rollout_state is None and primary.is_steady):
        return _rolled_back(state)
    return None


def _by_task_failures(state: RolloutState, same_failures: int) -> Judgement | None:
    _, times = most_frequent(state.task_failures)
    needed = same_failures
    if state.is_watched_by_circuit_breaker:
        # The circuit breaker decides and may roll back: a faster judgement would be wrong. But it
        # does not count tasks that ran for a while before they failed.
        if state.deployment is None or state.deployment.failed:
            return None
        needed *= _BLIND_TIMES
    return Judgement(Verdict.FAILED, cause(state)) if times >= needed else None


def _success(state: RolloutState) -> Judgement:
    deployment = state.primary if state.is_stopped else state.deployment
    if deployment is None or deployment.status != "PRIMARY":
        reason = "the deployment was completed before another one took its place"
    elif not deployment.desired:
        reason = (
            "the service's desired count is 0: nothing runs, and the next "
            f"task will run {deployment.revision}"
        )
    else:
        reason = _counts(deployment)
    return Judgement(Verdict.SUCCEEDED, reason)


def _superseded(primary: Deployment) -> Judgement:
    return Judgement(
        Verdict.SUPERSEDED, f"deployment {primary.id} to {primary.revision} took its place"
    )


def _is_rolling_back(state: RolloutState) -> bool:
    service_deployment = state.service_deployment
    return not state.is_rollback and (
        service_deployment.is_rolling_back if service_deployment else state.rollback is not None
    )


def _rolled_back(state: RolloutState) -> Judgement:
    service_deployment = state.service_deployment
    by_breaker = (
        "circuit breaker" in f"{service_deployment.reason} {service_deployment.rollback_reason}"
        if service_deployment
        else state.has_circuit_breaker
    )
    actor = "ECS's circuit breaker" if by_breaker else "ECS"
    return Judgement(
        Verdict.ROLLED_BACK, f"{cause(state)}; {actor} returned the service{_returned_to(state)}"
    )


def _rollback_failed(state: RolloutState, reason: str) -> Judgement:
    sentence = f"{cause(state)}; and ECS could not roll back{_after(reason)}"
    return Judgement(Verdict.ROLLBACK_FAILED, sentence)


def _returned_to(state: RolloutState) -> str:
    return f" to {state.rollback.revision}" if state.rollback else ""


def _after(text: str, separator: str = ": ") -> str:
    return f"{separator}{text.rstrip('. ')}" if text else ""
