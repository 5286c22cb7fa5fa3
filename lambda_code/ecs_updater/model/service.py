"""The description of a service, and the snapshot that an update starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from .tags import RESERVED

Service = Mapping[str, Any]

FARGATE, EC2 = "FARGATE", "EC2"


def tags(service: Service) -> dict[str, str]:
    """Returns all tags, reserved ones included, in ECS's order."""
    return {tag["key"]: tag.get("value", "") for tag in service.get("tags") or ()}


def own_tags(service: Service) -> dict[str, str]:
    """Returns the tags without the reserved ones, which only AWS sets."""
    return {
        key: value for key, value in tags(service).items() if not key.lower().startswith(RESERVED)
    }


def primary_deployment(service: Service) -> Mapping[str, Any]:
    """Returns the PRIMARY deployment. Empty: there is none."""
    listed = service.get("deployments") or ()
    return next((item for item in listed if item.get("status") == "PRIMARY"), {})


def task_definition(service: Service) -> str | None:
    """Returns the ARN of the revision that the service runs. None: it has task sets.

    Only the deployments of an Express service have it.
    """
    return service.get("taskDefinition") or primary_deployment(service).get("taskDefinition")


def is_express(service: Service) -> bool:
    """Returns whether ECS manages the service's resources, as in Express Mode."""
    return service.get("resourceManagementType") == "ECS"


def deployment_ids(service: Service) -> frozenset[str]:
    """Returns the ids of all listed deployments."""
    return frozenset(
        deployment["id"] for deployment in service.get("deployments") or () if "id" in deployment
    )


def capacity_providers(service: Service) -> list[str]:
    """Returns the names of the capacity providers. Empty: the service has a launch type."""
    return [
        item.get("capacityProvider", "") for item in service.get("capacityProviderStrategy") or ()
    ]


def launch_type(service: Service) -> str | None:
    """Returns the launch type, or None. Capacity providers other than Fargate's are EC2."""
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


@dataclass(frozen=True)
class Snapshot:
    """A service and the task definition that it runs, read with two calls."""

    key: str
    """The service's key in ledger and queue, see ``arn.service_key``."""
    cluster_arn: str
    service_arn: str
    task_definition: Mapping[str, Any]
    """Wire JSON of the running revision, with fields that are newer than the SDK."""
    task_definition_tags: tuple[Mapping[str, str], ...]
    """Tags of the running revision, `{"key", "value"}`."""
    tags: Mapping[str, str]
    reserved_tags: Mapping[str, str]
    """The service's `aws:` tags, which only AWS sets."""
    deployment_id: str | None
    """Id of the PRIMARY deployment."""
    updated_on: datetime | None
    deployment_ids: frozenset[str] = frozenset()
    """Ids of all listed deployments: a later answer can have newer ones."""
    completed: str | None = None
    """Revision of the newest completed deployment, which is known to work. None: there is none."""
    service_deployment_arn: str | None = None
    """Service deployment of the PRIMARY deployment. None: ECS has none."""
    deployment_configuration: Mapping[str, Any] = field(default_factory=dict)
    on_fargate: bool | None = None
    """Whether the tasks run on Fargate. None: unknown."""
    has_completed: bool = True
    is_express: bool = False
    """Whether ECS manages the service's resources, as in Express Mode."""
    service: Mapping[str, Any] = field(default_factory=dict)
    """Answer of DescribeServices."""

    @cached_property
    def task_definition_arn(self) -> str:
        """Returns the ARN of the running revision."""
        arn: str = self.task_definition["taskDefinitionArn"]
        return arn

    @property
    def has_short_arn(self) -> bool:
        """Returns whether the ARN has no cluster (before 2018): ECS then takes no tags."""
        return self.service_arn.count("/") < 2
