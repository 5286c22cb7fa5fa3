"""While a deployment goes on, a rollback is StopServiceDeployment: never a second deployment
against ECS's own rollback.
"""

from functools import partial

import pytest

from fakes.simulated_ecs import Image, Timing, configuration_of, pause_at
from fakes.wire import SERVER_ERROR, THROTTLED, TIMED_OUT
from support.rollout_world import OLD_TAGS, ROLLBACK
from support.strategy_scenarios import ALARM, GATE

STRATEGIES = ("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")
BAD = Image.exits(code=3)
BACK = {"rollback_on_failure": True}
UPDATES = 1
"""UpdateService of the update itself."""


def updates(world):
    """The number of calls of UpdateService."""
    return world.ecs.operations.count("UpdateService")


@pytest.fixture(name="bad_world", params=STRATEGIES)
def _bad_world(request, make_world):
    """A world in which the new image does not run."""
    return make_world(image=BAD, configuration=configuration_of(request.param, bake=5))


def test_a_failed_deployment_that_goes_on_is_rolled_back_by_ecs(bad_world):
    outcome = bad_world.send(**BACK, wait_seconds=300)
    assert "ROLLED_BACK: " in outcome.text and "the service is back" in outcome.text
    assert (bad_world.image, bad_world.tags, updates(bad_world)) == ("busybox", OLD_TAGS, UPDATES)
    assert bad_world.ecs.service.history[-1].status == "ROLLBACK_SUCCESSFUL"


@pytest.mark.parametrize("fault", [SERVER_ERROR, TIMED_OUT], ids=["server error", "no answer"])
@pytest.mark.parametrize("after_effect", [True, False])
def test_a_lost_answer_of_the_stop_makes_no_second_deployment(bad_world, fault, after_effect):
    bad_world.ecs.fail("StopServiceDeployment", *[fault] * 3, after_effect=after_effect)
    bad_world.send(**BACK, wait_seconds=300)
    bad_world.finish(300)
    assert (bad_world.verdicts, bad_world.image) == (["ROLLED_BACK"], "busybox")
    assert updates(bad_world) == UPDATES and bad_world.tags == OLD_TAGS


@pytest.mark.parametrize("operation", ["StopServiceDeployment", "DescribeServices"])
def test_a_kill_after_the_stop_makes_no_second_deployment(bad_world, operation):
    bad_world.before(
        "StopServiceDeployment", partial(bad_world.ecs.kill, operation, after_effect=True)
    )
    assert bad_world.send(**BACK, wait_seconds=300).was_killed
    bad_world.finish(300)
    assert (bad_world.verdicts, bad_world.image) == (["ROLLED_BACK"], "busybox")
    assert updates(bad_world) == UPDATES and bad_world.tags == OLD_TAGS


def test_a_rollback_of_ecs_that_begins_at_the_same_moment_stays_the_only_one(bad_world):
    bad_world.before("StopServiceDeployment", bad_world.ecs.stop_deployment)
    outcome = bad_world.send(**BACK, wait_seconds=300)
    assert "the service is back" in outcome.text and updates(bad_world) == UPDATES


def test_a_throttled_stop_is_replaced_by_update_service(bad_world):
    bad_world.ecs.fail("StopServiceDeployment", *[THROTTLED] * 50)
    outcome = bad_world.send(**BACK, wait_seconds=600)
    assert "the service is back" in outcome.text and updates(bad_world) == UPDATES + 1


def test_a_rollback_of_ecs_to_another_revision_is_kept(make_world):
    """ECS completed the revision before, which failed for ecs-updater."""
    world = make_world(configuration=configuration_of("BLUE_GREEN"))
    world.update(2, wait_seconds=300)
    world.ecs.deploy("other:1")
    world.pass_time(200)
    world.ecs.publish("app:3", BAD)
    world.before("StopServiceDeployment", world.ecs.service.completed.pop)
    outcome = world.send(ecs_image_name="app:3", **BACK, wait_seconds=300)
    assert "the service is back" in outcome.text, outcome.text
    assert (world.image, updates(world)) == ("app:2", 2)


def test_a_rollback_that_ecs_cannot_do_has_its_own_verdict(make_world):
    world = make_world(image=BAD, configuration=configuration_of("CANARY"))
    world.ecs.fail_rollback()
    outcome = world.send(**BACK, wait_seconds=300)
    assert outcome.text.startswith("[ERROR][ecs_service_rollout] ROLLBACK_FAILED: ")
    assert "and the rollback to ecs-dummy-task:1 ended with ROLLBACK_FAILED" in outcome.text


def test_after_a_failed_rollback_of_ecs_the_update_rolls_back_itself(make_world):
    world = make_world(configuration=configuration_of("BLUE_GREEN", bake=5, alarms=[ALARM]))
    world.ecs.fail_rollback()
    world.ecs.at(60).trigger_alarm(ALARM)
    world.ecs.at(62).fail_rollback("")
    outcome = world.send(**BACK, wait_seconds=600)
    assert outcome.text.startswith("[ERROR][ecs_service_rollout] ROLL"), outcome.text
    assert world.image == "busybox" and world.tags == OLD_TAGS


def test_a_deployment_that_waits_for_approval_is_rolled_back_at_the_maximum_age(make_world):
    world = make_world(configuration=configuration_of("BLUE_GREEN", pause_at(GATE)))
    world.send(**BACK)
    world.pass_time(60)
    world.ecs.show(status="IN_PROGRESS", lifecycleStage="SCALE_UP", lifecycleHookDetails=[])
    world.pass_time(2 * 3600)
    world.reconcile(settings={"OPEN_UPDATE_MAX_HOURS": "1"})
    assert "StopServiceDeployment" in world.ecs.operations and updates(world) == UPDATES


# The rollback event.


@pytest.fixture(name="going_on", params=STRATEGIES)
def _going_on(request, make_world):
    """A world whose deployment goes on: a slow image, or a long bake time."""
    is_rolling = request.param == "ROLLING"
    world = make_world(
        image=Image.slow(3600) if is_rolling else Image.good(),
        configuration=configuration_of(request.param, bake=600),
    )
    world.send(request_id="update")
    world.pass_time(60)
    return world


def test_a_rollback_event_stops_the_deployment_that_goes_on(going_on):
    world = going_on
    outcome = world.send(ROLLBACK, wait_seconds=300, request_id="rollback")
    assert outcome.verdict == "SUCCEEDED", outcome.text
    assert "1 of 1 tasks run ecs-dummy-task:1" in outcome.text
    assert (world.image, world.tags, updates(world)) == ("busybox", OLD_TAGS, UPDATES)
    assert len(world.ecs.service.history) == 2
    world.finish(60)
    assert world.verdicts == ["SUCCEEDED", "STOPPED"]


def test_a_rollback_event_that_nobody_waits_for_ends_in_the_ledger(going_on):
    world = going_on
    assert world.send(ROLLBACK, request_id="rollback").verdict == "IN_PROGRESS"
    world.finish(120)
    assert world.verdicts == ["SUCCEEDED", "STOPPED"] and updates(world) == UPDATES


def test_a_second_rollback_event_joins_the_rollback_of_ecs(going_on):
    world = going_on
    world.ecs.stop_deployment()
    world.pass_time(3)
    outcome = world.send(ROLLBACK, wait_seconds=300)
    assert outcome.verdict in ("SUCCEEDED", "NO_CHANGE"), outcome.text
    assert (world.image, world.tags, updates(world)) == ("busybox", OLD_TAGS, UPDATES)
    assert "StopServiceDeployment" not in world.ecs.operations


@pytest.fixture(name="forced", params=STRATEGIES)
def _forced(request, make_world):
    """A world with a forced deployment that goes on, of the revision that runs."""
    world = make_world(configuration=configuration_of(request.param, bake=5))
    world.update(2, wait_seconds=800)
    if request.param == "ROLLING":
        world.ecs.publish("app:2", Image.slow(3600))
    again = {"ecs_image_name": "app:2", "ecs_tag": {"release": "forced"}}
    world.send(**again, force_new_deployment=True, request_id="force")
    world.pass_time(60)
    world.ecs.publish("app:2", Image.good())
    return world


def test_a_rollback_event_stops_a_forced_deployment_of_the_same_revision(forced):
    world, tags = forced, {"release": "2"}
    outcome = world.send(ROLLBACK, wait_seconds=300, request_id="rollback")
    assert outcome.verdict == "SUCCEEDED", outcome.text
    assert (world.image, world.tags, updates(world)) == ("app:2", tags, UPDATES + 1)
    world.finish(60)
    assert world.verdicts[:2] == ["SUCCEEDED", "STOPPED"]
    world.update(3, wait_seconds=800)
    assert world.send(ROLLBACK, wait_seconds=800).verdict == "SUCCEEDED"
    assert world.image == "app:2", "the revision was not left"


@pytest.mark.parametrize("operation", ["StopServiceDeployment", "DescribeServices"])
def test_a_killed_rollback_of_a_forced_deployment_is_ended_by_the_reconciler(forced, operation):
    world = forced
    world.before("StopServiceDeployment", partial(world.ecs.kill, operation, after_effect=True))
    assert world.send(ROLLBACK, request_id="rollback").was_killed
    world.finish(300)
    assert world.image == "app:2" and updates(world) == UPDATES + 1
    assert world.verdicts[0] == "SUCCEEDED" and world.tags == {"release": "2"}


@pytest.mark.parametrize("is_readable", [True, False])
def test_nothing_is_deployed_against_a_rollback_to_an_unknown_revision(going_on, is_readable):
    world = going_on
    world.ecs.stop_deployment()
    if is_readable:
        world.ecs.show(rollback=None, sourceServiceRevisions=[])
    else:
        denied = (400, "AccessDeniedException", "no")
        world.ecs.fail("DescribeServiceRevisions", denied, times=9)
    outcome = world.send(ROLLBACK, request_id="rollback")
    assert outcome.text.startswith("[ERROR][ecs_service_read] "), outcome.text
    assert not is_readable or "does not report yet to which revision: try again" in outcome.text
    assert updates(world) == UPDATES


@pytest.mark.parametrize("operation", ["StopServiceDeployment", "DescribeServices"])
def test_a_killed_rollback_event_is_ended_by_the_reconciler(going_on, operation):
    world = going_on
    world.before("StopServiceDeployment", partial(world.ecs.kill, operation, after_effect=True))
    assert world.send(ROLLBACK, request_id="rollback").was_killed
    world.finish(300)
    assert world.image == "busybox" and updates(world) == UPDATES
    assert world.verdicts[0] == "SUCCEEDED" and world.tags == OLD_TAGS


def test_a_rollback_event_after_the_end_deploys(make_world):
    world = make_world(configuration=configuration_of("CANARY"))
    world.update(2, wait_seconds=300)
    outcome = world.send(ROLLBACK, wait_seconds=300)
    assert outcome.verdict == "SUCCEEDED" and updates(world) == 2


def test_a_rollback_event_that_comes_too_late_for_the_stop_deploys(going_on):
    world = going_on
    history = world.ecs.service.history[-1]
    world.before("StopServiceDeployment", lambda: history.turn("SUCCESSFUL", world.clock.now()))
    world.send(ROLLBACK, wait_seconds=300)
    assert updates(world) == UPDATES + 1 and world.image == "busybox"


def test_a_rollback_event_that_ecs_cannot_do_says_so(going_on):
    going_on.ecs.fail_rollback()
    outcome = going_on.send(ROLLBACK, wait_seconds=300)
    assert outcome.text.startswith("[ERROR][ecs_service_rollout] ROLLBACK_FAILED: "), outcome.text


def test_a_deployment_of_somebody_else_in_between_is_kept(going_on):
    world = going_on
    world.before(
        "StopServiceDeployment",
        lambda: world.before("DescribeServices", lambda: world.ecs.deploy("hotfix:1")),
    )
    outcome = world.send(ROLLBACK, wait_seconds=100)
    assert world.image == "hotfix:1" and "of somebody else came in between" in outcome.text


# What AWS does not document: which deployment is PRIMARY while ECS rolls back.


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
@pytest.mark.parametrize("is_event", [True, False], ids=["rollback event", "rollback_on_failure"])
def test_a_rollback_that_ecs_shows_late_is_the_same(make_world, strategy, is_event):
    world = make_world(
        image=Image.good() if is_event else BAD,
        configuration=configuration_of(strategy, bake=600),
        timing=Timing(stop_takes=30, steady_after=40),
    )
    world.ecs.service.shows_rollback_late = True
    if is_event:
        world.send(request_id="update")
        world.pass_time(60)
        outcome = world.send(ROLLBACK, wait_seconds=600, request_id="rollback")
        assert outcome.verdict == "SUCCEEDED", outcome.text
    else:
        outcome = world.send(**BACK, wait_seconds=600)
        assert "ROLLED_BACK: " in outcome.text or "is being rolled back" in outcome.text
    world.finish(300)
    assert (world.image, world.tags, updates(world)) == ("busybox", OLD_TAGS, UPDATES)
    assert world.verdicts == (["SUCCEEDED", "STOPPED"] if is_event else ["ROLLED_BACK"])
