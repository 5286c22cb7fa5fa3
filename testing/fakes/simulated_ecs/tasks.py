"""One task: what it runs, its state, and its output of DescribeTasks.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from .images import Image

VISIBLE_SECONDS = 3600
"""How long a stopped task can be described."""


@dataclass
class Container:
    """One container of a task, with the image that it got."""

    name: str
    reference: str
    digest: str
    image: Image
    essential: bool = True
    is_of_ecs: bool = False
    """Whether the task definition does not have it."""
    exit_code: int | None = None
    reason: str = ""


@dataclass
class Task:
    """One task of a deployment."""

    arn: str
    cluster_arn: str
    service_name: str
    deployment_id: str
    task_definition: dict[str, Any]
    containers: list[Container]
    created_at: float
    launch_type: str
    desired_status: str = "RUNNING"
    last_status: str = "PROVISIONING"
    health: str = "UNKNOWN"
    pulled_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    version: int = 1
    tags: list[dict[str, str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def is_live(self) -> bool:
        """Whether it is to run."""
        return self.desired_status == "RUNNING"

    @property
    def is_running(self) -> bool:
        """Whether it is counted as running: it is RUNNING, wanted or not."""
        return self.last_status == "RUNNING"

    @property
    def is_good(self) -> bool:
        """Whether it is wanted, RUNNING, and HEALTHY where it has a health check."""
        return (
            self.is_live
            and self.is_running
            and (self.health == "HEALTHY" or not self.has_health_check)
        )

    @property
    def has_health_check(self) -> bool:
        """Whether one of its containers has a health check."""
        return any(container.image.has_health_check for container in self.containers)

    @property
    def never_ran(self) -> bool:
        """Whether ECS never saw it RUNNING."""
        return self.started_at is None

    def is_forgotten(self, now: float) -> bool:
        """Whether it stopped so long ago that DescribeTasks does not know it any more."""
        return self.stopped_at is not None and now - self.stopped_at > VISIBLE_SECONDS

    def wants_to_stop(self, now: float, code: str, reason: str) -> None:
        """ECS decided that it is to end."""
        self.desired_status, self.stopping_at = "STOPPED", now
        self.stop_code, self.stopped_reason = code, reason
        self.version += 1

    def to_wire(self) -> dict[str, Any]:
        """As DescribeTasks answers."""
        times = {
            "createdAt": self.created_at,
            "pullStartedAt": self.pulled_at,
            "pullStoppedAt": self.pulled_at,
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "executionStoppedAt": self.stopped_at,
            "stoppedAt": self.stopped_at,
        }
        return {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.task_definition["taskDefinitionArn"],
            "containers": [self._container(container) for container in self._in_no_fixed_order()],
            "desiredStatus": self.desired_status,
            "lastStatus": self.last_status,
            "healthStatus": self.health,
            "group": f"service:{self.service_name}"
            if self.service_name
            else f"family:{self.task_definition['family']}",
            "startedBy": self.deployment_id,
            "launchType": self.launch_type,
            "cpu": self.task_definition.get("cpu", "256"),
            "memory": self.task_definition.get("memory", "512"),
            "version": self.version,
            **(
                {"stopCode": self.stop_code, "stoppedReason": self.stopped_reason}
                if self.stop_code
                else {}
            ),
            **{name: time for name, time in times.items() if time is not None},
        }

    def _in_no_fixed_order(self) -> list[Container]:
        """The containers in another order for each task."""
        return sorted(
            self.containers, key=lambda container: crc32(f"{self.id}{container.name}".encode())
        )

    def _container(self, container: Container) -> dict[str, Any]:
        return {
            "containerArn": self.arn.replace(":task/", ":container/") + f"/{container.name}",
            "taskArn": self.arn,
            "name": container.name,
            "image": container.reference,
            "lastStatus": self.last_status
            if self.last_status in ("RUNNING", "STOPPED")
            else "PENDING",
            "healthStatus": self.health if container.image.has_health_check else "UNKNOWN",
            "networkInterfaces": [],
            "cpu": "0",
            **({"imageDigest": container.digest} if self.pulled_at is not None else {}),
            **({"exitCode": container.exit_code} if container.exit_code is not None else {}),
            **({"reason": container.reason} if container.reason else {}),
        }
