"""The tags that a batch is going to remove, read before anything is sent: ten services with one
DescribeServices.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.ecs_reader import SERVICES_PER_CALL
from ecs_updater.aws.errors import AwsFailure
from ecs_updater.model import service as service_description
from ecs_updater.model.event_parser import UPDATE
from ecs_updater.model.tags import REPLACE
from ecs_updater.throttling import DESCRIBE

from ..errors import aws_error_of, is_unreachable
from ..manifest.identity import ServiceIdentity
from ..output.text import number_of
from .buckets import Buckets

_PARALLEL = 10
_MOST_KEYS = 10
"""The most keys that are named for one service."""

Event = Mapping[str, Any]


def removal_lines(ecs: Ecs, events: Sequence[Event], buckets: Buckets) -> Iterator[str]:
    """A line for each service of which tags are removed, by cluster, and one for those that could
    not be read.

    Raises Trouble only for what ends the command anyway: credentials that AWS does not take, and no
    connection.
    """
    by_cluster: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.get("action", UPDATE) == UPDATE and event.get("ecs_tag_mode", REPLACE) == REPLACE:
            by_cluster[event["ecs_cluster_name"]].append(event)
    chunks = [
        some[first : first + SERVICES_PER_CALL]
        for some in by_cluster.values()
        for first in range(0, len(some), SERVICES_PER_CALL)
    ]

    def read(some: Sequence[Event]) -> list[tuple[Event, list[str]]] | AwsFailure:
        buckets.take(DESCRIBE, 1, 0)
        try:
            services, _ = ecs.describe_services(
                some[0]["ecs_cluster_name"], [event["ecs_service_name"] for event in some]
            )
        except AwsFailure as failure:
            return failure
        return [(event, removed) for event in some if (removed := _removed(event, services))]

    with ThreadPoolExecutor(_PARALLEL) as pool:
        answers = list(pool.map(read, chunks))
    yield from _lines(chunks, answers)


def _lines(
    chunks: Sequence[Sequence[Event]], answers: Sequence[list[tuple[Event, list[str]]] | AwsFailure]
) -> Iterator[str]:
    removals = [one for answer in answers if not isinstance(answer, AwsFailure) for one in answer]
    if removals:
        yield "ecs_tag_mode is replace: these tags are removed, and merge would keep them"
    for event, keys in removals:
        more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
        yield f"  {ServiceIdentity.of(event)}: {', '.join(keys[:_MOST_KEYS])}{more}"
    failures = [
        (answer, len(some))
        for some, answer in zip(chunks, answers, strict=True)
        if isinstance(answer, AwsFailure)
    ]
    # A cluster that there is not is the update's own error.
    failures = [
        (failure, count)
        for failure, count in failures
        if failure.code != "ClusterNotFoundException"
    ]
    for failure, _ in failures:
        if failure.is_about_credentials or is_unreachable(failure):
            raise aws_error_of(failure)
    if failures:
        unread = number_of(sum(count for _, count in failures), "service")
        yield (
            f"the tags of {unread} could not be read, and what is removed there is not listed: "
            f"{aws_error_of(failures[0][0])}"
        )


def _removed(event: Event, services: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that a service has, and not afterwards; none where it is not there."""
    name = event["ecs_service_name"]
    service = next(
        (one for one in services if name in (one["serviceArn"], one.get("serviceName"))), None
    )
    return (
        sorted(service_description.own_tags(service).keys() - event["ecs_tag"].keys())
        if service
        else []
    )
