"""What DescribeServices tells of a service, by what is asked of it. Pure: a service as ECS
describes it in, values out.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
"""

from collections.abc import Mapping
from typing import Any

from .tags import is_reserved

Service = Mapping[str, Any]

FARGATE, EC2 = "FARGATE", "EC2"


def tags(service: Service) -> dict[str, str]:
    """All of its tags, reserved ones included, in ECS's order."""
    return {tag["key"]: tag.get("value", "") for tag in service.get("tags") or ()}


def own_tags(service: Service) -> dict[str, str]:
    """Its tags without the reserved ones, which only AWS sets and removes."""
    return {key: value for key, value in tags(service).items() if not is_reserved(key)}


def primary_deployment(service: Service) -> Mapping[str, Any]:
    """The deployment that the service is at or on its way to; empty when there is none."""
    return next((d for d in service.get("deployments") or () if d.get("status") == "PRIMARY"), {})


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
