"""Whatever goes wrong with any request to AWS: the same event sent again ends with the service
fully new, or fully old, and the ledger is right.

Each scenario runs once as it is, to learn its requests; then once for every request and every way
in which that can go wrong.
"""

import itertools

import pytest
from botocore.useragent import UserAgentString

from ecs_updater.ledger.lease import LEASE_SECONDS
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.simulated_ecs import BREAKER
from support.fault_runs import (
    BAD,
    GOOD,
    ROLLBACK,
    Figures,
    Run,
    Scenario,
    the_reconciler_first,
    the_same_again,
)
from support.rollout_world import Function
from support.sampling import sample
from support.trouble import FAILURES, KILLS, Reach, Trouble

BACK = {"rollback_on_failure": True}
WAIT = {"wait_seconds": 60}
FORCED = {"ecs_image_name": "busybox", "force_new_deployment": True}
NO_RECORDS = {"service_deployments": False}
BROKEN = {"breaker": BREAKER}

SCENARIOS = [
    Scenario("update", {}, "SUCCEEDED", True),
    Scenario("update and wait", WAIT, "SUCCEEDED", True, begins_at="UpdateService"),
    Scenario("forced deployment", FORCED, "SUCCEEDED", True),
    Scenario(
        "update, rolled back by StopServiceDeployment", WAIT | BACK, "ROLLED_BACK", False, BAD
    ),
    Scenario(
        "update, rolled back by UpdateService",
        WAIT | BACK,
        "ROLLED_BACK",
        False,
        BAD,
        NO_RECORDS,
        begins_at="UpdateService",
    ),
    Scenario(
        "update, rolled back by ECS",
        WAIT | BACK,
        "ROLLED_BACK",
        False,
        BAD,
        BROKEN,
        begins_at="UpdateService",
    ),
    Scenario("rollback event", WAIT, "SUCCEEDED", False, event=ROLLBACK, is_updated_first=True),
    Scenario(
        "rollback event over INACTIVE",
        WAIT,
        "SUCCEEDED",
        False,
        event=ROLLBACK,
        is_updated_first=True,
        is_old_inactive=True,
    ),
    Scenario(
        "update, rolled back over INACTIVE",
        WAIT | BACK,
        "ROLLED_BACK",
        False,
        BAD,
        NO_RECORDS,
        is_old_inactive=True,
        begins_at="UpdateService",
    ),
    Scenario("reconciler, good image", {}, "SUCCEEDED", True, by_reconciler=True),
    Scenario(
        "reconciler, rolls back by StopServiceDeployment",
        BACK,
        "ROLLED_BACK",
        False,
        BAD,
        by_reconciler=True,
    ),
    Scenario(
        "reconciler, rolls back by UpdateService",
        BACK,
        "ROLLED_BACK",
        False,
        BAD,
        NO_RECORDS,
        by_reconciler=True,
    ),
    Scenario(
        "reconciler, ECS has rolled back",
        BACK,
        "ROLLED_BACK",
        False,
        BAD,
        BROKEN,
        by_reconciler=True,
    ),
]

READS = ("Describe", "List", "Get", "Query")
"""What has no effect: whether it fails before or after makes no difference."""

FOLLOWED = ("update", "update, rolled back by StopServiceDeployment", "update, rolled back by ECS")
"""After these another update comes."""


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


@pytest.fixture(name="time_of_the_sdk")
def _time_of_the_sdk(monkeypatch):
    """Lets the SDK wait on a world's clock.

    What it calls itself takes it longer than most of what it does for a request.
    """
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")
    return lambda world: world.ecs.clock.drive_sdk(monkeypatch)


def troubles(requests, begins_at):
    """Each request fails in every way until the SDK gives up, in one way once (most the SDK sends
    again), and in one for good.
    """
    operations = [operation for _, operation in requests]
    for at in range(operations.index(begins_at) if begins_at else 0, len(requests)):
        yield Trouble(at, FAILURES[at % len(FAILURES)], Reach.ONCE), the_same_again
        yield Trouble(at, FAILURES[(at + 3) % len(FAILURES)], Reach.OUTAGE), the_same_again
        has_effect = not operations[at].startswith(READS)
        for kind in FAILURES:
            if has_effect or not kind.after_effect:
                yield Trouble(at, kind, Reach.CALL), the_same_again
        for kind in KILLS:
            if has_effect or not kind.after_effect:
                yield Trouble(at, kind), the_same_again
                yield Trouble(at, kind), the_reconciler_first


def requests_of(scenario, function, time_of_the_sdk):
    """What the process of a scenario sends when nothing goes wrong, which ends as it should."""
    run = Run(scenario, function, Figures())
    time_of_the_sdk(run.world)
    scenario.process(run.world)
    requests = list(run.world.process.sent)
    the_same_again(run)
    run.check_end()
    assert not run.figures.violations
    return requests


@pytest.mark.parametrize("kind", KILLS, ids=lambda kind: kind.name)
def test_who_is_killed_sends_nothing_more_and_keeps_the_lease_until_it_expires(
    kind, function, time_of_the_sdk
):
    run = Run(SCENARIOS[0], function, Figures())
    time_of_the_sdk(run.world)
    run.world.at_next = Trouble(9, kind)
    assert SCENARIOS[0].send(run.world).was_killed
    assert len(run.world.process.sent) == 10
    assert not run.world.lease_is_free
    assert (
        "is held by another update (request_id request-1, since"
        in SCENARIOS[0].send(run.world).text
    )
    run.world.pass_time(LEASE_SECONDS + 0.1)
    assert run.world.lease_is_free


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_whatever_goes_wrong_the_same_event_again_makes_all_well(
    scenario, function, time_of_the_sdk, figure
):
    requests, figures = requests_of(scenario, function, time_of_the_sdk), Figures()
    for trouble, recovery in sample(troubles(requests, scenario.begins_at)):
        run = Run(scenario, function, figures)
        time_of_the_sdk(run.world)
        run.with_trouble(trouble, recovery)
    assert not figures.violations, "\n".join(["", *figures.violations])
    assert figures.counts["noticed"] and figures.counts["runs"] >= len(sample(4 * requests))
    figure(f"faults: {scenario.name}", f"{len(requests)} requests, {figures}")


@pytest.mark.parametrize(
    "scenario",
    [one for one in SCENARIOS if one.name in FOLLOWED],
    ids=lambda scenario: scenario.name,
)
@pytest.mark.parametrize("image", [GOOD, BAD], ids=["a good one", "a bad one"])
def test_after_a_kill_the_next_update_of_the_service_makes_all_well(
    scenario, image, function, time_of_the_sdk, figure
):
    requests, figures = requests_of(scenario, function, time_of_the_sdk), Figures()
    for at, kind in sample(itertools.product(range(len(requests)), KILLS)):
        run = Run(scenario, function, figures)
        time_of_the_sdk(run.world)
        run.with_another_update(Trouble(at, kind), image)
    assert not figures.violations, "\n".join(["", *figures.violations])
    what = f"{scenario.name}, killed, then {'a good' if image is GOOD else 'a bad'} one"
    figure(f"faults: {what}", f"{len(requests)} requests, {figures}")
