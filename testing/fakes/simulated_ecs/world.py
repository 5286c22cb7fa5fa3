"""The clusters of an account, their services, task definitions and images."""

import copy
from collections.abc import Mapping
from typing import Any

from fakes.wire import ACCOUNT, PREFIX, Refusal

from .clock import Clock
from .history import Revision
from .ids import Ids
from .images import Registry
from .runner import Timing
from .scheduler import Quirks, Scheduler
from .service import Service
from .standalone import StandaloneTasks

INACTIVE_SECONDS = 3600
"""How long a deleted service can still be described."""

ADDED_BY_ECS = frozenset(
    {
        "compatibilities",
        "deregisteredAt",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
        "taskDefinitionArn",
    }
)
"""The fields of a task definition that nobody registers."""


class World:
    """The clusters of one account: each that has a service."""

    def __init__(
        self,
        clock: Clock,
        registry: Registry,
        timing: Timing,
        seed: int,
        cluster: str,
        quirks: Quirks,
        prefix: str = PREFIX,
    ):
        """``prefix``: the beginning of its ARNs."""
        self.clock, self.registry, self._cluster = clock, registry, cluster
        self._prefix = prefix
        self.task_definitions: list[dict[str, Any]] = []
        self.revision_tags: dict[str, list[dict[str, str]]] = {}
        self.schedulers: dict[str, Scheduler] = {}
        self.clusters: dict[str, str] = {}
        """The name of each cluster by its ARN."""
        self.standalone = StandaloneTasks(clock)
        self._timing, self._ids, self._quirks = timing, Ids(seed), quirks

    def register(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """RegisterTaskDefinition, keeping what it is given."""
        body = copy.deepcopy(dict(body))
        tags = body.pop("tags", [])
        number = sum(known["family"] == body["family"] for known in self.task_definitions) + 1
        arn = f"{self._prefix}task-definition/{body['family']}:{number}"
        self.revision_tags[arn] = tags
        self.task_definitions.append(
            body
            | {
                "taskDefinitionArn": arn,
                "revision": number,
                "status": "ACTIVE",
                "registeredAt": self.clock.now(),
                "registeredBy": f"arn:aws:iam::{ACCOUNT}:user/somebody",
                "compatibilities": ["EC2", "FARGATE"],
                "requiresAttributes": [{"name": "ecs.capability.docker-remote-api.1.18"}],
            }
        )
        return self.task_definitions[-1]

    def deregister(self, name: str) -> dict[str, Any]:
        """DeregisterTaskDefinition: no service can be given that revision any more."""
        found = self.task_definition(name)
        found |= {"status": "INACTIVE", "deregisteredAt": self.clock.now()}
        return found

    def delete(self, name: str, is_done: bool) -> None:
        """DeleteTaskDefinitions: an inactive revision can be described until the deletion
        ``is_done``.
        """
        self.task_definition(name)["status"] = "DELETED" if is_done else "DELETE_IN_PROGRESS"

    def task_definition(
        self, name: str, refusal: str = "Unable to describe task definition."
    ) -> dict[str, Any]:
        """A revision by its ARN or ``family:revision``, or the newest active one of a family.

        Raises Refusal.
        """
        for found in reversed(self.task_definitions):
            newest = name == found["family"] and found["status"] == "ACTIVE"
            if found["status"] == "DELETED":
                continue
            if newest or name in (
                found["taskDefinitionArn"],
                f"{found['family']}:{found['revision']}",
            ):
                return found
        raise Refusal("ClientException", refusal)

    def new_revision(self, service: Service, task_definition: dict[str, Any]) -> Revision:
        """A service revision: now, the tags of its images stand for digests."""
        return Revision(
            arn=f"{service.arn.replace(':service/', ':service-revision/')}/{self._ids.revision()}",
            service_arn=service.arn,
            cluster_arn=service.cluster_arn,
            task_definition=task_definition,
            digests={
                c["image"]: self.registry.resolve(c["image"])
                for c in task_definition["containerDefinitions"]
            },
            created_at=self.clock.now(),
            launch_type=service.launch_type,
        )

    def add_service(
        self,
        name: str,
        task_definition: dict[str, Any],
        desired: int,
        tags: Mapping[str, str],
        launch_type: str,
        breaker: Mapping[str, Any] | None,
        configuration: Mapping[str, Any],
        cluster: str = "",
        **shown: Any,
    ) -> Scheduler:
        """A service that has been running ``task_definition`` for an hour, by default in the first
        cluster. ``shown``: what DescribeServices answers instead; None leaves a field out.
        """
        cluster = cluster or self._cluster
        cluster_arn = self.arn_of("cluster", cluster)
        self.clusters[cluster_arn] = cluster
        service = Service(
            arn=self.arn_of("service", name, cluster_arn),
            name=name,
            cluster_arn=cluster_arn,
            shown=shown,
            desired=desired,
            created_at=self.clock.now() - 3600,
            launch_type=launch_type,
            tags=dict(tags),
        )
        service.configure(
            {**configuration, **({"deploymentCircuitBreaker": dict(breaker)} if breaker else {})}
        )
        scheduler = Scheduler(
            service, self.clock, self.registry, self._timing, self._ids, self._quirks
        )
        scheduler.begin_with(self.new_revision(service, task_definition))
        self.schedulers[service.arn] = scheduler
        return scheduler

    def run_task(self, body: Mapping[str, Any], cluster_arn: str) -> dict[str, Any]:
        """RunTask."""
        task_definition = self.task_definition(body["taskDefinition"], "TaskDefinition not found.")
        return self.standalone.run(dict(body), cluster_arn, task_definition, self._ids.task())

    def find(self, name: str, cluster_arn: str) -> Scheduler | None:
        """A service by its name or ARN; one that was deleted long ago is not there any more."""
        found = self.schedulers.get(self.arn_of("service", name, cluster_arn))
        since = found.service.inactive_since if found else None
        return None if since is not None and self.clock.now() - since > INACTIVE_SECONDS else found

    def arn_of(self, kind: str, name: str, cluster_arn: str = "") -> str:
        """The ARN of a resource by its name, of a task or service in the cluster; an ARN is its
        own.
        """
        if name.startswith("arn:"):
            return name
        cluster = f"{cluster_arn.rpartition('/')[2]}/" if cluster_arn else ""
        return f"{self._prefix}{kind}/{cluster}{name}"
