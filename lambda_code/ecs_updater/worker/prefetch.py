"""Reads the services of several events together, ten with one DescribeServices."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure
from ..deployments.reader import Told
from ..model.arn import service_name

AT_ONCE = 10
"""The most services of one DescribeServices."""


def read_ahead(
    ecs: Ecs, events: Sequence[Mapping[str, Any]], clock: Callable[[], float]
) -> list[Told | None]:
    """What ECS tells of each event's service, in their order.

    None where that is not known: for the second event of one service, which the first one changes,
    where the call failed, or where the event names none. Whoever works it off asks again then, and
    gets the error that belongs to it.
    """
    told: list[Told | None] = [None] * len(events)
    by_cluster: dict[str, dict[str, int]] = defaultdict(dict)
    for index, event in enumerate(events):
        cluster, service = event.get("ecs_cluster_name"), event.get("ecs_service_name")
        if isinstance(cluster, str) and isinstance(service, str) and cluster and service:
            by_cluster[cluster].setdefault(service, index)
    for cluster, wanted in by_cluster.items():
        for first in range(0, len(wanted), AT_ONCE):
            for name, known in _read(ecs, cluster, list(wanted)[first : first + AT_ONCE], clock()):
                told[wanted[name]] = known
    return told


def _read(ecs: Ecs, cluster: str, names: Sequence[str], at: float) -> Iterator[tuple[str, Told]]:
    """What one call tells of those services of which it tells something."""
    try:
        services, failures = ecs.describe_services(cluster, names)
    except AwsFailure:
        return
    for name in names:
        service = next(
            (one for one in services if name in (one["serviceArn"], one.get("serviceName"))), None
        )
        about = tuple(
            one for one in failures if service_name(one.get("arn", "")) == service_name(name)
        )
        if service or about:
            yield name, Told(at, service, about)
