"""What an observation proves, possibly nothing yet. Pure.

The verdict is always about the deployment that is followed. That the service is steady proves
nothing: after the circuit breaker rolled back it is steady too.
"""

import re
from dataclasses import dataclass

from ..model.verdict import Verdict
from .rollout_state import Deployment, RolloutState, ServiceDeployment
from .task_failures import most_frequent

_TROUBLE = re.compile(r"unable|fail|unhealthy|error|cannot|could not", re.IGNORECASE)
"""What an event has to speak of to be a cause: most only say that tasks were started or stopped."""

_STARTING = {"PENDING", "IN_PROGRESS"}
_FAILURE = re.compile(
    r"circuit breaker|alarm|hook|fail|invalid|timed? ?out|exceeded", re.IGNORECASE
)
"""What ECS says of a deployment that it stopped itself, and nobody else."""
_GENERAL = re.compile(
    r"circuit breaker|tasks failed to start|in progress|completed|rolling back to", re.IGNORECASE
)
"""What ECS says without the cause: that tasks failed, but not what of, or only how far it is."""
_HOW_FAR = re.compile(r"in progress|completed")
_ROLLBACK_BEGINS_WITHIN = 30.0
"""For how many seconds a failed deployment is waited for to be rolled back, where ECS has no record
that says so.
"""
_BLIND_TIMES = 2
"""How many times as many deaths have to be seen where a circuit breaker might still count them."""

LONGEST_SECONDS = 30 * 86_400
"""For how long a deployment lasts at most, as for ECS's own: a crash loop changes something without
end.
"""

_ASKED = "request to stop"
"""How ECS words that StopServiceDeployment was called, and not its circuit breaker at work."""


@dataclass(frozen=True)
class Judgement:
    """A verdict, and why in one sentence without a full stop."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class PollResult:
    """How a rollout went, as far as it was followed."""

    judgement: Judgement
    seen: RolloutState | None
    """The last that was seen."""
    seconds: float
    """How long it was followed."""
    notes: tuple[str, ...] = ()
    """What could not be read, for the log."""
    service_deployment_arn: str | None = None
    """ECS's own record of the deployment, where it has one."""


def judge(seen: RolloutState, same_failures: int) -> Judgement | None:
    """The verdict that ``seen`` proves, or None while the rollout, or ECS's rollback, goes on.

    ``same_deaths`` is how many tasks have to die the same death for a failure where no circuit
    breaker decides that.
    """
    if seen.service_status != "ACTIVE":
        return Judgement(
            Verdict.STOPPED,
            f"the service is {seen.service_status}: it was deleted during the rollout",
        )
    if seen.service_deployment:
        judgement = _by_service_deployment(seen, seen.service_deployment)
        may_die = seen.service_deployment.status in _STARTING
    else:
        judgement, may_die = _by_state(seen) or _by_replacement(seen), seen.rollback is None
    # Why, and what ECS does about it, is ECS's to say.
    has_failed = seen.ours is not None and seen.ours.rollout_state == "FAILED"
    return judgement or (_by_deaths(seen, same_failures) if may_die and not has_failed else None)


def timed_out(seen: RolloutState | None, seconds: float, trouble: str | None = None) -> Judgement:
    """The finding when the time is over: no failure, for the rollout goes on."""
    if seen and _is_rolling_back(seen):
        back = seen.rollback
        how_far = f" {back.running} of {back.desired} tasks run {back.revision};" if back else ""
        return Judgement(
            Verdict.TIMED_OUT, f"ECS is rolling back: after {seconds:.0f} s{how_far} {cause(seen)}"
        )
    if seen is None or seen.ours is None:
        return Judgement(
            Verdict.TIMED_OUT,
            f"after {seconds:.0f} s nothing could be read of the rollout: {trouble or 'no answer'}",
        )
    return Judgement(
        Verdict.TIMED_OUT,
        f"the rollout goes on: after {seconds:.0f} s {_progress(seen, seen.ours)}",
    )


def overdue(seen: RolloutState, why: str) -> Judgement:
    """The finding on a rollout, or a rollback of ECS, that is waited for no longer, with the reason
    that ``age`` gave.
    """
    back = f"; ECS is rolling back: {cause(seen)}" if _is_rolling_back(seen) else ""
    how_far = f": {_progress(seen, seen.ours)}" if seen.ours else ""
    return Judgement(Verdict.TIMED_OUT, f"{why}{back}{how_far}")


def age(since_change: float, since_begin: float, most_seconds: float) -> str | None:
    """Why an open update is waited for no longer, by the seconds since its last change and since
    its begin; None while it is.
    """
    if since_change > most_seconds:
        return (
            f"nothing of the rollout has changed for {since_change / 3600:.0f} hours "
            "(OPEN_UPDATE_MAX_HOURS)"
        )
    if since_begin > LONGEST_SECONDS:
        return f"the rollout has gone on for {since_begin / 86_400:.0f} days"
    return None


def _progress(seen: RolloutState, ours: Deployment) -> str:
    """How many tasks run, how far ECS is, and what was heard last."""
    last, _ = most_frequent(seen.task_failures)
    stage = seen.service_deployment.stage if seen.service_deployment else ""
    hint = last.cause if last else next(iter(seen.events), "")
    counts = f"{ours.running} of {ours.desired} tasks run {ours.revision}"
    return f"{counts}{_after(stage, ', stage ')}{_after(hint, '; the last that was heard: ')}"


def cause(seen: RolloutState) -> str:
    """Why the deployment failed: what ECS says, where that is more than that tasks failed; else why
    its tasks stopped; else an event that speaks of trouble; else what ECS says all the same.
    """
    record, ours = seen.service_deployment, seen.ours
    said = [record.cause if record else "", seen.failure, ours.reason if ours else ""]
    specific = next((text for text in said if text and not _GENERAL.search(text)), "")
    failure, times = most_frequent(seen.task_failures)
    if failure and not specific:
        return f"{failure.cause}, {times} times" if times > 1 else failure.cause
    telling = (
        event for event in seen.heard if _TROUBLE.search(event) and not _GENERAL.search(event)
    )
    general = (text for text in reversed(said) if text and not _HOW_FAR.search(text))
    return (specific or next(telling, "") or next(general, "no reason was reported")).rstrip(". ")


def _by_service_deployment(seen: RolloutState, record: ServiceDeployment) -> Judgement | None:  # pylint: disable=too-many-return-statements
    """ECS's own record is the best evidence there is."""
    if record.has_succeeded and (seen.is_rollback or record.status == "SUCCESSFUL"):
        return _success(seen)
    if record.status == "ROLLBACK_FAILED":
        return Judgement(
            Verdict.FAILED, f"{cause(seen)}; and ECS could not roll back{_after(record.reason)}"
        )
    if record.status == "ROLLBACK_SUCCESSFUL" and _ASKED in record.reason:
        back = f"ECS returned the service{_returned_to(seen)}"
        return Judgement(
            Verdict.STOPPED, f"somebody stopped the deployment, and {back}{_after(record.reason)}"
        )
    if record.status == "ROLLBACK_SUCCESSFUL":
        return _rolled_back(seen)
    if record.status == "STOPPED" and (
        _FAILURE.search(record.reason) or record.alarms or record.hooks
    ):
        return Judgement(Verdict.FAILED, cause(seen))
    # A deployment with a record of its own takes the place of this one, and of its rollback.
    if (
        seen.primary
        and seen.is_replaced
        and (seen.is_current is False or record.status == "STOPPED")
    ):
        return _superseded(seen.primary)
    return (
        Judgement(Verdict.STOPPED, f"the deployment was stopped{_after(record.reason)}")
        if record.status == "STOPPED"
        else None
    )


def _by_state(seen: RolloutState) -> Judgement | None:
    """What the deployment itself says, where ECS has no record of its own."""
    ours = seen.ours
    if ours is None or seen.is_replaced:
        return None
    if ours.is_complete and seen.is_rolling:
        return _success(seen)
    if ours.rollout_state == "FAILED":
        stays = seen.has_circuit_breaker and not seen.rolls_back
        return (
            Judgement(Verdict.FAILED, cause(seen))
            if stays or seen.failed_seconds >= _ROLLBACK_BEGINS_WITHIN
            else None
        )
    if (ours.rollout_state is None or not seen.is_rolling) and not seen.others and ours.is_steady:
        return _success(seen)
    return None


def _by_replacement(seen: RolloutState) -> Judgement | None:
    """Another deployment is the PRIMARY one: ECS's rollback, which it says of it, or somebody
    else's.
    """
    primary = seen.primary
    if primary is None or not seen.is_replaced:
        return None
    if seen.has_completed or (seen.ours and seen.ours.is_complete):
        return _success(seen)
    if seen.rollback is None:
        return _superseded(primary)
    if primary.rollout_state == "FAILED":
        return Judgement(
            Verdict.FAILED, f"{cause(seen)}; and ECS could not roll back{_after(primary.reason)}"
        )
    if primary.is_complete or (primary.rollout_state is None and primary.is_steady):
        return _rolled_back(seen)
    return None


def _by_deaths(seen: RolloutState, same_failures: int) -> Judgement | None:
    _, times = most_frequent(seen.task_failures)
    if seen.has_circuit_breaker:
        # It decides, and may roll back: to be quicker would be to be wrong. But it does not count
        # tasks that ran for a while before they died: that goes on for ever.
        is_blind = seen.ours is not None and not seen.ours.failed
        return (
            Judgement(Verdict.FAILED, cause(seen))
            if is_blind and times >= _BLIND_TIMES * same_failures
            else None
        )
    return Judgement(Verdict.FAILED, cause(seen)) if times >= same_failures else None


def _success(seen: RolloutState) -> Judgement:
    ours = seen.ours
    if ours is None or ours.status != "PRIMARY":
        return Judgement(
            Verdict.SUCCEEDED,
            "ECS says that the deployment was completed, before another one took its place",
        )
    if not ours.desired:
        return Judgement(
            Verdict.SUCCEEDED,
            "the service's desired count is 0: nothing runs, and the next "
            f"task will run {ours.revision}",
        )
    return Judgement(
        Verdict.SUCCEEDED, f"{ours.running} of {ours.desired} tasks run {ours.revision}"
    )


def _superseded(primary: Deployment) -> Judgement:
    return Judgement(
        Verdict.SUPERSEDED, f"deployment {primary.id} to {primary.revision} took its place"
    )


def _is_rolling_back(seen: RolloutState) -> bool:
    record = seen.service_deployment
    return not seen.is_rollback and (
        record.is_rolling_back if record else seen.rollback is not None
    )


def _rolled_back(seen: RolloutState) -> Judgement:
    record = seen.service_deployment
    by_breaker = (
        "circuit breaker" in f"{record.reason} {record.rollback_reason}"
        if record
        else seen.has_circuit_breaker
    )
    who = "ECS's circuit breaker" if by_breaker else "ECS"
    return Judgement(
        Verdict.ROLLED_BACK, f"{cause(seen)}; {who} returned the service{_returned_to(seen)}"
    )


def _returned_to(seen: RolloutState) -> str:
    return f" to {seen.rollback.revision}" if seen.rollback else ""


def _after(text: str, separator: str = ": ") -> str:
    return f"{separator}{text.rstrip('. ')}" if text else ""
