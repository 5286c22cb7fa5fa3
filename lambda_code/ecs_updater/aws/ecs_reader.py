"""The calls of Amazon ECS that only read, for lists of services: in parallel, and no faster than
ECS answers.

Every failure is an ``AwsFailure``.

ECS counts calls per account and region, and throttles what comes too fast, see ``rates``. A fifth
of each bucket is left to others, such as updates; the SDK's retries are counted as they are sent.
Each process keeps to that for itself: what several at once ask too much ECS throttles, and the SDK
repeats.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from botocore.config import Config

from .. import throttling
from ..context import REAL_TIME, Clock
from ..throttling import TokenBucket
from . import botocore_hooks
from .clients import session
from .errors import AwsFailure, translated

PARALLEL = 10
"""The most calls at once."""

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=PARALLEL,
    user_agent_appid="ecs-updater",
)

_SHARING = {
    throttling.DESCRIBE: ("ListServices", "DescribeServices"),
    throttling.LIST_CLUSTERS: ("ListClusters",),
    throttling.DESCRIBE_REVISION: ("DescribeTaskDefinition",),
}
"""The actions here by the bucket that they share."""

_SHARE = 0.8

Given = TypeVar("Given")
Result = TypeVar("Result")


class EcsReader:
    """One client of Amazon ECS that writes nothing.

    Make it at module scope: its buckets are the function's, not one call's.
    """

    def __init__(
        self, client: Any = None, calls: Counter[str] | None = None, clock: Clock = REAL_TIME
    ):
        self._client = client or session().create_client("ecs", config=_CONFIG)
        self.calls = Counter[str]() if calls is None else calls
        botocore_hooks.count_calls(self._client, self.calls)
        for name, operations in _SHARING.items():
            bucket = TokenBucket(*throttling.RATES[name].share(_SHARE), clock)
            for operation in operations:
                botocore_hooks.pace_calls(self._client, operation, bucket)
        self._pool = ThreadPoolExecutor(PARALLEL)

    def in_parallel(
        self, call: Callable[[Given], Result], arguments: Iterable[Given]
    ) -> list[Result]:
        """The results of ``call`` for each argument, in their order.

        Raises the first failure, once all have come to their end.
        """
        futures = [self._pool.submit(copy_context().run, call, argument) for argument in arguments]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def clusters(self) -> list[str]:
        """The ARNs of all clusters."""
        with translated("ListClusters"):
            pages = self._client.get_paginator("list_clusters").paginate(
                PaginationConfig={"PageSize": 100}
            )
            return [arn for page in pages for arn in page["clusterArns"]]

    def services(self, cluster: str) -> list[str]:
        """The ARNs of a cluster's services; none of one that was deleted meanwhile."""
        with _no_more_than_is_there("ListServices") as found:
            for page in self._client.get_paginator("list_services").paginate(
                cluster=cluster, PaginationConfig={"PageSize": 100}
            ):
                found += page["serviceArns"]
        return found

    def describe_services(self, cluster: str, services: Sequence[str]) -> list[dict[str, Any]]:
        """Those of at most ten services that are still there, with their tags."""
        with _no_more_than_is_there("DescribeServices") as found:
            found += self._client.describe_services(
                cluster=cluster, services=list(services), include=["TAGS"]
            )["services"]
        return found

    def images(self, task_definition: str) -> dict[str, str]:
        """The image of each container of a revision."""
        with translated("DescribeTaskDefinition"):
            answer = self._client.describe_task_definition(taskDefinition=task_definition)
            containers = answer["taskDefinition"]["containerDefinitions"]
            return {container["name"]: container.get("image", "") for container in containers}


@contextmanager
def _no_more_than_is_there(operation: str) -> Iterator[list[Any]]:
    """A list to fill, which stays as it is where the cluster is not there any more.

    Raises AwsFailure for everything else.
    """
    try:
        with translated(operation):
            yield []
    except AwsFailure as failure:
        if failure.code != "ClusterNotFoundException":
            raise
