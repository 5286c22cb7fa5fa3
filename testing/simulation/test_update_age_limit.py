"""No update stays open for good: after so many hours without a change it ends, or is rolled back
where it asked for that.
"""

import re

import pytest

from ecs_updater.log import logger
from fakes.simulated_ecs import Image, Timing
from fakes.wire import DENIED
from support.rollout_world import OLD_TAGS

HOUR, DAY = 3600, 86_400
BACK = {"rollback_on_failure": True}
AGED = (
    r"nothing of the rollout has changed for 2[47] hours \(OPEN_UPDATE_MAX_HOURS\): 0 of 1 tasks "
    r"run ecs-dummy-task:2"
)
REQUEST = ("REQUEST#r", "REQUEST")


@pytest.fixture(name="warnings")
def _warnings(monkeypatch):
    """The warnings in the log."""
    logged = []
    monkeypatch.setattr(
        logger, "warning", lambda message, **fields: logged.append((message, fields))
    )
    return logged


@pytest.fixture(name="world")
def _world(make_world):
    """A world in which ``app:2`` can never be placed."""
    return make_world(image=Image.never_placed())


def complete_for(world, seconds, every=3 * HOUR, **settings):
    """Runs of the reconciler for so long; what they ended."""
    ended = []
    for _ in range(int(seconds / every)):
        world.pass_time(every)
        ended += world.reconcile(settings=settings).ended
    return ended


def test_a_rollout_that_can_never_be_placed_ends_after_a_day_with_its_age_and_last_state(
    world, warnings
):
    world.send(request_id="r")
    assert complete_for(world, 21 * HOUR) == [] and not warnings
    (ended,) = complete_for(world, 6 * HOUR)
    assert (ended.verdict, ended.error_type) == ("TIMED_OUT", None)
    assert re.match(AGED, ended.cause)
    assert "was unable to place a task" in ended.cause
    assert world.reconcile().to_json() == {"ended": [], "open": 0, "notified": 0, "skipped": []}
    ((_, fields),) = warnings
    assert fields["request_id"] == "r" and fields["reason"] == ended.cause
    again = world.send(request_id="r")
    assert again.verdict == "TIMED_OUT" and world.ecs.operations.count("UpdateService") == 1


def test_where_a_rollback_was_asked_for_it_is_rolled_back_with_the_age_as_the_cause(
    world, warnings
):
    world.send(request_id="r", **BACK)
    (ended,) = complete_for(world, 33 * HOUR)
    assert ended.verdict == "ROLLED_BACK"
    assert re.match(AGED, ended.cause)
    assert world.state == ({"ecs-dummy-container": "busybox"}, OLD_TAGS)
    assert [fields.get("error_type") for _, fields in warnings] == [None, "RolloutRolledBackError"]


@pytest.mark.parametrize("hours", [1, 48, 120])
def test_the_age_is_a_setting(world, hours):
    world.send()
    setting = {"OPEN_UPDATE_MAX_HOURS": str(hours)}
    assert complete_for(world, 0.9 * hours * HOUR, 0.3 * hours * HOUR, **setting) == []
    (ended,) = complete_for(world, 0.3 * hours * HOUR, 0.3 * hours * HOUR, **setting)
    assert ended.verdict == "TIMED_OUT"


def test_the_next_update_ends_it_as_well(world, warnings):
    world.send(request_id="r")
    world.pass_time(25 * HOUR)
    world.send(ecs_image_name="app:3")
    assert world.verdicts == [None, "TIMED_OUT"] and len(warnings) == 1


def test_the_age_counts_from_the_last_change(make_world):
    """Thirty tasks, one after another, each of which takes an hour: more than a day, and something
    changes all the time.
    """
    world = make_world(
        desired=30, configuration={"maximumPercent": 104, "minimumHealthyPercent": 100}
    )
    world.ecs.publish("app:2", Image.slow(HOUR))
    world.send()
    assert [entry.verdict for entry in complete_for(world, 36 * HOUR, 6 * HOUR)] == [
        "SUCCEEDED"
    ] and world.clock.now() - world.ecs.clock.start > 30 * HOUR


def test_an_update_that_joins_a_rollout_is_not_as_old_as_that(world):
    world.send()
    world.pass_time(20 * HOUR)
    assert world.send(request_id="again").verdict == "IN_PROGRESS"
    assert len(complete_for(world, 6 * HOUR)) == 1 and world.reconcile().open == 1
    assert [entry.verdict for entry in complete_for(world, 21 * HOUR)] == ["TIMED_OUT"]


def test_a_crash_loop_that_changes_something_without_end_ends_after_thirty_days(make_world):
    world = make_world(timing=Timing(steady_after=2 * HOUR))
    codes = [Image.exits(code=code, shown_running=True, after=HOUR) for code in range(1, 120)]
    world.ecs.publish("app:2", Image.in_turn(*codes, again=True))
    world.send()
    assert complete_for(world, 29 * DAY, DAY) == []
    (ended,) = complete_for(world, 2 * DAY, DAY)
    assert ended.verdict == "TIMED_OUT" and ended.cause.startswith(
        "the rollout has gone on for 30 days"
    )


def test_a_return_that_can_never_be_placed_ends_too(world):
    world.send(**BACK)
    world.ecs.images.becomes("busybox", Image.never_placed())
    world.ecs.set_desired(2)
    (ended,) = complete_for(world, 60 * HOUR, 6 * HOUR)
    assert ended.verdict == "FAILED"
    assert (
        "and the rollback to ecs-dummy-task:1 ended with TIMED_OUT: nothing of the rollout"
        in ended.error_message
    )


@pytest.mark.parametrize("operation", ["DescribeServices", "UpdateService", "TagResource"])
def test_an_update_that_can_never_be_read_or_returned_ends_too(world, operation):
    world.send(request_id="r", **BACK)
    world.ecs.fail(operation, *[DENIED] * 5000)
    if operation == "UpdateService":  # ECS's own rollback would do without it.
        world.ecs.fail("StopServiceDeployment", *[DENIED] * 5000)
    (ended,) = complete_for(world, 60 * HOUR, 6 * HOUR)
    assert ended.verdict in ("TIMED_OUT", "FAILED", "ROLLED_BACK") and "AccessDenied" in (
        ended.error_message or ended.cause
    )


def test_the_request_id_is_remembered_until_the_entry_ends_and_then_as_long_as_the_entry(world):
    a_day = {"LEDGER_RETENTION_DAYS": "1", "OPEN_UPDATE_MAX_HOURS": "96"}
    world.send(request_id="r", environment=a_day)
    assert "expires" not in world.dynamodb.items[REQUEST]
    assert complete_for(world, 3 * DAY, DAY, **a_day) == []
    assert "expires" not in world.dynamodb.items[REQUEST]
    again = world.send(request_id="r", environment=a_day)
    assert again.verdict == "IN_PROGRESS" and world.ecs.operations.count("UpdateService") == 1
    (ended,) = complete_for(world, 2 * DAY, DAY, **a_day)
    items = world.dynamodb.items
    assert (
        items[REQUEST]["expires"] == items[ended.service, f"UPDATE#{ended.number:015d}"]["expires"]
    )
