"""Lists of services as the API has them, here of one cluster or of some services alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_updater.api.query import LAUNCH_TYPES, ListQuery
from ecs_updater.api.service_list import ServiceList
from ecs_updater.aws.ecs_reader import EcsReader

from ..errors import told


class FilteredEcsReader(EcsReader):
    """ECS as if it had no other clusters, and no other services."""

    def __init__(
        self, cluster: str | None = None, services: Sequence[str] = (), client: Any = None
    ):
        """Names or ARNs; no cluster, or no services, are all of them."""
        super().__init__(client)
        self._cluster, self._names = cluster, {name.rpartition("/")[2] for name in services}
        self.status: set[str] = set()
        """The names of all services that were looked at; where there is no such cluster, those of
        all clusters.
        """

    def clusters(self) -> list[str]:
        """The ARN of the one, or of all."""
        every = super().clusters()
        found = [arn for arn in every if self._cluster in (None, arn, arn.rpartition("/")[2])]
        if not found:
            self.status |= {arn.rpartition("/")[2] for arn in every}
        return found

    def services(self, cluster: str) -> list[str]:
        """Those of a cluster that are asked for."""
        every = super().services(cluster)
        self.status |= {arn.rpartition("/")[2] for arn in every}
        return [arn for arn in every if not self._names or arn.rpartition("/")[2] in self._names]


def list_services(reader: EcsReader, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """The services with these tags, see ``status.views.service_view``, with their images.

    Raises Trouble.
    """
    listing = ServiceList(reader)
    found: list[dict[str, Any]] = []
    watcher: str | None = None
    while True:
        query = ListQuery(frozenset(LAUNCH_TYPES), tags, images=True, next=watcher)
        with told():
            page = listing.page(query, lambda: math.inf)
        found += page["services"]
        watcher = page["next"]
        if watcher is None:
            return found
