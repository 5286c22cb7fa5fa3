"""The services of every cluster, page by page, in the order of their clusters' ARNs and their
names.

A thousand services of one cluster are 111 calls: one for the clusters, ten for the names, a hundred
for the services.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..aws.ecs_reader import PARALLEL, EcsReader
from ..aws.errors import AwsFailure, Outcome
from ..context import ANSWER_BYTES
from ..errors import ServiceReadError
from ..log import logger
from ..model import service as service_description
from ..model.arn import service_name
from .pagination import place_of, token_of
from .query import ListQuery
from .serializers import Json, launch_type, service_view

_SERVICES_AT_ONCE = 10
"""The most services of one DescribeServices."""

_LAST_SECONDS = 8.0
"""What is left of the function's time when a page ends for the lack of it: for one more round of
calls, and to answer.
"""

_NAMES_SECONDS = 16.0
"""What has to be left to read the names of ten clusters more: 200 calls, when nothing is left of
the burst.
"""

_IMAGES_KEPT = 5000

Names = tuple[str, tuple[str, ...]]
"""A cluster, and names of services in it that are read with one call."""


@dataclass(frozen=True, order=True)
class _Place:
    cluster_arn: str
    service_name: str


class Listing:
    """Lists services.

    Make it at module scope: a revision never changes, so its images are read once.
    """

    def __init__(self, ecs: EcsReader):
        self._ecs = ecs
        self._images: dict[str, dict[str, str] | None] = {}

    def page(self, query: ListQuery, time_left: Callable[[], float]) -> Json:
        """The services that ``query`` asks for, as many as fit into its limit, an answer and the
        time. Raises ServiceReadError.
        """
        place = place_of(query.next, ("cluster", "service"))
        after = _Place(place["cluster"], place["service"]) if place else None
        try:
            return self._page(query, after, time_left)
        except AwsFailure as failure:
            raise ServiceReadError(f"{failure.operation}: {failure}").caused_by(
                failure
            ) from failure

    def _page(self, query: ListQuery, after: _Place | None, time_left: Callable[[], float]) -> Json:
        found: list[Json] = []
        size, seen = 0, after
        cut: list[_Place] = []
        names = self._names(after, time_left, cut)
        while batch := list(islice(names, self._calls_at_once(query, len(found)))):
            read = self._read(batch, query)
            for place, service in read:
                if service:
                    size += len(json.dumps(service))
                    # A page has one service at least, or nobody would come past it.
                    if found and size > ANSWER_BYTES:
                        return _answer(found, seen)
                    found.append(service)
                seen = place
                if len(found) == query.limit:
                    is_last = place == read[-1][0] and next(names, None) is None and not cut
                    return _answer(found, None if is_last else seen)
            if time_left() < _LAST_SECONDS:
                return _answer(found, seen)
        return _answer(found, cut[0] if cut else None)

    @staticmethod
    def _calls_at_once(query: ListQuery, found: int) -> int:
        """How many DescribeServices come next: no more than the page may need, and few where each
        costs ten calls for images.
        """
        needed = -(-(query.limit - found) // _SERVICES_AT_ONCE)
        return min(needed, 2 if query.images else PARALLEL)

    def _names(
        self, after: _Place | None, time_left: Callable[[], float], cut: list[_Place]
    ) -> Iterator[Names]:
        """The names of services in the order of the list, those of ten clusters at once.

        Where the time does not last for more of them, the place from which they are missing is put
        into ``cut``.
        """
        clusters = sorted(
            arn for arn in self._ecs.clusters() if after is None or arn >= after.cluster_arn
        )
        for first in range(0, len(clusters), PARALLEL):
            some = clusters[first : first + PARALLEL]
            if first and time_left() < _NAMES_SECONDS:
                cut.append(_Place(some[0], ""))
                return
            for cluster, arns in zip(
                some, self._ecs.in_parallel(self._ecs.services, some), strict=True
            ):
                names = sorted({service_name(arn) for arn in arns})
                left = [name for name in names if after is None or _Place(cluster, name) > after]
                for start in range(0, len(left), _SERVICES_AT_ONCE):
                    yield cluster, tuple(left[start : start + _SERVICES_AT_ONCE])

    def _read(self, batch: Sequence[Names], query: ListQuery) -> list[tuple[_Place, Json | None]]:
        """Each place of the batch, with the service where it is one that ``query`` asks for."""
        answers = self._ecs.in_parallel(lambda names: self._ecs.describe_services(*names), batch)
        read: list[tuple[_Place, dict[str, Any] | None, Json | None]] = []
        for (cluster, names), services in zip(batch, answers, strict=True):
            views = {
                name: (service, view)
                for service in services
                for name, view in _views(service, query)
            }
            read += [(_Place(cluster, name), *views.get(name, (None, None))) for name in names]
        if not query.images:
            return [(place, view) for place, _, view in read]
        self._read_images(
            {
                arn
                for _, service, _ in read
                if service and (arn := service_description.task_definition(service))
            }
        )
        images = self._images
        return [
            (
                place,
                view
                and view
                | {"images": images.get(service_description.task_definition(service or {}) or "")},
            )
            for place, service, view in read
        ]

    def _read_images(self, revisions: set[str]) -> None:
        missing = sorted(revisions - self._images.keys())
        if len(self._images) + len(missing) > _IMAGES_KEPT:
            self._images = {arn: images for arn, images in self._images.items() if arn in revisions}
        self._images |= zip(missing, self._ecs.in_parallel(self._images_of, missing), strict=True)

    def _images_of(self, revision: str) -> dict[str, str] | None:
        """The images of a revision; None of one that ECS does not show, such as one that was
        deleted while a service runs it.
        """
        try:
            return self._ecs.images(revision)
        except AwsFailure as failure:
            if failure.outcome is Outcome.REFUSED:
                return None
            raise


def _views(service: dict[str, Any], query: ListQuery) -> Iterator[tuple[str, Json]]:
    """The name and the view of a service that is asked for.

    One whose description cannot be read is left out and logged.
    """
    try:
        if _is_asked_for(service, query):
            yield service["serviceName"], service_view(service)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning(
            "a service is left out of the list",
            service_arn=str(service.get("serviceArn")),
            reason=repr(error),
        )


def _is_asked_for(service: dict[str, Any], query: ListQuery) -> bool:
    tags = service_description.tags(service)
    return (
        service["status"] == "ACTIVE"
        and launch_type(service) in query.launch_types
        and all(tags.get(key) == value for key, value in query.tags.items())
    )


def _answer(services: list[Json], place: _Place | None) -> Json:
    token = (
        token_of({"cluster": place.cluster_arn, "service": place.service_name}) if place else None
    )
    return {"services": services, "next": token}
