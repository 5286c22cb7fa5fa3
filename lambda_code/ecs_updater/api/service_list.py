"""Lists the services of all clusters, page by page, ordered by cluster ARN and name.

A target that cannot be read does not stop the others: the answer names it.

A thousand services of one cluster take 111 calls: one for the clusters, ten for the names, and a
hundred for the services.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..aws.ecs_reader import (
    ALL_TARGETS,
    PARALLEL,
    SERVICES_PER_CALL,
    ClusterList,
    EcsReader,
    service_batches,
)
from ..aws.errors import Result
from ..context import ANSWER_BYTES
from ..errors import AwsFailure, EcsUpdaterError, Outcome, ServiceReadError
from ..log import logger
from ..model import service as service_description
from ..model.arn import account_prefix, name_of
from ..model.scopes import Action, Scope
from ..model.targets import HOME
from .query import ListQuery, next_token, position_of
from .serializers import Json, launch_type, service_view

_LAST_SECONDS = 8.0
"""Remaining seconds at which a page ends: one more round of calls, and the response."""

_NAMES_SECONDS = 16.0
"""Minimum remaining seconds to read the names of ten more clusters: 200 calls without a burst."""

_MAX_CACHED_IMAGES = 5000

Batch = tuple[str, list[str]]
"""A cluster and up to ten of its services."""


@dataclass(frozen=True, order=True)
class _Position:
    cluster_arn: str
    service_name: str


@dataclass
class _Places:
    """The targets that a page is about."""

    by_prefix: Mapping[str, str | None]
    """Each target by the beginning of its ARNs. None: home."""
    unavailable: dict[str, str]
    """Why targets could not be read, by target."""
    scope: Scope | None
    """Scope of the caller. None: every service may be read."""

    @classmethod
    def of(cls, listed: ClusterList, scope: Scope | None) -> "_Places":
        """Returns the places of these clusters, as far as the caller may read there."""
        targets = {account_prefix(arn): target for arn, target in listed.targets.items()}
        reasons = dict(listed.unavailable)
        if scope:
            shown = {name for name in reasons if scope.may_read_in(None, name)}
            if scope.has_targets:
                shown.add(ALL_TARGETS)
            reasons = {name: reason for name, reason in reasons.items() if name in shown}
        return cls(targets, reasons, scope)

    def may_read_in(self, cluster: str) -> bool:
        """Returns whether the caller may read any service of the cluster with this ARN."""
        return not self.scope or self.scope.may_read_in(name_of(cluster), self._target(cluster))

    def actions_on(self, position: "_Position") -> list[str]:
        """Returns what the caller may do with a service. Without a scope it is only `read`."""
        if not self.scope:
            return [Action.READ]
        service = f"{name_of(position.cluster_arn)}/{position.service_name}"
        return self.scope.actions_on(service, self._target(position.cluster_arn))

    def _target(self, cluster: str) -> str:
        return self.by_prefix[account_prefix(cluster)] or HOME

    def read(self, arn: str, read: Callable[[], Result], default: Result) -> Result:
        """Returns the result of `read`. After a failure in a target, it is `default`."""
        try:
            return read()
        except (AwsFailure, EcsUpdaterError) as failure:
            target = self.by_prefix[account_prefix(arn)]
            if target is None:
                raise
            self.unavailable[target] = str(failure)
            return default


class ServiceList:
    """Lists services.

    Create it at module scope: a revision never changes, so its images are read once.
    """

    def __init__(self, ecs: EcsReader):
        self._ecs = ecs
        self._images: dict[str, dict[str, str] | None] = {}

    def page(
        self, query: ListQuery, time_left: Callable[[], float], scope: Scope | None = None
    ) -> Json:
        """Returns the services of `query`, bounded by its limit, the response's size and the time.

        `scope`: that of the caller. None: every service may be read. Raises InvalidQueryError,
        NotAllowedError for a target that the scope does not have, or ServiceReadError if home
        cannot be read.
        """
        if scope and query.target is not None:
            scope.in_target(Action.READ, query.target)
        position = position_of(query.next, ("cluster", "service"))
        after = _Position(position["cluster"], position["service"]) if position else None
        try:
            listed = self._ecs.clusters(query.target)
            places = _Places.of(listed, scope)
            clusters = sorted(
                arn
                for arn in listed.targets
                if (after is None or arn >= after.cluster_arn) and places.may_read_in(arn)
            )
            answer = self._page(query, clusters, places, after, time_left)
            unavailable = sorted(places.unavailable.items())
            reasons = [{"target": name, "reason": reason} for name, reason in unavailable]
            return answer | {"unavailable": reasons}
        except AwsFailure as failure:
            raise ServiceReadError(f"{failure.operation}: {failure}").caused_by(
                failure
            ) from failure

    def _page(
        self,
        query: ListQuery,
        clusters: Sequence[str],
        places: _Places,
        after: _Position | None,
        time_left: Callable[[], float],
    ) -> Json:
        found: list[Json] = []
        size, last = 0, after
        cut: list[_Position] = []
        all_batches = self._batches(clusters, places, after, time_left, cut)
        while batches := list(islice(all_batches, self._parallel_calls(query, len(found)))):
            services = self._read(batches, query, places)
            for position, service in services:
                if service:
                    size += len(json.dumps(service))
                    # A page has at least one service: with none the next page would be the same.
                    if found and size > ANSWER_BYTES:
                        return _answer(found, last)
                    found.append(service)
                last = position
                if len(found) == query.limit:
                    is_read = position == services[-1][0] and next(all_batches, None) is None
                    return _answer(found, None if is_read and not cut else last)
            if time_left() < _LAST_SECONDS:
                return _answer(found, last)
        return _answer(found, cut[0] if cut else None)

    @staticmethod
    def _parallel_calls(query: ListQuery, found: int) -> int:
        """Returns the number of the next DescribeServices calls.

        Few with images: then each service can cost a call of its own.
        """
        needed = -(-(query.limit - found) // SERVICES_PER_CALL)
        return min(needed, 2 if query.images else PARALLEL)

    def _batches(
        self,
        clusters: Sequence[str],
        places: _Places,
        after: _Position | None,
        time_left: Callable[[], float],
        cut: list[_Position],
    ) -> Iterator[Batch]:
        """Yields the services in the order of the list, reading the names of ten clusters at once.

        If the time is over, the first position that was not read is added to `cut`.
        """

        def services_of(cluster: str) -> list[str]:
            return places.read(cluster, lambda: self._ecs.services(cluster), [])

        for first in range(0, len(clusters), PARALLEL):
            some = clusters[first : first + PARALLEL]
            if first and time_left() < _NAMES_SECONDS:
                cut.append(_Position(some[0], ""))
                return
            for cluster, arns in zip(some, self._ecs.in_parallel(services_of, some), strict=True):
                yield from service_batches(
                    (cluster, name)
                    for name in sorted({name_of(arn) for arn in arns})
                    if (after is None or _Position(cluster, name) > after)
                    and Action.READ in places.actions_on(_Position(cluster, name))
                )

    def _read(
        self, batches: Sequence[Batch], query: ListQuery, places: _Places
    ) -> list[tuple[_Position, Json | None]]:
        """Returns each position of the batches, with its service if `query` selects it."""

        def describe(batch: Batch) -> list[dict[str, Any]]:
            return places.read(batch[0], lambda: self._ecs.describe_services(*batch), [])

        answers = self._ecs.in_parallel(describe, batches)
        views: list[tuple[_Position, Json | None]] = []
        revisions: dict[_Position, str | None] = {}
        for (cluster, names), services in zip(batches, answers, strict=True):
            selected = {}
            for service in services:
                for name, view in _views(service, query, places):
                    selected[name] = view
                    revision = service_description.task_definition(service)
                    revisions[_Position(cluster, name)] = revision
            views += [(_Position(cluster, name), selected.get(name)) for name in names]
        if not query.images:
            return views
        self._read_images(set(filter(None, revisions.values())), places)
        return [
            (
                position,
                view and view | {"images": self._images.get(revisions[position] or "")},
            )
            for position, view in views
        ]

    def _read_images(self, revisions: set[str], places: _Places) -> None:
        unread: dict[str, str] | None = {}

        def images_of(revision: str) -> dict[str, str] | None:
            return places.read(revision, lambda: self._images_of(revision), unread)

        missing = sorted(revisions - self._images.keys())
        if len(self._images) + len(missing) > _MAX_CACHED_IMAGES:
            self._images = {arn: images for arn, images in self._images.items() if arn in revisions}
        found = zip(missing, self._ecs.in_parallel(images_of, missing), strict=True)
        self._images |= {arn: images for arn, images in found if images is not unread}

    def _images_of(self, revision: str) -> dict[str, str] | None:
        """Returns the images of a revision. None: it was deleted while a service runs it."""
        try:
            return self._ecs.images(revision)
        except AwsFailure as failure:
            if failure.outcome is Outcome.REFUSED:
                return None
            raise


def _views(
    service: dict[str, Any], query: ListQuery, places: _Places
) -> Iterator[tuple[str, Json]]:
    """Yields name and view of a service if `query` selects it.

    A service with an unreadable description is logged and left out.
    """
    try:
        if _is_selected(service, query):
            target = places.by_prefix[account_prefix(service["clusterArn"])]
            view = service_view(service, target)
            if places.scope:
                position = _Position(service["clusterArn"], service["serviceName"])
                view |= {"actions": places.actions_on(position)}
            yield service["serviceName"], view
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning(
            "a service is left out of the list",
            service_arn=str(service.get("serviceArn")),
            reason=repr(error),
        )


def _is_selected(service: dict[str, Any], query: ListQuery) -> bool:
    tags = service_description.tags(service)
    return (
        service["status"] == "ACTIVE"
        and launch_type(service) in query.launch_types
        and all(tags.get(key) == value for key, value in query.tags.items())
    )


def _answer(services: list[Json], last: _Position | None) -> Json:
    position = last and {"cluster": last.cluster_arn, "service": last.service_name}
    return {"services": services, "next": next_token(position) if position else None}
