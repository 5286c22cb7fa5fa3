"""Simulates large batches within ECS's rate limits: 17 simulated minutes take one."""

import logging
from collections import Counter
from dataclasses import dataclass
from itertools import cycle

from ecs_updater.aws.ecs import Ecs
from ecs_updater.deployments.reconciler import RATE_SHARE
from ecs_updater.log import logger
from support.fleet_run import FleetRun
from support.open_updates import OpenUpdates

from .measurement import Measurement

WORKERS = 5


PER_REVISION = 10
"""Services that run the same revision, if they share revisions."""


def simulate(size: int, shares: bool = False) -> Measurement:
    """Changes the images of `size` services, and of the first tenth twice.

    `shares`: ten services run the same revision, and come one after the other. Runs the real
    worker, five times in parallel, and the real reconciler.
    """
    logger.setLevel(logging.CRITICAL)  # A log line per update would hide the table.
    families = [f"family-{number:04d}" for number in range(size // PER_REVISION)]
    container = {"name": "app", "image": "registry/app:1", "memory": 128}
    bodies = [{"family": name, "containerDefinitions": [container]} for name in families]
    run = FleetRun(size, shared=bodies if shares else ())
    family = dict(zip(run.ecs.names, cycle(families if shares else run.ecs.names), strict=False))
    start = run.time()
    names = sorted(run.ecs.names, key=lambda name: family[name])
    ids = run.begin_batch([run.ecs.event(name) for name in names], "first")
    twice = names[: size // 10]
    ids += run.begin_batch([run.ecs.event(name, "registry/app:3") for name in twice], "second")
    run.work_together(WORKERS)
    seconds = run.time() - start
    run.time.now += 120
    # As the function has it: within its share of ECS's rates.
    client = run.boundary._client  # pylint: disable=protected-access
    run.boundary = Ecs(client, share=RATE_SHARE, clock=run.clock)
    run.reconcile()
    verdicts = Counter(run.entry(request_id).verdict for request_id in ids)
    revisions: dict[str, list[str]] = {name: [] for name in names}
    for name, revision in run.ecs.updates:
        revisions[name].append(revision)
    expected = {name: [f"{family[name]}:2"] for name in names} | {
        name: [f"{family[name]}:2", f"{family[name]}:3"] for name in twice
    }
    images = {name: f"registry/app:{len(expected[name]) + 1}" for name in names}
    buckets = run.ecs.buckets
    return Measurement(
        name=f"ecs-updater, simulated{', shared revisions' if shares else ''}",
        services=size,
        changed=len(ids),
        expected=len({revision for each in expected.values() for revision in each}),
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


@dataclass(frozen=True)
class ReconcilerRun:
    """The figures of one run of the reconciler."""

    open: int
    seconds: float
    polled: int
    ended: int
    never_polled: int
    """Updates that no run has polled yet."""
    calls: int
    """Calls of ECS."""
    throttled: int
    is_killed: bool = False


def reconcile_open_updates(size: int, kill_after: int = 3000) -> list[ReconcilerRun]:
    """Runs the reconciler three times over `size` open updates. The first run is killed."""
    logger.setLevel(logging.CRITICAL)
    updates, runs = OpenUpdates(size), list[ReconcilerRun]()
    buckets = updates.run.ecs.buckets
    for number in range(3):
        is_killed = number == 0
        before = updates.polls.total(), buckets.calls.total(), buckets.throttled.total()
        still_open = len(updates.markers)
        updates.reconcile(min(kill_after, size // 3) if is_killed else None)
        runs.append(
            ReconcilerRun(
                open=still_open,
                seconds=updates.seconds,
                polled=updates.polls.total() - before[0],
                ended=still_open - len(updates.markers),
                never_polled=len(updates.never_polled),
                calls=buckets.calls.total() - before[1],
                throttled=buckets.throttled.total() - before[2],
                is_killed=is_killed,
            )
        )
    return runs
