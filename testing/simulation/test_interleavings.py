"""Two updates, a rollback, the reconciler and somebody else's deployment at once, in an order that
a seed decides.

``INTERLEAVING_SEEDS=10000`` runs more seeds. ``SEED=123`` runs that one and prints its schedule:

    SEED=123 .tools/test/bin/pytest -s testing/simulation/test_interleavings.py -k replays
"""

import os
import time
from collections import Counter

import pytest

from fakes.memory_dynamodb import MemoryDynamodb
from support.interleaved_checks import violations
from support.interleaved_run import InterleavedRun
from support.rollout_world import Function
from support.sampling import sample

SEEDS = int(os.environ.get("INTERLEAVING_SEEDS") or 300)


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


def run_of(seed, function):
    """One seed, run to its end, and what does not hold."""
    run = InterleavedRun(seed, function)
    try:
        run.run()
        return run, violations(run)
    except Exception as error:  # pylint: disable=broad-exception-caught  # A defect is a find: with its schedule.
        return run, [f"{type(error).__name__}: {error}"]


def test_in_any_order_the_result_is_that_of_a_serial_one(function, figure):
    seeds = sample(range(SEEDS))
    counts, begin = Counter(seeds=len(seeds)), time.process_time()
    for seed in seeds:
        run, wrong = run_of(seed, function)
        assert not wrong, "\n".join([f"SEED={seed}", *wrong, *run.turns.schedule])
        counts += run.counts
        counts["switches"] += run.turns.switches
        counts["deployments"] += len(run.made)
    for what in ("kills", "lost answers", "failures", "stalls"):
        assert counts[what], what
    counts["seconds"] = round(time.process_time() - begin)
    figure("interleavings", ", ".join(f"{number} {what}" for what, number in counts.items()))


@pytest.mark.skipif("SEED" not in os.environ, reason="SEED names no seed")
def test_a_seed_replays(function):
    run, wrong = run_of(int(os.environ["SEED"]), function)
    print("", *run.intents, *run.turns.schedule, *run.made, *reversed(run.world.history), sep="\n")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("seed", [3642, 5816, 6173, 7167, 8613, 9493])
def test_a_seed_that_found_a_defect_stays_clean(function, seed):
    assert not run_of(seed, function)[1]
