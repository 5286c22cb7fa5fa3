"""Updates, rollbacks and the reconciler while others change the service, calls fail twice, or the
reconciler comes late: no change of others is undone, and each verdict is the true one.
"""

import pytest

from ecs_updater.errors import RolloutFailedError
from fakes.simulated_ecs import BREAKER, Image, Timing
from fakes.wire import DENIED, REFUSED, TIMED_OUT, Killed
from support.rollout_world import OLD_TAGS, ROLLBACK, SIDECAR

APP, PROXY = SIDECAR
BAD = Image.exits(code=3)
BACK = {"rollback_on_failure": True}
CONTAINER = {"ecs_container_name": "ecs-dummy-container"}
FORCED = {**CONTAINER, "ecs_image_name": "busybox", "force_new_deployment": True}
WITH_AND_WITHOUT = pytest.mark.parametrize(
    "has_service_deployments", [True, False], ids=["service deployments", "none"]
)
"""Whether ECS has service deployments: without them its events are the evidence."""


@pytest.fixture(name="bad_world")
def _bad_world(make_world):
    """A world in which `app:2` exits at once."""
    return make_world(image=BAD)


@pytest.fixture(name="two_containers")
def _two_containers(make_world):
    """A world whose service has a sidecar, which another program changes before UpdateService."""
    world = make_world(containers=SIDECAR)
    world.before("UpdateService", lambda: world.redeploy(APP, {**PROXY, "image": "envoy:2"}))
    return world


# Rollbacks


@pytest.mark.parametrize("by_reconciler", [False, True])
def test_a_rollback_killed_before_its_deployment_is_not_a_success(bad_world, by_reconciler):
    """The failed deployment is still PRIMARY. The one that works is listed and complete."""
    bad_world.send(wait_seconds=120)
    bad_world.ecs.kill("StopServiceDeployment")
    assert bad_world.send(ROLLBACK, request_id="r").was_killed
    bad_world.pass_time(130)
    if by_reconciler:
        bad_world.reconcile()
        assert bad_world.verdicts[0] == "INTERRUPTED"
    else:
        assert bad_world.send(ROLLBACK, request_id="r", wait_seconds=120).verdict == "SUCCEEDED"
        assert bad_world.image == "busybox"


@WITH_AND_WITHOUT
def test_tags_that_could_not_be_put_back_are_tried_again(make_world, has_service_deployments):
    world = make_world(image=BAD, service_deployments=has_service_deployments)
    world.send(**BACK)
    world.pass_time(120)
    world.ecs.throttle("TagResource", 4)
    world.reconcile()
    assert world.tags != OLD_TAGS
    world.finish(60)
    assert world.tags == OLD_TAGS and world.verdicts[0] == "ROLLED_BACK"


def test_a_kill_between_ecs_rollback_and_the_tags_leaves_them_to_the_next_run(make_world):
    world = make_world(image=BAD, breaker=BREAKER)
    world.send(**BACK)
    world.pass_time(120)
    world.ecs.kill("TagResource")
    with pytest.raises(Killed):
        world.reconcile()
    world.finish(130)
    assert world.tags == OLD_TAGS


def test_a_deployment_that_comes_before_the_rollback_is_kept(bad_world):
    bad_world.before(
        "StopServiceDeployment",
        lambda: bad_world.before("DescribeServices", lambda: bad_world.ecs.deploy("hotfix:1")),
    )
    outcome = bad_world.send(**BACK, wait_seconds=180)
    assert bad_world.image == "hotfix:1" and "took its place" in outcome.text


def test_two_rollbacks_that_nobody_waits_for_go_back_twice_and_not_back_and_forth(world):
    world.update(2, 3)
    for image in ("app:2", "busybox"):
        world.send(ROLLBACK)
        assert world.image == image


def test_a_rollback_that_was_promised_is_not_lost_by_an_update_that_is_refused(bad_world):
    bad_world.send(**BACK)
    bad_world.pass_time(120)
    bad_world.ecs.fail("RegisterTaskDefinition", REFUSED)
    bad_world.send(ecs_image_name="app:3")
    bad_world.finish(60)
    assert bad_world.state == ({"ecs-dummy-container": "busybox"}, OLD_TAGS)


def test_a_rollback_that_a_later_update_makes_pointless_says_that(bad_world):
    bad_world.send(**BACK)
    bad_world.pass_time(120)
    bad_world.send(ecs_image_name="app:3")
    reason = "a later update came before the service was rolled back"
    assert reason in bad_world.history[1].error_message


@pytest.mark.parametrize(
    ("later", "tags"),
    [
        ({"ecs_tag": {"release": "2b", "owner": "B"}}, {"release": "2b", "owner": "B"}),
        ({"ecs_tag": {"owner": "B"}}, {"owner": "B"}),
        ({"ecs_tag": {"owner": "B"}, "ecs_tag_mode": "merge"}, OLD_TAGS | {"owner": "B"}),
    ],
)
def test_a_rollback_keeps_the_tags_that_a_later_update_set(bad_world, later, tags):
    bad_world.send(**BACK)
    bad_world.pass_time(5)
    assert bad_world.send(**later).verdict == "IN_PROGRESS"
    bad_world.finish(200)
    assert bad_world.state == ({"ecs-dummy-container": "busybox"}, tags)


def test_a_rollback_event_knows_no_tags_from_an_update_that_was_refused(world):
    world.send(wait_seconds=120)
    world.ecs.fail("TagResource", REFUSED)
    world.send(ecs_tag={"release": "never"})
    world.ecs.deploy("other:1")
    world.pass_time(120)
    world.send(ROLLBACK, wait_seconds=120)
    assert world.tags == {"release": "2"}


def test_a_rollback_event_notes_whose_deployment_it_took_the_place_of(world):
    world.send(wait_seconds=100)
    world.before("UpdateService", lambda: world.ecs.deploy("hotfix:1"))
    (note, *_) = world.send(ROLLBACK).notes
    assert "of somebody else, came in between: this rollback took its place" in note


@pytest.fixture(name="denied_rollback")
def _denied_rollback(bad_world):
    """The outcome of an update whose rollback ECS refuses in both ways."""
    for operation, skip in (("StopServiceDeployment", 0), ("UpdateService", 1)):
        bad_world.before(
            operation, lambda name=operation: bad_world.ecs.fail(name, DENIED), skip=skip
        )
    return bad_world.send(**BACK, wait_seconds=200, request_id="r")


def test_a_rollback_that_could_not_be_made_says_that_it_is_tried_again(bad_world, denied_rollback):
    reason = "could not be rolled back to ecs-dummy-task:1, which is tried again: AccessDenied"
    assert reason in denied_rollback.text
    again = bad_world.send(**BACK, wait_seconds=200, request_id="r")
    assert "the service is back" in again.text and bad_world.tags == OLD_TAGS


@pytest.mark.usefixtures("denied_rollback")
def test_a_service_deleted_before_its_rollback_is_said_to_be(bad_world):
    bad_world.ecs.delete_service()
    bad_world.finish(60)
    (entry,) = bad_world.history
    assert entry.verdict == "STOPPED"
    assert "deleted before it was rolled back" in entry.error_message


# The reconciler comes late


@WITH_AND_WITHOUT
def test_a_rollback_by_ecs_is_known_minutes_later(make_world, has_service_deployments):
    world = make_world(image=BAD, breaker=BREAKER, service_deployments=has_service_deployments)
    world.send(**BACK)
    world.finish(300)
    assert world.verdicts[0] == "ROLLED_BACK" and world.tags == OLD_TAGS


@WITH_AND_WITHOUT
def test_a_success_is_known_after_somebody_else_has_deployed(make_world, has_service_deployments):
    world = make_world(service_deployments=has_service_deployments)
    world.send()
    world.pass_time(100)
    world.ecs.deploy("other:1")
    world.finish(100)
    assert world.verdicts[0] == "SUCCEEDED"


@WITH_AND_WITHOUT
@pytest.mark.parametrize(
    ("image", "before", "seconds", "verdict"),
    [
        *((None, 100, seconds, "SUCCEEDED") for seconds in (42, 45, 50, 55, 58, 60, 65)),
        *((Image.slow(), 20, seconds, "SUPERSEDED") for seconds in (10, 42, 45, 50)),
    ],
)
def test_a_failure_of_a_later_deployment_does_not_change_the_verdict(  # pylint: disable=too-many-arguments
    make_world, image, before, seconds, verdict, has_service_deployments
):
    """ECS rolls back the deployment of another program to this update, or over it."""
    world = make_world(image=image, breaker=BREAKER, service_deployments=has_service_deployments)
    world.ecs.publish("other:1", BAD)
    world.send(**BACK)
    world.pass_time(before)
    world.ecs.deploy("other:1")
    world.pass_time(seconds)
    world.reconcile()
    world.finish(60)
    assert world.verdicts[0] == verdict
    assert verdict == "SUPERSEDED" or world.tags == {"release": "2"}


def test_a_read_that_is_stale_does_not_prove_another_deployment(make_world):
    world = make_world(stale_reads=5)
    world.send()
    world.pass_time(1)
    world.reconcile()
    assert world.verdicts[0] is None


def test_a_cluster_that_is_gone_ends_its_updates(world):
    world.send()
    world.ecs.fail(
        "DescribeServices", *[(400, "ClusterNotFoundException", "Cluster not found.")] * 3
    )
    world.reconcile()
    assert world.verdicts[0] == "STOPPED"


def test_what_a_circuit_breaker_does_not_count_is_a_failure_all_the_same(make_world):
    world = make_world(breaker=BREAKER, image=Image.exits(code=1, after=5, shown_running=True))
    assert "exited with code 1" in world.send(**BACK, wait_seconds=800).text
    assert world.state == ({"ecs-dummy-container": "busybox"}, OLD_TAGS)


# Planned again


def test_a_second_plan_that_is_refused_says_what_the_service_runs(two_containers):
    world = two_containers
    world.before("UpdateService", lambda: world.ecs.fail("UpdateService", DENIED), skip=1)
    text = world.send(**CONTAINER).text
    assert "as it was" not in text
    assert "the service runs ecs-dummy-task:2 of this update, without what deployment" in text
    world.finish(130)
    assert world.verdicts[0] == "SUCCEEDED", "its first deployment did"


def test_a_second_plan_without_the_container_says_what_the_service_runs(make_world):
    world = make_world(containers=SIDECAR)
    world.before("UpdateService", lambda: world.redeploy({**APP, "name": "renamed"}, PROXY))
    text = world.send(**CONTAINER).text
    assert "container ecs-dummy-container not found" in text
    assert "the service runs ecs-dummy-task:2 of this update" in text


def test_a_forced_deployment_over_somebody_elses_has_another_verdict_than_no_change(two_containers):
    assert two_containers.send(**FORCED).verdict == "IN_PROGRESS"
    after = two_containers.history[0].after
    assert after.task_definition_arn.endswith("ecs-dummy-task:2")
    assert after.images["sidecar"] == "envoy:2"


def test_a_forced_deployment_is_recorded_with_the_revision_that_it_took(two_containers):
    def kill():
        raise Killed("after its deployment")

    two_containers.before("DescribeTaskDefinition", kill, skip=1)
    assert two_containers.send(**FORCED).was_killed
    assert two_containers.history[0].after.task_definition_arn.endswith("ecs-dummy-task:2")


def test_a_lost_answer_under_a_deployment_of_somebody_else_is_not_sent_again(make_world):
    world = make_world(containers=SIDECAR)
    world.ecs.fail("UpdateService", TIMED_OUT, after_effect=True)
    other = {**APP, "image": "app:2"}, {**PROXY, "image": "envoy:9"}
    world.before("DescribeServices", lambda: world.redeploy(*other), skip=1)
    assert "SUPERSEDED" in world.send(**CONTAINER, wait_seconds=60).text
    assert world.ecs.operations.count("UpdateService") == 1
    assert world.ecs.running_images["sidecar"] == "envoy:9"


# Time, and repetitions


@pytest.mark.parametrize("left", [52, 100])
def test_a_call_with_its_rollback_ends_before_the_function_is_ended(make_world, left):
    world = make_world(image=BAD, timing=Timing(rollback_starts_after=60))
    world.send(**BACK, wait_seconds=840, ends_after=left)
    assert world.ecs.clock.elapsed < left


def test_a_call_that_hangs_at_the_end_ends_before_the_function_is_ended(make_world):
    world = make_world(image=Image.slow())
    world.ecs.clock.after(65, lambda: world.ecs.fail("DescribeServices", *[TIMED_OUT] * 9))
    assert world.send(wait_seconds=840, ends_after=120).answer
    assert world.ecs.clock.elapsed < 120


def test_the_wait_for_a_rollback_is_within_the_time_to_wait(make_world):
    world = make_world(image=BAD, timing=Timing(rollback_starts_after=60))
    outcome = world.send(**BACK, wait_seconds=46)
    assert isinstance(outcome.error, RolloutFailedError), "only a complete one is ROLLED_BACK"
    assert "is being rolled back to ecs-dummy-task:1" in outcome.text
    assert world.ecs.clock.elapsed <= 47


@pytest.mark.parametrize("times", [1, 2, 31])
def test_an_update_killed_before_its_deployment_is_not_repeated_over_a_later_one(world, times):
    """Lambda repeats an asynchronous call minutes later. Many may have confirmed the later one."""
    world.ecs.kill("RegisterTaskDefinition")
    assert world.send(request_id="a").was_killed
    world.pass_time(130)
    for _ in range(times):
        world.update(3)
    again = world.send(request_id="a")
    assert "a later update (request_id invocation-2" in again.text and world.image == "app:3"


def test_a_configuration_with_a_breaker_that_is_null_is_not_a_defect(make_world):
    world = make_world(configuration={"deploymentCircuitBreaker": None, "maximumPercent": 200})
    assert world.send(wait_seconds=60).verdict == "SUCCEEDED"
