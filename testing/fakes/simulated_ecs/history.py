"""Service deployments and service revisions: what ECS keeps about a rollout when its deployment is
long gone.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALL = 100.0
ONGOING = frozenset(
    {"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"}
)


@dataclass(eq=False)
class Revision:
    """One service revision: a task definition with the digests that its images stood for."""

    arn: str
    service_arn: str
    cluster_arn: str
    task_definition: dict[str, Any]
    digests: Mapping[str, str]
    """Digest by image reference, resolved once."""
    created_at: float
    launch_type: str

    def to_wire(self) -> dict[str, Any]:
        """As DescribeServiceRevisions answers."""
        return {
            "serviceRevisionArn": self.arn,
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            "taskDefinition": self.task_definition["taskDefinitionArn"],
            "launchType": self.launch_type,
            "containerImages": [
                {
                    "containerName": c["name"],
                    "imageDigest": self.digests[c["image"]],
                    "image": c["image"],
                }
                for c in self.task_definition["containerDefinitions"]
            ],
            "guardDutyEnabled": False,
            "createdAt": self.created_at,
        }


PAUSE = "PAUSE"


@dataclass(frozen=True, eq=False)
class Step:
    """One stage of a service deployment, or one step of its traffic shift."""

    stage: str
    seconds: float
    """How long it takes after its hooks."""
    production: float = 0.0
    test: float = 0.0
    """Percent of the traffic that the new revision gets."""


@dataclass(eq=False)
class Hook:
    """A lifecycle hook that was started for a stage or step."""

    id: str
    target_type: str
    target_arn: str
    status: str
    expires_at: float
    timeout_action: str

    @property
    def is_open(self) -> bool:
        """Whether it has no result yet."""
        return self.status in ("AWAITING_ACTION", "IN_PROGRESS")

    def to_wire(self) -> dict[str, Any]:
        """As DescribeServiceDeployments answers."""
        return {
            "hookId": self.id,
            "targetType": self.target_type,
            **({"targetArn": self.target_arn} if self.target_arn else {}),
            "status": self.status,
            "expiresAt": self.expires_at,
            "timeoutAction": self.timeout_action,
        }


@dataclass(eq=False)
class ServiceDeployment:
    """One service deployment. A rollback is a part of it, not another one."""

    arn: str
    service_arn: str
    cluster_arn: str
    source: Revision | None
    target: Revision
    created_at: float
    breaker: Mapping[str, Any]
    configuration: Mapping[str, Any]
    threshold: int
    status: str = "PENDING"
    reason: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    updated_at: float = 0
    rollback: dict[str, Any] | None = None
    failures: int = 0
    stage: str = ""
    """The lifecycle stage."""
    steps: list[Step] = field(default_factory=list)
    position: int = 0
    """The current one of its steps."""
    hooks: list[Hook] = field(default_factory=list)
    """All that were started, the earliest first."""
    ignores_alarms: bool = False
    """Whether an alarm was in the state ALARM at its start: ECS then ignores all of them."""
    triggered: list[str] = field(default_factory=list)
    """The alarms that were triggered."""
    shown: dict[str, Any] = field(default_factory=dict)
    """What DescribeServiceDeployments answers instead of what is so."""

    @property
    def is_rolling(self) -> bool:
        """Whether its strategy is the rolling update."""
        return self.configuration.get("strategy", "ROLLING") == "ROLLING"

    @property
    def has_open_hooks(self) -> bool:
        """Whether a hook has no result yet."""
        return any(hook.is_open for hook in self.hooks)

    @property
    def awaited(self) -> Hook | None:
        """The PAUSE hook that somebody has to answer."""
        return next((hook for hook in self.hooks if hook.status == "AWAITING_ACTION"), None)

    @property
    def is_ongoing(self) -> bool:
        """Whether it may still come into another state."""
        return self.status in ONGOING

    def turn(self, status: str, now: float, reason: str = "") -> None:
        """It comes into another state."""
        self.status, self.updated_at = status, now
        self.reason = reason or self.reason
        if status == "IN_PROGRESS":
            self.started_at = now
        elif status == "STOPPED":
            self.stopped_at = self.finished_at = now
        elif not self.is_ongoing:
            self.finished_at = now

    def brief(self) -> dict[str, Any]:
        """As ListServiceDeployments answers."""
        return {
            "serviceDeploymentArn": self.arn,
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            "targetServiceRevisionArn": self.target.arn,
            "status": self.status,
            **self._optional(),
            **{name: self.shown[name] for name in ("status", "statusReason") if name in self.shown},
        }

    def to_wire(self, tasks: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
        """As DescribeServiceDeployments answers; ``tasks`` has the counts of tasks by the ARN of
        their revision.
        """
        sources = [self.source] if self.source and self.source is not self.target else []
        return {
            "serviceDeploymentArn": self.arn,
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            "updatedAt": self.updated_at or self.created_at,
            "sourceServiceRevisions": [
                {
                    "arn": source.arn,
                    **tasks.get(source.arn, {}),
                    **self._weights(ALL - self._step.production, 0.0),
                }
                for source in sources
            ],
            "targetServiceRevision": {
                "arn": self.target.arn,
                **tasks.get(self.target.arn, {}),
                **self._weights(self._step.production, self._step.test),
            },
            "status": self.status,
            "deploymentConfiguration": dict(self.configuration),
            "deploymentCircuitBreaker": {
                "status": self._breaker_status(),
                "failureCount": self.failures,
                "threshold": self.threshold,
            },
            **self._alarms(),
            **({"lifecycleStage": self.stage} if self.stage else {}),
            **(
                {"lifecycleHookDetails": [hook.to_wire() for hook in self.hooks]}
                if self.hooks
                else {}
            ),
            **({"rollback": self.rollback} if self.rollback else {}),
            **({"stoppedAt": self.stopped_at} if self.stopped_at else {}),
            **self._optional(),
            **self.shown,
        }

    def enters(self, step: Step, now: float) -> None:
        """It comes into another lifecycle stage, or takes the next step of its traffic shift."""
        self.stage, self.updated_at = step.stage, now

    @property
    def _step(self) -> Step:
        """The step that decides the traffic: none of it after a rollback has begun."""
        if self.status.startswith("ROLLBACK") or not self.steps:
            return Step(self.stage, 0)
        return self.steps[self.position]

    def _weights(self, production: float, test: float) -> dict[str, float]:
        """Rolling updates have none."""
        if self.is_rolling:
            return {}
        return {"requestedProductionTrafficWeight": production, "requestedTestTrafficWeight": test}

    def _alarms(self) -> dict[str, Any]:
        alarms = self.configuration.get("alarms") or {}
        if not alarms.get("enable"):
            return {}
        status = (
            "TRIGGERED"
            if self.triggered
            else "DISABLED"
            if self.ignores_alarms
            else "MONITORING"
            if self.is_ongoing
            else "MONITORING_COMPLETE"
        )
        return {
            "alarms": {
                "status": status,
                "alarmNames": alarms["alarmNames"],
                "triggeredAlarmNames": self.triggered,
            }
        }

    def _breaker_status(self) -> str:
        if not self.breaker.get("enable"):
            return "DISABLED"
        if self.failures >= self.threshold:
            return "TRIGGERED"
        return "MONITORING" if self.is_ongoing else "MONITORING_COMPLETE"

    def _optional(self) -> dict[str, Any]:
        found = {
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "statusReason": self.reason,
        }
        return {name: value for name, value in found.items() if value}
