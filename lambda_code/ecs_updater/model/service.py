"""What one service is before an update, as far as the update needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from .tags import RESERVED

Service = Mapping[str, Any]

FARGATE, EC2 = "FARGATE", "EC2"


def tags(service: Service) -> dict[str, str]:
    """All of its tags, reserved ones included, in ECS's order."""
    return {tag["key"]: tag.get("value", "") for tag in service.get("tags") or ()}


def own_tags(service: Service) -> dict[str, str]:
    """Its tags without the reserved ones, which only AWS sets and removes."""
    own = tags(service)
    for key in list(own):
        if key.lower().startswith(RESERVED):
            del own[key]
    return own


def primary_deployment(service: Service) -> Mapping[str, Any]:
    """The deployment that the service is at or on its way to; empty when there is none."""
    for deployment in service.get("deployments") or ():
        if deployment.get("status") == "PRIMARY":
            return dict(deployment)
    return {}


def task_definition(service: Service) -> str | None:
    """The revision that it runs: of an Express service only the deployments name it.

    None for a service of task sets.
    """
    return service.get("taskDefinition") or primary_deployment(service).get("taskDefinition")


def deployment_ids(service: Service) -> frozenset[str]:
    """The ids of all deployments that ECS lists."""
    return frozenset(
        deployment["id"] for deployment in service.get("deployments") or () if "id" in deployment
    )


def capacity_providers(service: Service) -> list[str]:
    """The names of its capacity providers; none where it has a launch type."""
    return [
        one.get("capacityProvider", "") for one in service.get("capacityProviderStrategy") or ()
    ]


def launch_type(service: Service) -> str | None:
    """Where its tasks run.

    Capacity providers other than Fargate's are groups of instances: EC2. None where ECS does not
    say.
    """
    if providers := capacity_providers(service):
        return FARGATE if all(name in ("FARGATE", "FARGATE_SPOT") for name in providers) else EC2
    return service.get("launchType")


@dataclass(frozen=True)
class ServiceDescription:
    """Answer of DescribeServices about one service."""

    read_at: float
    """Time of the call, in seconds since the epoch."""
    service: dict[str, Any] | None
    """None: ECS did not return it."""
    failures: tuple[Mapping[str, Any], ...] = ()
    """ECS's failures about this service."""


@dataclass(frozen=True)
class Snapshot:
    """One service and the task definition that it runs, read with two calls."""

    key: str
    """The service's key in ledger and queue, see ``arn.service_key``."""
    cluster_arn: str
    service_arn: str
    task_definition: Mapping[str, Any]
    """The running revision, as it came over the wire: fields that are newer than the SDK
    included.
    """
    task_definition_tags: tuple[Mapping[str, str], ...]
    """Tags of the running revision, ``{"key", "value"}``, as they came over the wire."""
    tags: Mapping[str, str]
    """The service's tags without the reserved ones."""
    reserved_tags: Mapping[str, str]
    """The service's ``aws:`` tags, which only AWS sets and removes."""
    deployment_id: str | None
    """The PRIMARY deployment."""
    updated_on: datetime | None
    """When the PRIMARY deployment last changed."""
    deployment_ids: frozenset[str] = frozenset()
    """All deployments that ECS lists: another one in a later answer was made after this was
    read.
    """
    completed: str | None = None
    """The revision of the newest deployment that is complete, so that it is known to work; None
    when ECS shows none.
    """
    service_deployment_arn: str | None = None
    """ECS's own record of the PRIMARY deployment, where it has one."""
    deployment_configuration: Mapping[str, Any] = field(default_factory=dict)
    """As it came over the wire."""
    on_fargate: bool | None = None
    """Whether its tasks run on Fargate; None where ECS does not say."""
    has_completed: bool = True
    """Whether the PRIMARY deployment has completed."""
    service: Mapping[str, Any] = field(default_factory=dict)
    """The service as DescribeServices returned it."""

    @cached_property
    def task_definition_arn(self) -> str:
        """The ARN of the running revision."""
        arn: str = self.task_definition["taskDefinitionArn"]
        return arn

    @property
    def has_short_arn(self) -> bool:
        """Whether the service's ARN is of the form before 2018, without the cluster: ECS takes no
        tags for it.
        """
        return self.service_arn.count("/") < 2
