"""Kills at every request of an update whose entry is as large as DynamoDB lets an item be: nothing
is lost, nobody is stopped.
"""

from dataclasses import dataclass

import pytest
from botocore.useragent import UserAgentString

from fakes.memory_dynamodb import ITEM_LIMIT, MemoryDynamodb, size_of
from support.fault_runs import (
    BAD,
    GOOD,
    OTHER,
    OTHER_EVENT,
    REQUEST,
    Figures,
    Run,
    Scenario,
    the_reconciler_first,
    the_same_again,
)
from support.rollout_world import Function
from support.sampling import sample
from support.trouble import KILLS, Trouble


def largest(number, letter):
    """Fifty tags with as many letters as ECS takes."""
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


SCENARIOS = [scenario_of("漢"), scenario_of("𠀀"), scenario_of("𠀀", BAD)]
"""The answer of the first one just fits into the item; those of the others, whose letters have four
bytes, do not.
"""


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


@pytest.fixture(name="begin")
def _begin(function, monkeypatch):
    """Begins a run, in which the SDK waits on the world's clock."""
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")

    def begin(scenario, figures):
        run = Run(scenario, function, figures)
        run.world.ecs.clock.drive_sdk(monkeypatch)
        return run

    return begin


def entry_of(world):
    """The update's entry as an item."""
    return next(
        item
        for item in world.dynamodb.items.values()
        if item.get("request_id") == {"S": REQUEST} and "before" in item
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_entry_is_as_large_as_can_be_and_a_repetition_gets_the_whole_answer(scenario, begin):
    run = begin(scenario, Figures())
    first = scenario.send(run.world)
    is_whole = scenario.letter == "漢"
    assert ITEM_LIMIT * (0.85 if is_whole else 0.35) < size_of(entry_of(run.world)) <= ITEM_LIMIT
    again = scenario.send(run.world)
    assert again.answer == first.answer and str(again.error) == str(first.error)
    if scenario.is_new:
        changes = [one["what"] for one in again.answer["body"]["changes"]]
        keys = {*largest(1, scenario.letter), *largest(2, scenario.letter)}
        assert changes == ["image.ecs-dummy-container", *(f"tag.{key}" for key in sorted(keys))]
    run.check_end()
    assert not run.figures.violations


@pytest.mark.parametrize("scenario", SCENARIOS[1:], ids=lambda scenario: scenario.name)
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
    if run.scenario.is_new:
        if (outcome.verdict, world.state[1]) != ("SUCCEEDED", OTHER_EVENT["ecs_tag"]):
            run.wrong(f"{trouble}: the later update is {outcome.verdict} {outcome.text}")
    elif outcome.verdict != "RolloutFailedError":
        run.wrong(f"{trouble}: the later update is {outcome.verdict} {outcome.text}")
    if any(key[0] == "OPEN" for key in world.dynamodb.items):
        run.wrong(f"{trouble}: something is left open")
