"""Reads many services of Amazon ECS: lists in parallel, descriptions in batches.

ECS throttles calls per account and region, see `throttling`. `EcsReader` uses four fifths of each
bucket, retries of the SDK included, and leaves the rest to updates. Several processes do not share
these buckets: what they call too fast is throttled, and the SDK retries.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..context import REAL_TIME, Clock
from ..errors import (
    AwsFailure,
    ConfigurationError,
    EcsUpdaterError,
    InvalidEventError,
    InvalidQueryError,
    TargetRoleError,
)
from ..model.arn import name_of
from ..model.service import ServiceDescription
from ..model.targets import HOME, Target
from . import clients
from .ecs import Ecs, list_arns
from .errors import Result, translated, unless_missing
from .targets import TargetAccess

ALL_TARGETS = "*"
"""Stands for all targets, because their configuration could not be read."""

SERVICES_PER_CALL = 10

PARALLEL = 10

_CONFIG = clients.config(2, 5, 3, max_pool_connections=PARALLEL)

_NO_CLUSTER = ("ClusterNotFoundException",)

_SHARE = 0.8

Argument = TypeVar("Argument")


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
    """Returns the description of up to ten services, by the name or ARN in `services`.

    A service is left out if ECS returns neither the service nor a failure. `read_at`: the time of
    the call in seconds since the epoch. Raises AwsFailure.
    """
    found, failures = ecs.describe_services(cluster, services)
    descriptions = {}
    for name in services:
        service = next((s for s in found if name in (s["serviceArn"], s.get("serviceName"))), None)
        reasons = tuple(
            failure for failure in failures if name_of(failure.get("arn", "")) == name_of(name)
        )
        if service or reasons:
            descriptions[name] = ServiceDescription(read_at, service, reasons)
    return descriptions


def describe_services(
    ecs: Ecs, services: Sequence[tuple[Any, Any]], clock: Callable[[], float]
) -> list[ServiceDescription | None]:
    """Returns the description of each pair of cluster and service, in their order.

    None if the call failed, if the pair has no two names, and for the second pair of a service,
    which the update of the first one changes. The update then reads the service itself and raises
    the error.
    """
    indexes: dict[tuple[str, str], int] = {}
    for index, (cluster, service) in enumerate(services):
        if isinstance(cluster, str) and isinstance(service, str) and cluster and service:
            indexes.setdefault((cluster, service), index)
    descriptions: list[ServiceDescription | None] = [None] * len(services)
    for cluster, names in service_batches(indexes):
        try:
            batch = describe_batch(ecs, cluster, names, clock())
        except AwsFailure:
            continue
        for service, description in batch.items():
            descriptions[indexes[cluster, service]] = description
    return descriptions


@dataclass(frozen=True)
class ClusterList:
    """The clusters of home and of all targets."""

    targets: Mapping[str, str | None]
    """The target of each cluster by the cluster's ARN. None: home."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Why targets could not be read, by target. `ALL_TARGETS`: their configuration."""


class EcsReader:
    """Client of Amazon ECS that writes nothing, for any number of threads.

    A cluster, service or revision in a target is read there, by its ARN. Create it at module scope:
    its buckets are those of the function, not of one invocation.
    """

    def __init__(
        self,
        client: Any = None,
        calls: Counter[str] | None = None,
        clock: Clock = REAL_TIME,
        *,
        targets: TargetAccess | None = None,
    ):
        self.calls = Counter[str]() if calls is None else calls
        self._clock, self._targets = clock, targets or TargetAccess()
        self._client = client or clients.session().create_client("ecs", config=_CONFIG)
        self._prepare(self._client)
        self._others: dict[str, tuple[Target, Any]] = {}
        """The clients of targets, by the beginning of their ARNs."""
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(PARALLEL)

    def _prepare(self, client: Any) -> None:
        """Counts and limits the calls of a client."""
        clients.count_calls(client, self.calls)
        clients.limit_to_share(client, _SHARE, self._clock)

    def _client_of(self, arn: str) -> Any:
        """Returns the client of the ARN's account and region. A name is one of home.

        Raises AwsFailure, or InvalidEventError and ConfigurationError if the targets have changed.
        """
        target = self._targets.find(arn) if arn.startswith("arn:") else None
        if target is None:
            return self._client
        try:
            session = self._targets.session(target, target.read_role)
        except TargetRoleError as error:
            raise error.failure or error from None
        with self._lock:
            known, client = self._others.get(target.prefix, (None, None))
            if client is None or known != target:
                client = session.create_client("ecs", config=_CONFIG)
                self._prepare(client)
                self._others[target.prefix] = target, client
        return client

    def in_parallel(
        self, call: Callable[[Argument], Result], arguments: Iterable[Argument]
    ) -> list[Result]:
        """Returns the results of `call` for each argument, in their order.

        Raises the first failure after all calls have ended.
        """
        futures = [self._pool.submit(copy_context().run, call, argument) for argument in arguments]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def clusters(self, target: str | None = None) -> ClusterList:
        """Returns the clusters of home and of all targets.

        `target`: only those of this target, or of `HOME`. Raises InvalidQueryError if it does not
        exist, and AwsFailure if home cannot be read.
        """
        found: dict[str, str | None] = {}
        unavailable: dict[str, str] = {}
        if target in (None, HOME):
            found = dict.fromkeys(list_arns(self._client, "ListClusters", "clusterArns"))
        if target == HOME:
            return ClusterList(found)
        try:
            named = None if target is None else self._targets.named(target)
            wanted = [named] if named else list(self._targets.targets().by_name.values())
        except ConfigurationError as error:
            return ClusterList(found, {ALL_TARGETS: str(error)})
        except InvalidEventError as error:
            raise InvalidQueryError(error.violation).with_hint(error.hint or "") from None
        for each, answer in zip(wanted, self.in_parallel(self._clusters_of, wanted), strict=True):
            if isinstance(answer, str):
                unavailable[each.name] = answer
            else:
                found |= dict.fromkeys(answer, each.name)
        return ClusterList(found, unavailable)

    def _clusters_of(self, target: Target) -> list[str] | str:
        """Returns the ARNs of the clusters in a target, or why they cannot be read."""
        try:
            return list_arns(self._client_of(target.prefix), "ListClusters", "clusterArns")
        except (AwsFailure, EcsUpdaterError) as failure:
            return str(failure)

    def services(self, cluster: str) -> list[str]:
        """Returns the ARNs of a cluster's services. Empty: the cluster was deleted meanwhile.

        Raises AwsFailure, as the methods below do.
        """
        arguments = self._client_of(cluster), "ListServices", "serviceArns"
        return unless_missing(_NO_CLUSTER, lambda: list_arns(*arguments, cluster=cluster)) or []

    def describe_services(self, cluster: str, services: Sequence[str]) -> list[dict[str, Any]]:
        """Returns those of at most ten services that still exist, with their tags."""
        client = self._client_of(cluster)
        parameters = {"cluster": cluster, "services": list(services), "include": ["TAGS"]}
        answer = unless_missing(
            _NO_CLUSTER,
            lambda: clients.call(client, "DescribeServices", "services", **parameters),
        )
        return answer["services"] if answer else []

    def images(self, task_definition: str) -> dict[str, str]:
        """Returns the image of each container of a revision."""
        client = self._client_of(task_definition)
        with translated("DescribeTaskDefinition"):
            answer = client.describe_task_definition(taskDefinition=task_definition)
            containers = answer["taskDefinition"]["containerDefinitions"]
            return {container["name"]: container.get("image", "") for container in containers}
