"""One request_id, one update: a repetition gets the first one's answer.

One service, one update at a time.
"""

from ecs_updater.errors import (
    InvalidEventError,
    LeaseHeldError,
    LedgerError,
    RolloutFailedError,
    ServiceUpdateError,
    TaskDefinitionRefusedError,
)
from ecs_updater.ledger.lease import Leases
from fakes.fake_ecs import DENIED, REFUSED
from fakes.simulated_ecs import Image
from support.rollout_world import OLD_TAGS


def deployments(world):
    """How many deployments were made by UpdateService."""
    return world.ecs.operations.count("UpdateService")


def test_a_repetition_gets_the_same_answer_and_writes_nothing(world):
    first = world.send(request_id="r", wait_seconds=120)
    calls = len(world.ecs.calls)
    assert world.send(request_id="r", wait_seconds=120).answer == first.answer
    assert len(world.ecs.calls) == calls and len(world.history) == 1


def test_what_the_ledger_costs_is_counted(world, figure):
    before = sum(world.table.calls.values())
    world.send()
    costs = sum(world.table.calls.values()) - before
    calls = sum(world.calls.values())
    figure(
        "ledger: an update of image and tags that nobody waits for",
        f"{calls} ECS calls, {costs} DynamoDB calls",
    )
    assert costs <= 12
    before = sum(world.table.calls.values())
    world.pass_time(60)
    world.reconcile()
    before = sum(world.table.calls.values())
    world.send()
    figure(
        "ledger: an event that asks for what is there",
        f"{sum(world.table.calls.values()) - before} DynamoDB calls",
    )


def test_a_repetition_of_what_failed_fails_with_the_same_words(world):
    world.ecs.publish("app:2", Image.exits(code=3))
    first = world.send(request_id="r", wait_seconds=120)
    again = world.send(request_id="r", wait_seconds=120)
    assert isinstance(again.error, RolloutFailedError) and str(again.error) == str(first.error)
    assert deployments(world) == 1


def test_a_repetition_is_told_how_the_rollout_ended_meanwhile(world):
    assert world.send(request_id="r").verdict == "IN_PROGRESS"
    world.pass_time(60)
    world.reconcile()
    assert world.send(request_id="r").verdict == "SUCCEEDED" and deployments(world) == 1


def test_a_repetition_that_waits_follows_what_the_first_one_began(world):
    assert world.send(request_id="r").verdict == "IN_PROGRESS"
    again = world.send(request_id="r", wait_seconds=120)
    assert again.verdict == "SUCCEEDED" and deployments(world) == 1
    assert world.verdicts == ["SUCCEEDED"]


def test_the_same_request_id_for_another_event_is_refused(world):
    world.send(request_id="r")
    again = world.send(request_id="r", ecs_image_name="app:3")
    assert isinstance(again.error, InvalidEventError) and "was another event's" in str(again.error)
    assert deployments(world) == 1


def test_what_was_refused_for_good_is_not_tried_again(world):
    world.ecs.fail("RegisterTaskDefinition", REFUSED)
    first = world.send(request_id="r")
    assert isinstance(first.error, TaskDefinitionRefusedError)
    assert str(world.send(request_id="r").error) == str(first.error)
    assert world.ecs.operations.count("RegisterTaskDefinition") == 1


def test_what_may_succeed_later_is_tried_again(world):
    world.ecs.fail("UpdateService", DENIED)
    first = world.send(request_id="r")
    assert isinstance(first.error, ServiceUpdateError) and world.tags == OLD_TAGS
    assert world.send(request_id="r").verdict == "IN_PROGRESS"
    assert world.verdicts == [None, "NOT_DEPLOYED"]


def test_an_event_without_one_is_a_new_update_each_time(world):
    world.send()
    world.pass_time(60)
    assert world.send().verdict == "NO_CHANGE"
    assert len({entry.request_id for entry in world.history}) == 2


def test_a_service_that_another_update_holds_is_refused_and_can_be_tried_again(world):
    holder = world.held("somebody")
    outcome = world.send()
    assert isinstance(outcome.error, LeaseHeldError)
    assert "is held by another update (request_id somebody" in str(
        outcome.error
    ) and "try again" in str(outcome.error)
    assert deployments(world) == 0
    holder()
    assert world.send().verdict == "IN_PROGRESS"


def test_a_service_that_another_update_holds_is_waited_for_within_the_time_to_wait(world):
    holder = world.held("somebody")
    world.ecs.clock.after(40, holder)
    outcome = world.send(wait_seconds=120)
    assert outcome.verdict == "SUCCEEDED" and world.clock.now() - world.ecs.clock.start <= 120


def test_the_wait_for_another_update_ends_with_the_time_to_wait(world):
    world.held("somebody")
    assert isinstance(world.send(wait_seconds=30).error, LeaseHeldError)
    assert world.clock.now() - world.ecs.clock.start <= 31


def test_a_lease_that_could_not_be_given_back_is_noted_and_the_update_is_done_all_the_same(
    world, monkeypatch
):
    def fail(*_):
        raise LedgerError("UpdateItem failed on the table")

    monkeypatch.setattr(Leases, "release", fail)
    outcome = world.send(wait_seconds=60)
    assert outcome.verdict == "SUCCEEDED"
    assert outcome.answer["body"]["deployment"]["notes"] == [
        "[ERROR][ecs_service_read] UpdateItem failed on the table"
    ]
