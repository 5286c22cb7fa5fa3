"""ECS's service deployment: status, lifecycle stage, traffic, hooks, alarms, rollback. Pure.

It decides the verdict for every strategy beside the rolling update.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..model.hook import AWAITED, hook_details_of
from ..model.strategy import BAKE_TIME, TRAFFIC_SHIFT

_FAILED_ROLLBACK = "ROLLBACK_FAILED"
_ALL = 100
_STEPS = {
    "LINEAR": ("linearConfiguration", "stepBakeTimeInMinutes"),
    "CANARY": ("canaryConfiguration", "canaryBakeTimeInMinutes"),
}
"""Members of the deployment configuration with the minutes of a step, by strategy."""


@dataclass(frozen=True)
class Hook:
    """A lifecycle hook without a result."""

    id: str
    is_pause: bool
    """Whether it awaits ContinueServiceDeployment. Otherwise a function runs."""
    target: str = ""
    """ARN of the function."""
    expires_at: datetime | None = None
    timeout_action: str = ""
    """CONTINUE or ROLLBACK: what ECS does at `expires_at`."""

    def shown(self) -> dict[str, Any]:
        """Returns the hook as in a response."""
        return {
            "id": self.id,
            "awaits": "approval" if self.is_pause else "function",
            **({"target": self.target} if self.target else {}),
            "until": iso_minutes(self.expires_at),
            "then": self.timeout_action or None,
        }


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
    strategy: str = ""
    hook: Hook | None = None
    """The hook that it waits for."""
    production: float | None = None
    test: float | None = None
    """Percent of the traffic that the new revision gets. None: ECS does not report it."""
    is_timed: bool = False
    """Whether the stage is a bake time, or the wait after a step of the traffic shift."""
    wait_minutes: int | None = None
    """Duration of such a stage. None: ECS does not report it."""
    stage_since: datetime | None = None
    """Begin of the stage or step, as far as it is known."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "ServiceDeployment":
        """Returns the service deployment of an item in DescribeServiceDeployments."""
        breaker = (answer.get("deploymentCircuitBreaker") or {}).get("status")
        target = answer.get("targetServiceRevision") or {}
        hooks = answer.get("lifecycleHookDetails") or ()
        is_timed = _is_timed(answer, target)
        return cls(
            status=answer.get("status", ""),
            reason=answer.get("statusReason") or "",
            stage=answer.get("lifecycleStage") or "",
            rollback_reason=(answer.get("rollback") or {}).get("reason") or "",
            alarms=tuple((answer.get("alarms") or {}).get("triggeredAlarmNames") or ()),
            hooks=tuple(
                hook.get("targetArn") or hook.get("hookId") or "?"
                for hook in hooks
                if _has_failed(hook)
            ),
            updated_at=answer.get("updatedAt"),
            has_circuit_breaker=breaker != "DISABLED" if breaker else None,
            strategy=(answer.get("deploymentConfiguration") or {}).get("strategy") or "",
            hook=_open_hook(answer),
            production=target.get("requestedProductionTrafficWeight"),
            test=target.get("requestedTestTrafficWeight"),
            is_timed=is_timed,
            wait_minutes=_wait_minutes(answer) if is_timed else None,
        )

    @property
    def has_succeeded(self) -> bool:
        """Whether the service runs a good deployment: this one, or the one of the rollback."""
        return self.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL")

    @property
    def goes_on(self) -> bool:
        """Whether ECS neither has ended it nor is rolling it back."""
        return self.status in ("PENDING", "IN_PROGRESS")

    @property
    def is_rolling_back(self) -> bool:
        """Whether ECS is rolling the service back."""
        return self.status in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")

    @property
    def is_rolled_back(self) -> bool:
        """Whether ECS has rolled the service back."""
        return self.status == "ROLLBACK_SUCCESSFUL"

    @property
    def is_waiting(self) -> bool:
        """Whether ECS waits for a time or a hook, so that nothing changes."""
        return self.status == "IN_PROGRESS" and (self.hook is not None or self.is_timed)

    @property
    def waits_until(self) -> datetime | None:
        """The end of the wait, as far as it is known."""
        if not self.is_waiting:
            return None
        if self.hook:
            return self.hook.expires_at
        if self.stage_since is None or self.wait_minutes is None:
            return None
        return self.stage_since + timedelta(minutes=self.wait_minutes)

    @property
    def step(self) -> tuple[str, float | None]:
        """The stage with its traffic: linear and canary deployments repeat stages."""
        return self.stage, self.production

    @property
    def wait(self) -> str:
        """Returns what ECS waits for, in words. Empty: for tasks, or nothing."""
        if not self.is_waiting:
            return ""
        moment = iso_minutes(self.waits_until)
        until = f" until {moment}" if moment else ""
        if self.hook is None:
            what = "bake time" if self.stage == BAKE_TIME else "waits before the next step"
            return f"{what}{until}"
        then = f", then {self.hook.timeout_action}" if self.hook.timeout_action else ""
        what = "approval of hook" if self.hook.is_pause else "lifecycle hook"
        return f"waits for {what} {self.hook.target or self.hook.id}{until}{then}"

    def shown(self) -> dict[str, Any]:
        """Returns strategy, stage, traffic and hook as in a response.

        With the status only while ECS stops it or rolls it back, which the stage does not show.
        """
        is_stopped = self.is_rolling_back or self.status == "STOP_REQUESTED"
        traffic = {"production": self.production, "test": self.test}
        weights = {name: weight for name, weight in traffic.items() if weight is not None}
        fields = {
            "strategy": self.strategy,
            "status": self.status if is_stopped else None,
            "stage": self.stage,
            "stageSince": iso_minutes(self.stage_since, "seconds"),
            "stageUntil": iso_minutes(self.waits_until) if self.hook is None else None,
            "traffic": weights,
            "hook": self.hook.shown() if self.hook and self.is_waiting else None,
        }
        return {name: value for name, value in fields.items() if value}

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


def iso_minutes(moment: datetime | None, precision: str = "minutes") -> str | None:
    """Returns a moment as ISO 8601 in UTC, such as `2026-11-20T14:05Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _has_failed(hook: Mapping[str, Any]) -> bool:
    """Returns whether a hook ended the deployment. After a time-out, ECS may have continued."""
    is_over = hook.get("status") == "TIMED_OUT" and hook.get("timeoutAction") != "CONTINUE"
    return is_over or hook.get("status") == "FAILED"


def _open_hook(answer: Mapping[str, Any]) -> Hook | None:
    """Returns the hook without a result, an awaited one first."""
    for hook in hook_details_of(answer):
        if hook.get("status") not in (AWAITED, "IN_PROGRESS"):
            continue
        return Hook(
            id=hook.get("hookId") or "",
            is_pause=hook.get("status") == AWAITED,
            target=hook.get("targetArn") or "",
            expires_at=hook.get("expiresAt"),
            timeout_action=hook.get("timeoutAction") or "",
        )
    return None


def _is_timed(answer: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    """Returns whether the stage is a bake time, or the wait after a step of the traffic shift."""
    stage = answer.get("lifecycleStage")
    strategy = (answer.get("deploymentConfiguration") or {}).get("strategy")
    is_step = target.get("requestedProductionTrafficWeight") != _ALL and strategy in _STEPS
    return stage == BAKE_TIME or (stage == TRAFFIC_SHIFT and is_step)


def _wait_minutes(answer: Mapping[str, Any]) -> int | None:
    """Returns the minutes of such a stage."""
    configuration = answer.get("deploymentConfiguration") or {}
    minutes: int | None = configuration.get("bakeTimeInMinutes")
    if answer.get("lifecycleStage") != BAKE_TIME:
        member, name = _STEPS[configuration["strategy"]]
        minutes = (configuration.get(member) or {}).get(name)
    return minutes
