"""Simulates large batches within ECS's rate limits: 17 simulated minutes take one."""

import logging
from collections import Counter

from ecs_updater.log import logger
from support.fleet_run import FleetRun

from .measurement import Measurement

WORKERS = 5


def simulate(size: int) -> Measurement:
    """Changes the images of `size` services, and of every tenth service twice.

    Runs the real worker, five times in parallel, and the real reconciler.
    """
    logger.setLevel(logging.CRITICAL)  # A log line per update would hide the table.
    run = FleetRun(size)
    start = run.time()
    names = run.ecs.names
    ids = run.begin_batch([run.ecs.event(name) for name in names], "first")
    ids += run.begin_batch(
        [run.ecs.event(name, "registry/app:3") for name in names[::10]], "second"
    )
    run.work_together(WORKERS)
    seconds = run.time() - start
    run.time.now += 120
    run.reconcile()
    verdicts = Counter(run.entry(request_id).verdict for request_id in ids)
    revisions: dict[str, list[str]] = {name: [] for name in names}
    for name, revision in run.ecs.updates:
        revisions[name].append(revision)
    twice = names[::10]
    expected = {name: [f"{name}:2"] for name in names} | {
        name: [f"{name}:2", f"{name}:3"] for name in twice
    }
    images = {name: f"registry/app:{len(expected[name]) + 1}" for name in names}
    buckets = run.ecs.buckets
    return Measurement(
        name="ecs-updater, simulated",
        services=size,
        changed=len(ids),
        seconds=seconds,
        calls=buckets.calls.total(),
        throttled=buckets.throttled.total(),
        failed=sum(run.ecs.image(name) != images[name] for name in names),
        # Each update is made once, in the order of its service. The first of two updates is
        # superseded if the second starts early.
        wrong=len(ids)
        - verdicts["SUCCEEDED"]
        - min(verdicts["SUPERSEDED"], len(twice))
        + sum(revisions[name] != expected[name] for name in names),
        revisions=len(run.ecs.registered),
    )
