"""What an observation proves, possibly nothing yet. Pure.

The verdict is always about the deployment that is followed. That the service is steady proves nothing: after the circuit breaker
rolled back it is steady too.
"""

import re
from dataclasses import dataclass

from .deaths import most_frequent
from .observation import Deployment, Observation

SUCCEEDED, ROLLED_BACK, FAILED = "SUCCEEDED", "ROLLED_BACK", "FAILED"
STOPPED, SUPERSEDED, TIMED_OUT = "STOPPED", "SUPERSEDED", "TIMED_OUT"

_TROUBLE = re.compile(r"unable|fail|unhealthy|error|cannot|could not", re.IGNORECASE)
"""What an event has to speak of to be a cause: most only say that tasks were started or stopped."""

_ROLLED_BACK = {"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"}
_STOPPED = {"STOP_REQUESTED", "STOPPED"}
_BLIND_TIMES = 2
"""How many times as many deaths have to be seen where a circuit breaker might still count them."""

_ASKED = "request to stop"
"""How ECS words that StopServiceDeployment was called, and not its circuit breaker at work."""


@dataclass(frozen=True)
class Finding:
    """A verdict, and why in one sentence without a full stop."""

    verdict: str
    reason: str


@dataclass(frozen=True)
class Followed:
    """How a rollout went, as far as it was followed."""

    finding: Finding
    seen: Observation | None
    """The last that was seen."""
    seconds: float
    """How long it was followed."""
    notes: tuple[str, ...] = ()
    """What could not be read, for the log."""
    service_deployment_arn: str | None = None
    """ECS's own record of the deployment, where it has one."""


def judge(seen: Observation, same_deaths: int) -> Finding | None:
    """The verdict that ``seen`` proves, or None while the rollout goes on.

    ``same_deaths`` is how many tasks have to die the same death for a failure where no circuit breaker decides that.
    """
    if seen.service_status != "ACTIVE":
        return Finding(STOPPED, f"the service is {seen.service_status}: it was deleted during the rollout")
    return _by_service_deployment(seen) or _by_state(seen) or _by_replacement(seen) or _by_deaths(seen, same_deaths)


def timed_out(seen: Observation | None, seconds: float, trouble: str | None = None) -> Finding:
    """The finding when the time is over: no failure, for the rollout goes on."""
    if seen is None or seen.ours is None:
        return Finding(TIMED_OUT, f"after {seconds:.0f} s nothing could be read of the rollout: {trouble or 'no answer'}")
    ours = seen.ours
    sentence = f"the rollout goes on: after {seconds:.0f} s {ours.running} of {ours.desired} tasks run {ours.revision}"
    last, _ = most_frequent(seen.deaths)
    hint = last.cause if last else next(iter(seen.events), "")
    return Finding(TIMED_OUT, f"{sentence}{_after(hint, '; the last that was heard: ')}")


def cause(seen: Observation) -> str:
    """Why the deployment failed: what its tasks died of, else what ECS says of it, else its last event."""
    death, times = most_frequent(seen.deaths)
    if death:
        return f"{death.cause}, {times} times" if times > 1 else death.cause
    said = seen.ours.reason if seen.ours else ""
    telling = (event for event in seen.events if _TROUBLE.search(event))
    return said.rstrip(". ") or next(telling, "").rstrip(". ") or "ECS gives no reason"


def _by_service_deployment(seen: Observation) -> Finding | None:  # pylint: disable=too-many-return-statements
    """ECS's own record is the best evidence there is."""
    record = seen.service_deployment
    if record is None:
        return None
    if record.status == "SUCCESSFUL":
        return _success(seen)
    if record.status in _STOPPED and "circuit breaker" in record.reason:
        return Finding(FAILED, cause(seen))
    if record.status in _STOPPED and seen.primary and (not seen.ours or seen.primary.id != seen.ours.id):
        return _superseded(seen.primary)
    if record.status in _STOPPED:
        return Finding(STOPPED, f"the deployment was stopped{_after(record.reason)}")
    if record.status == "ROLLBACK_FAILED":
        return Finding(FAILED, f"{cause(seen)}; and ECS could not roll back{_after(record.reason)}")
    if record.status in _ROLLED_BACK and _ASKED in record.reason:
        back = f"ECS returned the service{_returned_to(seen)}"
        return Finding(STOPPED, f"somebody stopped the deployment, and {back}{_after(record.reason)}")
    if record.status in _ROLLED_BACK:
        return _rolled_back(seen)
    return None


def _by_state(seen: Observation) -> Finding | None:
    ours = seen.ours
    if ours is None:
        return None
    if ours.rollout_state == "COMPLETED":
        return _success(seen)
    if ours.rollout_state == "FAILED":
        return _rolled_back(seen) if seen.rolls_back else Finding(FAILED, cause(seen))
    if ours.rollout_state is None and seen.service_deployment is None and _is_steady(seen, ours):
        return _success(seen)
    return None


def _by_replacement(seen: Observation) -> Finding | None:
    """Another deployment is the PRIMARY one: ECS's rollback, which it says of it, or somebody else's."""
    primary = seen.primary
    if primary is None or (seen.ours and primary.id == seen.ours.id):
        return None
    if seen.has_completed:
        return _success(seen)
    is_going_back = "rolling back" in f"{primary.reason} {seen.ours.reason if seen.ours else ''}".lower()
    if seen.rolls_back and (seen.has_failed or (is_going_back and not seen.another_has_failed)):
        return _rolled_back(seen)
    return _superseded(primary)


def _by_deaths(seen: Observation, same_deaths: int) -> Finding | None:
    _, times = most_frequent(seen.deaths)
    if seen.has_circuit_breaker:
        # It decides, and may roll back: to be quicker would be to be wrong. But it does not count tasks that ran for a while
        # before they died: that goes on for ever.
        is_blind = seen.ours is not None and not seen.ours.failed
        return Finding(FAILED, cause(seen)) if is_blind and times >= _BLIND_TIMES * same_deaths else None
    return Finding(FAILED, cause(seen)) if times >= same_deaths else None


def _success(seen: Observation) -> Finding:
    ours = seen.ours
    if ours is None or ours.status != "PRIMARY":
        return Finding(SUCCEEDED, "ECS says that the deployment was completed, before another one took its place")
    if not ours.desired:
        return Finding(SUCCEEDED, f"the service's desired count is 0: nothing runs, and the next task will run {ours.revision}")
    return Finding(SUCCEEDED, f"{ours.running} of {ours.desired} tasks run {ours.revision}")


def _superseded(primary: Deployment) -> Finding:
    return Finding(SUPERSEDED, f"deployment {primary.id} to {primary.revision} took its place")


def _rolled_back(seen: Observation) -> Finding:
    said = (one.reason for one in (seen.ours, seen.primary, seen.service_deployment) if one)
    who = "ECS's circuit breaker" if any("circuit breaker" in reason for reason in said) else "ECS"
    return Finding(ROLLED_BACK, f"{cause(seen)}; {who} returned the service{_returned_to(seen)}")


def _returned_to(seen: Observation) -> str:
    is_another = seen.primary and (not seen.ours or seen.primary.id != seen.ours.id)
    return f" to {seen.primary.revision}" if seen.primary and is_another else ""


def _is_steady(seen: Observation, ours: Deployment) -> bool:
    """Whether there is nothing but this deployment and all of its tasks, for where ECS gives no state."""
    return ours.status == "PRIMARY" and not seen.others and ours.running == ours.desired and not ours.pending and not ours.failed


def _after(text: str, separator: str = ": ") -> str:
    return f"{separator}{text.rstrip('. ')}" if text else ""
