"""Describes many services: one DescribeServices for up to ten services of a cluster."""

from collections.abc import Iterable, Iterator, Sequence

from ..model.arn import service_name
from ..model.service import ServiceDescription
from .ecs import Ecs

SERVICES_PER_CALL = 10


def service_batches(services: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yields a cluster and up to ten of its services, each once and in their order.

    `services` are pairs of cluster and service, each by name or ARN.
    """
    by_cluster: dict[str, dict[str, None]] = {}
    for cluster, service in services:
        by_cluster.setdefault(cluster, {})[service] = None
    for cluster, names in by_cluster.items():
        for first in range(0, len(names), SERVICES_PER_CALL):
            yield cluster, list(names)[first : first + SERVICES_PER_CALL]


def describe_batch(
    ecs: Ecs, cluster: str, services: Sequence[str], read_at: float
) -> dict[str, ServiceDescription]:
    """Returns the description of each service, by the name or ARN in `services`.

    A service is left out if ECS returns neither the service nor a failure. `read_at`: the time of
    the call in seconds since the epoch. Raises AwsFailure.
    """
    found, failures = ecs.describe_services(cluster, services)
    descriptions = {}
    for name in services:
        service = next((s for s in found if name in (s["serviceArn"], s.get("serviceName"))), None)
        reasons = tuple(
            failure
            for failure in failures
            if service_name(failure.get("arn", "")) == service_name(name)
        )
        if service or reasons:
            descriptions[name] = ServiceDescription(read_at, service, reasons)
    return descriptions
