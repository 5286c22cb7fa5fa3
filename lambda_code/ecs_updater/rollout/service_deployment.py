"""ECS's service deployment: status, lifecycle stage, traffic, hooks, alarms, rollback. Pure.

It decides the verdict for every strategy beside the rolling update.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_FAILED_ROLLBACK = "ROLLBACK_FAILED"


@dataclass(frozen=True)
class ServiceDeployment:  # pylint: disable=too-many-instance-attributes
    """ECS's service deployment, with its triggered alarms, failed hooks, and rollback."""

    status: str
    reason: str = ""
    stage: str = ""
    """The lifecycle stage, for example BAKE_TIME."""
    rollback_reason: str = ""
    alarms: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    updated_at: datetime | None = None
    has_circuit_breaker: bool | None = None
    """Whether ECS's circuit breaker watches it. None: ECS does not report it."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "ServiceDeployment":
        """Returns the service deployment of an item in DescribeServiceDeployments."""
        breaker = (answer.get("deploymentCircuitBreaker") or {}).get("status")
        return cls(
            status=answer.get("status", ""),
            reason=answer.get("statusReason") or "",
            stage=answer.get("lifecycleStage") or "",
            rollback_reason=(answer.get("rollback") or {}).get("reason") or "",
            alarms=tuple((answer.get("alarms") or {}).get("triggeredAlarmNames") or ()),
            hooks=tuple(
                hook.get("targetArn") or hook.get("hookId") or "?"
                for hook in answer.get("lifecycleHookDetails") or ()
                if _has_failed(hook)
            ),
            updated_at=answer.get("updatedAt"),
            has_circuit_breaker=breaker != "DISABLED" if breaker else None,
        )

    @property
    def has_succeeded(self) -> bool:
        """Whether the service runs a good deployment: this one, or the one of the rollback."""
        return self.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL")

    @property
    def is_rolling_back(self) -> bool:
        """Whether ECS is rolling the service back."""
        return self.status in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")

    def cause(self, reported: str) -> str:
        """Why it failed, as far as ECS returns a reason. `reported`: the reason in its event."""
        # After a failed rollback, `reason` is the one of the rollback.
        own_reason = "" if self.status == _FAILED_ROLLBACK else self.reason
        reasons = (own_reason.rstrip(". "), self.rollback_reason.rstrip(". "))
        causes = [reason for reason in dict.fromkeys(reasons) if reason]
        if not causes and reported and (self.alarms or self.hooks):
            causes = [reported.rstrip(". ")]
        words = " ".join(causes).split()
        causes += [f"alarm {name} was triggered" for name in self.alarms]
        # ECS's reason can name a hook, but never an alarm.
        causes += [f"lifecycle hook {name} failed" for name in self.hooks if name not in words]
        return "; ".join(causes)


def _has_failed(hook: Mapping[str, Any]) -> bool:
    """Returns whether a hook ended the deployment. After a time-out, ECS may have continued."""
    is_over = hook.get("status") == "TIMED_OUT" and hook.get("timeoutAction") != "CONTINUE"
    return is_over or hook.get("status") == "FAILED"
