"""The reconciler: ends what is open in the ledger, by events of EventBridge and by a poll, and does
no harm when it comes twice.
"""

import json
from pathlib import Path

import pytest

from ecs_updater.deployments.reconciler import service_of
from fakes.simulated_ecs import Image
from fakes.wire import SERVICE_ARN
from support.rollout_world import OLD_TAGS

EVENTS = Path(__file__).resolve().parents[1] / "events" / "eventbridge"
COMPLETED = json.loads((EVENTS / "SERVICE_DEPLOYMENT_COMPLETED.json").read_text("utf-8"))
FAILED = json.loads((EVENTS / "SERVICE_DEPLOYMENT_FAILED.json").read_text("utf-8"))
SCHEDULE = json.loads((EVENTS / "SCHEDULE.json").read_text("utf-8"))


@pytest.mark.parametrize(
    "event", [COMPLETED, SCHEDULE, {}, None], ids=["completed", "schedule", "empty", "none"]
)
def test_an_update_that_nobody_waited_for_is_ended_when_its_rollout_is_done(world, event):
    world.send()
    assert world.reconcile(event).to_json() == {
        "ended": [],
        "open": 1,
        "notified": 0,
        "skipped": [],
    }
    world.pass_time(60)
    (ended,) = world.reconcile(event).ended
    assert (ended.verdict, ended.cause) == ("SUCCEEDED", "1 of 1 tasks run ecs-dummy-task:2")
    assert world.reconcile(event).to_json() == {
        "ended": [],
        "open": 0,
        "notified": 0,
        "skipped": [],
    }


def test_a_recorded_failure_event_leads_to_the_rollback_that_was_asked_for(world):
    world.ecs.publish("app:2", Image.exits(code=3))
    world.send(rollback_on_failure=True)
    world.pass_time(120)
    world.reconcile(FAILED)
    world.pass_time(60)
    (ended,) = world.reconcile(FAILED).ended
    assert ended.verdict == "ROLLED_BACK" and "exited with code 3" in ended.cause
    assert world.state == ({"ecs-dummy-container": "busybox"}, OLD_TAGS)


def test_an_event_of_another_service_is_none_of_this_ones_business(world):
    world.send()
    world.pass_time(60)
    other = {**COMPLETED, "resources": [SERVICE_ARN.replace("dummy", "other")]}
    assert world.reconcile(other).to_json() == {
        "ended": [],
        "open": 0,
        "notified": 0,
        "skipped": [],
    }


def test_a_service_that_an_update_holds_is_left_to_it(world):
    world.send()
    world.pass_time(60)
    release = world.held("somebody")
    assert world.reconcile().open == 1
    release()
    assert len(world.reconcile().ended) == 1


def test_a_service_that_is_gone_ends_its_updates(world):
    world.send()
    world.ecs.delete_service()
    world.pass_time(300)
    (ended,) = world.reconcile().ended
    assert ended.verdict == "STOPPED" and "was deleted" in ended.cause


def test_a_read_that_fails_leaves_it_for_the_next_run(world):
    world.send()
    world.pass_time(60)
    world.ecs.throttle("DescribeServices", 4)
    run = world.reconcile()
    assert (run.ended, len(run.skipped)) == ([], 1) and "Rate exceeded" in run.skipped[0]
    assert len(world.reconcile().ended) == 1


def test_an_update_of_seconds_costs_the_reconciler_few_calls(world, figure):
    world.send()
    world.pass_time(60)
    calls, items = sum(world.calls.values()), sum(world.table.calls.values())
    world.reconcile()
    used = sum(world.calls.values()) - calls, sum(world.table.calls.values()) - items
    figure(
        "reconciler: one open update that succeeded",
        f"{used[0]} ECS calls, {used[1]} DynamoDB calls",
    )
    assert used[0] <= 4


def test_with_nothing_open_it_takes_its_lease_asks_the_ledger_once_and_ecs_nothing(world):
    before = sum(world.table.calls.values())
    world.reconcile()
    assert (sum(world.calls.values()), sum(world.table.calls.values()) - before) == (0, 3)


@pytest.mark.parametrize(
    "event, service",
    [
        (COMPLETED, SERVICE_ARN),
        (FAILED, SERVICE_ARN),
        (None, None),
        ([], None),
        ({"detail-type": "ECS Deployment State Change"}, None),
        ({**COMPLETED, "resources": [1]}, None),
        (SCHEDULE, None),
    ],
)
def test_an_event_of_a_deployment_names_its_service_and_any_other_means_all(event, service):
    assert service_of(event) == service
