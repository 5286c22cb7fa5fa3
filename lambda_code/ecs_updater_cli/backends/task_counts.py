"""The tasks of services whose rollout goes on: ten of a cluster with one DescribeServices, and no
more than one call a second.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import Clock

from ..batch.row import Row
from ..batch.state import TaskCounts
from ..errors import told

AT_ONCE = 10
EVERY_SECONDS = 1.0


class TaskCounter:
    """Asks about those that were not asked about for the longest time."""

    def __init__(self, ecs: Ecs, clock: Clock):
        self._ecs, self._clock = ecs, clock
        self._asked: dict[int, float] = defaultdict(lambda: -math.inf)
        self._next = -math.inf

    def of(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """The tasks of some of these rows, by number. Raises Trouble."""
        now = self._clock.now()
        rolling = [
            row
            for row in waiting
            if row.state.rolls and row.status.cluster_arn and row.status.service_arn
        ]
        if not rolling or now < self._next:
            return {}
        self._next = now + EVERY_SECONDS
        oldest = sorted(rolling, key=lambda row: (self._asked[row.number], row.number))
        some = [row for row in oldest if row.status.cluster_arn == oldest[0].status.cluster_arn][
            :AT_ONCE
        ]
        self._asked |= {row.number: now for row in some}
        with told():
            services, _ = self._ecs.describe_services(
                some[0].status.cluster_arn, [row.status.service_arn for row in some]
            )
        by_arn = {service["serviceArn"]: service for service in services}
        there = [
            (row, by_arn[row.status.service_arn])
            for row in some
            if row.status.service_arn in by_arn
        ]
        return {row.number: counts_in(service, row.status.deployment_id) for row, service in there}


def counts_in(service: Mapping[str, Any], deployment_id: str | None) -> TaskCounts:
    """The tasks of a deployment, or of the service as a whole where ECS does not list it, as
    DescribeServices tells them.
    """
    whole = {
        "runningCount": service.get("runningCount", 0),
        "desiredCount": service.get("desiredCount", 0),
    }
    one = next(
        (one for one in service.get("deployments", []) if one.get("id") == deployment_id), whole
    )
    return TaskCounts(one.get("runningCount", 0), one.get("desiredCount", 0))
