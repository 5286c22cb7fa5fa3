"""Describes the services of several events together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure
from ..aws.service_batches import describe_batch, service_batches
from ..model.service import ServiceDescription


def describe_services(
    ecs: Ecs, events: Sequence[Mapping[str, Any]], clock: Callable[[], float]
) -> list[ServiceDescription | None]:
    """Returns the description of each event's service.

    None if the call failed, if the event names no service, and for the second event of a service,
    which the first one changes. The update then reads the service itself and raises the error.
    """
    first_events: dict[tuple[str, str], int] = {}
    for index, event in enumerate(events):
        cluster, service = event.get("ecs_cluster_name"), event.get("ecs_service_name")
        if isinstance(cluster, str) and isinstance(service, str) and cluster and service:
            first_events.setdefault((cluster, service), index)
    descriptions: list[ServiceDescription | None] = [None] * len(events)
    for cluster, services in service_batches(first_events):
        try:
            batch = describe_batch(ecs, cluster, services, clock())
        except AwsFailure:
            continue
        for service, description in batch.items():
            descriptions[first_events[cluster, service]] = description
    return descriptions
