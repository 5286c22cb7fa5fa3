"""Fleets on a clock that only sleeping moves, throttled as ECS throttles: what takes 17 minutes
takes one.
"""

import logging
from collections import Counter

from ecs_updater.log import logger
from support.fleet_run import FleetRun

from .measure import Measured

WORKERS = 5


def run(size: int) -> Measured:
    """All images of a fleet change, every tenth twice, through the real worker and completer, with
    five workers at once.
    """
    logger.setLevel(logging.CRITICAL)  # A line for each update would be what is seen of the table.
    fleet = FleetRun(size)
    begin = fleet.time()
    names = fleet.ecs.names
    ids = fleet.begin_batch([fleet.ecs.event(name) for name in names], "first")
    ids += fleet.begin_batch(
        [fleet.ecs.event(name, "registry/app:3") for name in names[::10]], "second"
    )
    fleet.work_together(WORKERS)
    seconds = fleet.time() - begin
    fleet.time.now += 120
    fleet.complete()
    ended = Counter(fleet.entry(one).verdict for one in ids)
    updates: dict[str, list[str]] = {name: [] for name in names}
    for name, revision in fleet.ecs.updates:
        updates[name].append(revision)
    twice = names[::10]
    expected = {name: [f"{name}:2"] for name in names} | {
        name: [f"{name}:2", f"{name}:3"] for name in twice
    }
    images = {name: f"registry/app:{len(revisions) + 1}" for name, revisions in expected.items()}
    calls = fleet.ecs.buckets
    return Measured(
        name="ecs-updater, simulated",
        services=size,
        changed=len(ids),
        seconds=seconds,
        calls=calls.calls.total(),
        throttled=calls.throttled.total(),
        failed=sum(fleet.ecs.image(name) != images[name] for name in names),
        # Nothing lost, nothing done twice, each service's in their order. Of two, the first is
        # superseded if the second comes soon.
        wrong=len(ids)
        - ended["SUCCEEDED"]
        - min(ended["SUPERSEDED"], len(twice))
        + sum(updates[name] != expected[name] for name in names),
        revisions=len(fleet.ecs.registered),
    )
