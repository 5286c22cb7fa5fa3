"""Fleets on a clock that only sleeping moves, throttled as ECS throttles: what takes 17 minutes takes one."""

import logging
from collections import Counter

from ecs_updater.log import logger
from support.fleet_run import FleetRun

from .measure import Measured

WORKERS = 5


def run(size: int) -> Measured:
    """All images of a fleet change, through the real worker and the real completer, with five workers at once."""
    logger.setLevel(logging.CRITICAL)  # A line for each update would be what is seen of the table.
    fleet = FleetRun(size)
    begin = fleet.time()
    ids = fleet.begin_batch([fleet.ecs.event(name) for name in fleet.ecs.names])
    fleet.work_together(WORKERS)
    seconds = fleet.time() - begin
    fleet.time.now += 120
    fleet.complete()
    ended = Counter(fleet.entry(one).verdict for one in ids)
    updates = Counter(name for name, _ in fleet.ecs.updates)
    calls = fleet.ecs.buckets
    return Measured(
        name="ecs-updater, simulated",
        services=size,
        changed=size,
        seconds=seconds,
        calls=calls.calls.total(),
        throttled=calls.throttled.total(),
        failed=sum(fleet.ecs.image(name) != "registry/app:2" for name in fleet.ecs.names),
        # Nothing lost and nothing done twice either.
        wrong=size - ended["SUCCEEDED"] + sum(count != 1 for count in updates.values()),
        revisions=len(fleet.ecs.registered),
    )
