"""Two updates, a rollback, the reconciler and somebody else's deployment at once, in an order that
a seed decides.

``INTERLEAVING_SEEDS=10000`` runs more seeds. ``SEED=123`` runs that one and prints its schedule:

    SEED=123 .tools/test/bin/pytest -s testing/simulation/test_interleavings.py -k replays
"""

import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from ecs_updater.aws.errors import Outcome
from ecs_updater.deployments import writer
from ecs_updater.deployments.journal import Journal
from ecs_updater.ledger.lease import SORT_KEY, Lease, Leases
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.simulated_ecs import Clock
from support.interleaved_checks import violations
from support.interleaved_run import InterleavedRun
from support.interleaving import Interleaving
from support.rollout_world import Function
from support.sampling import sample

SEEDS = int(os.environ.get("INTERLEAVING_SEEDS") or 300)
MOST_UNTIL_FOUND = 1000


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


def first_found(function, focus=""):
    """The first seed with which something does not hold; None without.

    ``focus``: only where trouble hits this operation most.
    """
    for seed in range(MOST_UNTIL_FOUND):
        weather = InterleavedRun(seed, function).weather
        if (not focus or (weather.focus == focus and weather.focused)) and run_of(seed, function)[
            1
        ]:
            return seed
    return None


def test_whatever_the_order_the_result_is_that_of_a_serial_one(function, figure):
    seeds = sample(range(SEEDS), every=5)
    counts, begin = Counter(seeds=len(seeds)), time.process_time()
    for seed in seeds:
        run, wrong = run_of(seed, function)
        assert not wrong, "\n".join([f"SEED={seed}", *wrong, *map(str, run.turns.schedule)])
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


def test_the_same_seed_gives_the_same_schedule(function):
    for seed in range(20):
        assert run_of(seed, function)[0].turns.schedule == run_of(seed, function)[0].turns.schedule


def test_the_same_seed_gives_the_same_schedule_in_another_process(function):
    """Where strings have other hashes, and sets another order."""
    begin = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-s",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-k",
        "replays",
        __file__,
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    told = subprocess.run(
        begin,
        env=environment | {"SEED": "7", "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    schedule = run_of(7, function)[0].turns.schedule
    assert len(schedule) > 20 and "\n".join(map(str, schedule)) in told


# The scheduler finds what it is there to find


def test_a_plan_made_before_a_holder_that_did_not_give_back_the_lease_is_found(
    function, monkeypatch, figure
):
    """As it was: only a lease that was given back showed that its holder may have written."""
    never_given_back = set()
    take, is_stale = Leases._take, Lease.is_stale  # pylint: disable=protected-access

    def take_and_note(self, service, holder, tries):
        was_held = "holder" in function.dynamodb.items.get((service, SORT_KEY), {})
        taken, pause = take(self, service, holder, tries)
        if was_held and isinstance(taken, Lease):
            never_given_back.add(taken.holder.id)
        return taken, pause

    monkeypatch.setattr(Leases, "_take", take_and_note)
    monkeypatch.setattr(
        Lease,
        "is_stale",
        lambda self, at: self.holder.id not in never_given_back and is_stale(self, at),
    )
    found = first_found(function)
    assert found is not None
    figure("stale plan found with seed", str(found))


def test_a_write_without_a_confirmed_lease_is_found(function, monkeypatch, figure):
    monkeypatch.setattr(Journal, "before_write", lambda self: None)
    found = first_found(function)
    assert found is not None
    figure("write without confirmed lease found with seed", str(found))


def test_a_second_deployment_for_one_intent_is_found(function, monkeypatch, figure):
    """UpdateService is sent again after a lost answer without looking first."""

    def do_not_look(_ecs, _plan, _arn, failure):
        if failure.outcome is not Outcome.UNKNOWN:
            raise failure

    monkeypatch.setattr(writer, "_find_deployed", do_not_look)
    found = first_found(function, focus="UpdateService")
    assert found is not None
    figure("second deployment found with seed", str(found))


# The scheduler itself


def test_a_thread_that_fails_ends_the_run_with_its_failure():
    turns = Interleaving(1, Clock())

    def fail():
        turns.wait(1)
        raise ValueError("here")

    turns.start("failing", fail)
    turns.start("waiting", lambda: turns.wait(10))
    with pytest.raises(ValueError, match="here"):
        turns.run()


def test_a_thread_without_an_end_ends_the_run():
    turns = Interleaving(1, Clock())

    def wait_for_ever():
        while True:
            turns.wait(1)

    turns.start("endless", wait_for_ever)
    turns.start("waiting", lambda: turns.wait(10))
    with pytest.raises(AssertionError, match="no end after"):
        turns.run()


def test_time_passes_only_when_all_wait_and_as_far_as_the_first():
    clock = Clock()
    turns, begin = Interleaving(1, clock), clock.now()
    seen = []

    def wait(seconds):
        turns.wait(seconds)
        seen.append((seconds, clock.now() - begin))

    for seconds in (5, 1, 3):
        turns.start(str(seconds), lambda seconds=seconds: wait(seconds))
    turns.run()
    assert seen == [(1, 1), (3, 3), (5, 5)]
