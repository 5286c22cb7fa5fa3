"""One service: its state, and its output of DescribeServices.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .deployments import Deployment
from .history import Revision, ServiceDeployment
from .images import Image
from .tasks import Task

MOST_EVENTS = 100
DEFAULT_CONFIGURATION = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
}


@dataclass(eq=False)
class Service:
    """One service with everything that ECS stores about it."""

    arn: str
    name: str
    cluster_arn: str
    desired: int
    created_at: float
    launch_type: str
    configuration: dict[str, Any] = field(default_factory=lambda: dict(DEFAULT_CONFIGURATION))
    tags: dict[str, str] = field(default_factory=dict)
    was_without_tags: bool = False
    """Whether an UntagResource ever left it without any tag."""
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    """The PRIMARY one first."""
    tasks: list[Task] = field(default_factory=list)
    """All that ever were."""
    completed: list[tuple[str, Revision]] = field(default_factory=list)
    """The deployments that completed: what a rollback goes back to."""
    history: list[ServiceDeployment] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    """The newest first."""
    others: dict[str, Any] = field(default_factory=dict)
    """Further fields, as the last UpdateService gave them."""
    image: Image | None = None
    """What its tasks do, whatever their images do elsewhere."""
    shown: dict[str, Any] = field(default_factory=dict)
    """Fields of DescribeServices that a test sets; None leaves a field out."""
    inactive_since: float | None = None
    failing_hooks: dict[str, str] = field(default_factory=dict)
    """The lifecycle hooks that fail, each by its stage."""
    hook_results: dict[str, Any] = field(default_factory=dict)
    """What the functions of AWS_LAMBDA hooks return, by stage: a HookResult."""
    alarms: set[str] = field(default_factory=set)
    """The alarms that are in the state ALARM."""
    shows_rollback_late: bool = False
    """Whether DescribeServices shows the failed deployment as PRIMARY until the rollback's end."""
    rollback_failure: str = ""
    """Why ECS cannot roll back."""
    added_containers: tuple[str, ...] = ()
    """Names of the containers that ECS adds to each task, such as Service Connect's."""
    is_express: bool = False
    """Whether ECS manages its resources: then DescribeServices names no task definition but those
    of the deployments.
    """

    @property
    def primary(self) -> Deployment:
        """The newest deployment."""
        return self.deployments[0]

    @property
    def olds(self) -> list[Deployment]:
        """The deployments that the newest one replaces, the newest of them first."""
        return self.deployments[1:]

    @property
    def live(self) -> list[Task]:
        """The tasks that ECS is to run."""
        return [task for task in self.tasks if task.is_live]

    @property
    def breaker(self) -> Mapping[str, Any]:
        """The settings of its circuit breaker."""
        return self.configuration.get("deploymentCircuitBreaker") or {}

    @property
    def most_tasks(self) -> int:
        """How many tasks may run or be about to, during a deployment."""
        return math.floor(self.desired * self.configuration.get("maximumPercent", 200) / 100)

    @property
    def fewest_tasks(self) -> int:
        """How many tasks must run, during a deployment."""
        return math.ceil(self.desired * self.configuration.get("minimumHealthyPercent", 100) / 100)

    @property
    def is_steady(self) -> bool:
        """Whether nothing is left to do: only the newest deployment has tasks, as many good ones
        as desired.
        """
        live = self.primary.live
        if any(task.last_status != "STOPPED" and task not in live for task in self.tasks):
            return False
        return len(live) == self.desired and all(task.is_good for task in live)

    def configure(self, configuration: Mapping[str, Any]) -> None:
        """Replaces the deployment configuration as a whole."""
        self.configuration = {**DEFAULT_CONFIGURATION, **configuration}

    def counts(self) -> dict[str, dict[str, int]]:
        """Requested, running and pending tasks, by the ARN of their revision."""
        names = {
            "requestedTaskCount": "desiredCount",
            "runningTaskCount": "runningCount",
            "pendingTaskCount": "pendingCount",
        }
        found: dict[str, dict[str, int]] = {}
        for deployment in reversed(self.deployments):
            wire = deployment.to_wire()
            counted = found.get(deployment.revision.arn, {})
            found[deployment.revision.arn] = {
                name: wire[source] + counted.get(name, 0) for name, source in names.items()
            }
        return found

    def to_wire(self, with_tags: bool, with_history: bool) -> dict[str, Any]:
        """As DescribeServices answers; ``with_history``: with the fields of service deployments."""
        counts = self.counts()
        deployments = [deployment.to_wire() for deployment in self.deployments]
        is_late = self.shows_rollback_late and self.history
        if is_late and self.history[-1].status == "ROLLBACK_IN_PROGRESS" and self.olds:
            back, failed, *others = deployments
            deployments = [failed | {"status": "PRIMARY"}, back | {"status": "ACTIVE"}, *others]
        wire = {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "desiredCount": self.desired,
            "runningCount": sum(deployment["runningCount"] for deployment in deployments),
            "pendingCount": sum(deployment["pendingCount"] for deployment in deployments),
            "launchType": self.launch_type,
            "taskDefinition": self.revisions[-1].task_definition["taskDefinitionArn"]
            if not deployments
            else self.primary.revision.task_definition["taskDefinitionArn"],
            "deploymentConfiguration": self.configuration,
            "deploymentController": {"type": "ECS"},
            "deployments": deployments,
            "events": list(self.events),
            "createdAt": self.created_at,
            "loadBalancers": [],
            "schedulingStrategy": "REPLICA",
            **self.others,
            **({"resourceManagementType": "ECS"} if self.is_express else {}),
            **(
                {"tags": [{"key": key, "value": value} for key, value in self.tags.items()]}
                if with_tags
                else {}
            ),
            **(self._history(counts) if with_history and self.history and deployments else {}),
            **self.shown,
        }
        return {
            name: value
            for name, value in wire.items()
            if value is not None and not (self.is_express and name == "taskDefinition")
        }

    def _history(self, counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
        return {
            "currentServiceDeployment": self.history[-1].arn,
            "currentServiceRevisions": [
                {"arn": arn, **of_revision} for arn, of_revision in reversed(counts.items())
            ],
        }
