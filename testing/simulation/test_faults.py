"""Faults at every request to AWS: the same event sent again ends with the service fully new, or
fully old, and the ledger is right.

Each scenario runs once without faults, to record its requests. Then it runs once for every request
and every fault.
"""

import itertools
from dataclasses import dataclass

import pytest
from botocore.useragent import UserAgentString

from ecs_updater.ledger.lease import LEASE_SECONDS
from fakes.memory_dynamodb import ITEM_LIMIT, MemoryDynamodb, size_of
from fakes.simulated_ecs import BREAKER, EXPRESS, configuration_of, pause_at
from support.fault_runs import (
    BAD,
    GOOD,
    OLD,
    OTHER,
    OTHER_EVENT,
    REQUEST,
    ROLLBACK,
    Figures,
    Run,
    Scenario,
    the_reconciler_first,
    the_same_again,
)
from support.rollout_world import EVENT, OLD_TAGS, Function
from support.sampling import sample
from support.trouble import FAILURES, KILLS, Reach, Trouble

BACK = {"rollback_on_failure": True}
WAIT = {"wait_seconds": 60}
FORCED = {"ecs_image_name": "busybox", "force_new_deployment": True}
COUNT = {"ecs_desired_count": 3}
SCALE = {"ecs_image_name": None, **COUNT}
"""An image of None leaves the field out."""
BOTH = {**COUNT, "ecs_deployment": {"minimumHealthyPercent": 50}}
TASK = {"run_before": {"command": ["migrate"]}}
EXISTING = EVENT | {"ecs_task_definition": "ecs-dummy-task:1", "ecs_tag": OLD_TAGS}
del EXISTING["ecs_image_name"]
SETTINGS = {
    "ecs_environment": {"ADDED": "1", "OLD": None},
    "ecs_secrets": {
        "ADDED_SECRET": "arn:aws:ssm:eu-west-1:123456789012:parameter/shop",
        "OLD_SECRET": None,
    },
    "ecs_command": [],
    "ecs_cpu": 64,
    "ecs_task_cpu": 512,
    "ecs_task_memory": 1024,
}
WITH_SETTINGS = {
    "containers": [
        {
            "name": "ecs-dummy-container",
            "image": OLD,
            "memory": 128,
            "environment": [{"name": "OLD", "value": "1"}],
            "secrets": [{"name": "OLD_SECRET", "valueFrom": "old"}],
            "command": ["sh"],
        }
    ]
}
MANAGED = EXPRESS | {"configuration": {}}
"""An Express service whose rollouts are as short as those of the others."""
OWN = MANAGED | {"containers": [EXPRESS["containers"][0] | {"memory": 128}]}
BLUE_GREEN = {"configuration": configuration_of("BLUE_GREEN", bake=0)}
LINEAR = {"configuration": configuration_of("LINEAR", bake=0)}
CANARY = {
    "configuration": configuration_of(
        "CANARY", pause_at("PRE_PRODUCTION_TRAFFIC_SHIFT", minutes=1), bake=0
    )
}
WITHOUT_SERVICE_DEPLOYMENTS = {"service_deployments": False}
BROKEN = {"breaker": BREAKER}

SCENARIOS = [
    Scenario("update", {}, "SUCCEEDED", True),
    Scenario("update and wait", WAIT, "SUCCEEDED", True, begins_at="UpdateService"),
    Scenario("forced deployment", FORCED, "SUCCEEDED", True),
    Scenario(
        "settings",
        SETTINGS,
        "SUCCEEDED",
        True,
        options=WITH_SETTINGS,
        begins_at="RegisterTaskDefinition",
    ),
    Scenario(
        "update, rolled back by StopServiceDeployment", WAIT | BACK, "ROLLED_BACK", False, BAD
    ),
    Scenario(
        "update, rolled back by UpdateService",
        WAIT | BACK,
        "ROLLED_BACK",
        False,
        BAD,
        WITHOUT_SERVICE_DEPLOYMENTS,
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
    Scenario("scale", WAIT | SCALE, "SUCCEEDED", True),
    Scenario(
        "scale, rolled back",
        WAIT | BACK | SCALE,
        "ROLLED_BACK",
        False,
        BAD,
        begins_at="UpdateService",
    ),
    Scenario(
        "update and scale, rolled back by StopServiceDeployment",
        WAIT | BACK | BOTH,
        "ROLLED_BACK",
        False,
        BAD,
        begins_at="UpdateService",
    ),
    Scenario(
        "update and scale, rolled back by ECS",
        WAIT | BACK | BOTH,
        "ROLLED_BACK",
        False,
        BAD,
        BROKEN,
        begins_at="UpdateService",
    ),
    Scenario(
        "reconciler, rolls back a scale",
        BACK | SCALE,
        "ROLLED_BACK",
        False,
        BAD,
        by_reconciler=True,
    ),
    Scenario(
        "update after a task", WAIT | TASK, "SUCCEEDED", True, begins_at="RegisterTaskDefinition"
    ),
    Scenario(
        "forced deployment after a task",
        WAIT | FORCED | TASK,
        "SUCCEEDED",
        True,
        begins_at="PutItem",
    ),
    Scenario("queue, task", TASK, "SUCCEEDED", True),
    Scenario(
        "update after a failed task",
        WAIT | TASK,
        "FAILED",
        False,
        begins_at="RunTask",
        task_exits_with=1,
    ),
    Scenario("reconciler, after a task", TASK, "SUCCEEDED", True, by_reconciler=True),
    Scenario(
        "reconciler, failed task", TASK, "FAILED", False, by_reconciler=True, task_exits_with=1
    ),
    Scenario(
        "update after a task, rolled back",
        WAIT | BACK | TASK,
        "ROLLED_BACK",
        False,
        BAD,
        begins_at="UpdateService",
    ),
    Scenario("batch", WAIT, "SUCCEEDED", True, batch="b"),
    Scenario("batch, shared revision", WAIT, "SUCCEEDED", True, batch="b", is_shared=True),
    Scenario(
        "batch, shared revision, after a task",
        WAIT | TASK,
        "SUCCEEDED",
        True,
        batch="b",
        is_shared=True,
        begins_at="PutItem",
    ),
    Scenario(
        "batch, shared revision, rolled back",
        WAIT | BACK,
        "ROLLED_BACK",
        False,
        BAD,
        batch="b",
        is_shared=True,
        begins_at="UpdateService",
    ),
    Scenario("existing revision", WAIT, "SUCCEEDED", False, event=EXISTING, is_updated_first=True),
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
        WITHOUT_SERVICE_DEPLOYMENTS,
        is_old_inactive=True,
        begins_at="UpdateService",
    ),
    Scenario("Express", WAIT, "SUCCEEDED", True, options=MANAGED),
    Scenario(
        "Express, own task definition",
        WAIT,
        "SUCCEEDED",
        True,
        options=OWN,
        begins_at="RegisterTaskDefinition",
    ),
    Scenario(
        "Express, rolled back by UpdateExpressGatewayService",
        WAIT | BACK,
        "ROLLED_BACK",
        False,
        BAD,
        MANAGED | WITHOUT_SERVICE_DEPLOYMENTS,
        begins_at="UpdateExpressGatewayService",
    ),
    Scenario(
        "reconciler, Express",
        BACK,
        "ROLLED_BACK",
        False,
        BAD,
        MANAGED,
        by_reconciler=True,
        begins_at="StopServiceDeployment",
    ),
    Scenario("blue/green", WAIT, "SUCCEEDED", True, options=BLUE_GREEN),
    Scenario(
        "linear, rolled back by StopServiceDeployment",
        WAIT | BACK,
        "ROLLED_BACK",
        False,
        BAD,
        LINEAR,
        begins_at="UpdateService",
    ),
    Scenario(
        "reconciler, canary with a pause that times out",
        BACK,
        "ROLLED_BACK",
        False,
        options=CANARY,
        by_reconciler=True,
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
        WITHOUT_SERVICE_DEPLOYMENTS,
        by_reconciler=True,
        begins_at="UpdateService",
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

FOLLOWED = (
    "update",
    "Express",
    "update after a task",
    "update, rolled back by StopServiceDeployment",
    "update, rolled back by ECS",
    "blue/green",
    "batch",
    "batch, shared revision",
)
"""After these another update comes."""


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


@pytest.fixture(name="begin")
def _begin(function, monkeypatch):
    """Begins runs in which the SDK waits on the clock of the world."""
    # The SDK takes longer for it than for most of a request.
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")

    def begin(scenario, figures):
        run = Run(scenario, function, figures)
        run.world.ecs.clock.drive_sdk(monkeypatch)
        return run

    return begin


def troubles(requests, begins_at):
    """Each request fails in every way until the SDK gives up, in one way once (most the SDK sends
    again), and in one for good.
    """
    operations = [operation for _, operation in requests]
    for at in range(first_of(operations, begins_at), len(requests)):
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


def first_of(operations, begins_at):
    """The index of the first request that can fail."""
    return operations.index(begins_at) if begins_at else 0


def requests_of(scenario, begin):
    """What the process of a scenario sends when nothing goes wrong, which ends as it should."""
    run = begin(scenario, Figures())
    scenario.process(run.world)
    requests = list(run.world.process.sent)
    the_same_again(run)
    run.check_end()
    assert not run.figures.violations
    return requests


def test_until_a_scenario_begins_another_one_sends_the_same_and_has_begun(begin):
    sent = [[operation for _, operation in requests_of(each, begin)] for each in SCENARIOS]
    runs = [
        (each, operations, first_of(operations, each.begins_at))
        for each, operations in zip(SCENARIOS, sent, strict=True)
    ]
    assert [
        scenario.name
        for scenario, operations, first in runs
        if first
        and not any(
            other.by_reconciler == scenario.by_reconciler
            and same[:first] == operations[:first]
            and begun < first
            for other, same, begun in runs
        )
    ] == []


@pytest.mark.parametrize("kind", KILLS, ids=lambda kind: kind.name)
def test_who_is_killed_sends_nothing_more_and_keeps_the_lease_until_it_expires(kind, begin):
    run = begin(SCENARIOS[0], Figures())
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
def test_after_any_fault_the_same_event_again_ends_the_update(scenario, begin, figure):
    requests, figures = requests_of(scenario, begin), Figures()
    for trouble, recovery in sample(troubles(requests, scenario.begins_at)):
        begin(scenario, figures).with_trouble(trouble, recovery)
    assert not figures.violations, "\n".join(["", *figures.violations])
    assert figures.counts["noticed"] and figures.counts["runs"] >= len(sample(4 * requests))
    figure(f"faults: {scenario.name}", f"{len(requests)} requests, {figures}")


@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if scenario.name in FOLLOWED],
    ids=lambda scenario: scenario.name,
)
@pytest.mark.parametrize("image", [GOOD, BAD], ids=["a good one", "a bad one"])
def test_after_a_kill_the_next_update_of_the_service_makes_all_well(scenario, image, begin, figure):
    requests, figures = requests_of(scenario, begin), Figures()
    for at, kind in sample(itertools.product(range(len(requests)), KILLS)):
        begin(scenario, figures).with_another_update(Trouble(at, kind), image)
    assert not figures.violations, "\n".join(["", *figures.violations])
    what = f"{scenario.name}, killed, then {'a good' if image is GOOD else 'a bad'} one"
    figure(f"faults: {what}", f"{len(requests)} requests, {figures}")


# The entry is as large as DynamoDB permits


def largest(number, letter):
    """Fifty tags with as many characters as ECS permits."""
    return {
        f"{number}-{index:02}-{letter * 123}": f"{index:02}{letter * 254}" for index in range(50)
    }


@dataclass(frozen=True)
class Largest(Scenario):
    """Every tag that the service has is replaced by another."""

    letter: str = ""

    @property
    def state(self):
        """The service in the end."""
        return {"ecs-dummy-container": self.deployments[-1]}, largest(
            2 if self.is_new else 1, self.letter
        )

    def world(self, function):
        """The world before the process that something happens to."""
        world = super().world(function)
        world.ecs.service.tags = largest(1, self.letter)
        return world


def scenario_of(letter, image=GOOD):
    """An update that is waited for; of a bad image it is rolled back."""
    fields = {"wait_seconds": 60, "rollback_on_failure": True, "ecs_tag": largest(2, letter)}
    verdict = "SUCCEEDED" if image is GOOD else "ROLLED_BACK"
    return Largest(f"{letter}, {verdict}", fields, verdict, image is GOOD, image, letter=letter)


LARGEST = [scenario_of("漢"), scenario_of("𠀀"), scenario_of("𠀀", BAD)]
"""The answer of the first scenario fits into the item. Those of four bytes make it too large."""


def entry_of(world):
    """The update's entry as an item."""
    return next(
        item
        for item in world.dynamodb.items.values()
        if item.get("request_id") == {"S": REQUEST} and "before" in item
    )


@pytest.mark.parametrize("scenario", LARGEST, ids=lambda scenario: scenario.name)
def test_the_entry_is_as_large_as_can_be_and_a_repetition_gets_the_whole_answer(scenario, begin):
    run = begin(scenario, Figures())
    first = scenario.send(run.world)
    is_whole = scenario.letter == "漢"
    assert ITEM_LIMIT * (0.85 if is_whole else 0.35) < size_of(entry_of(run.world)) <= ITEM_LIMIT
    again = scenario.send(run.world)
    assert again.answer == first.answer and str(again.error) == str(first.error)
    if scenario.is_new:
        changes = [change["what"] for change in again.answer["body"]["changes"]]
        keys = {*largest(1, scenario.letter), *largest(2, scenario.letter)}
        assert changes == ["image.ecs-dummy-container", *(f"tag.{key}" for key in sorted(keys))]
    run.check_end()
    assert not run.figures.violations


@pytest.mark.parametrize("scenario", LARGEST[1:], ids=lambda scenario: scenario.name)
def test_after_a_kill_the_same_event_the_reconciler_and_the_next_update_work(
    scenario, begin, figure
):
    run = begin(scenario, Figures())
    scenario.send(run.world)
    requests, figures = list(run.world.process.sent), Figures()
    for at in sample(range(len(requests))):
        for kind, recovery in zip(KILLS, (the_same_again, the_reconciler_first), strict=True):
            begin(scenario, figures).with_trouble(Trouble(at, kind), recovery)
        another_update_after_a_kill(begin(scenario, figures), Trouble(at, KILLS[at % len(KILLS)]))
    assert not figures.violations, "\n".join(["", *figures.violations])
    figure(f"kills with the largest entry: {scenario.name}", f"{len(requests)} requests, {figures}")


def another_update_after_a_kill(run, trouble):
    """The service has what a later update asks for, and nothing stays open."""
    world = run.world
    world.at_next = trouble
    assert run.scenario.send(world).was_killed
    world.pass_time(130)
    world.ecs.publish(OTHER, run.scenario.image)
    outcome = world.send(OTHER_EVENT | {"rollback_on_failure": False})
    run.reconcile()
    right = ("SUCCEEDED", OTHER_EVENT["ecs_tag"])
    is_right = (outcome.verdict, world.state[1]) == right
    if not run.scenario.is_new:
        is_right = outcome.verdict == "RolloutFailedError"
    run.expect(is_right, f"{trouble}: the later update is {outcome.verdict} {outcome.text}")
    is_open = any(key[0] == "OPEN" for key in world.dynamodb.items)
    run.expect(not is_open, f"{trouble}: something is left open")
