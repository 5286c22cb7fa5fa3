"""What happens when others are at work, things come late, or go wrong twice: nobody's change is
undone, no verdict is a guess.
"""

import pytest

from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import EcsUpdaterError, RolloutFailedError
from fakes.fake_ecs import DENIED, REFUSED, TIMED_OUT
from fakes.simulated_ecs import BREAKER, Image, Killed, Pace
from support.rollout_world import EVENT, OLD_TAGS

ROLLBACK = {
    "action": "rollback",
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
}
BAD = Image.exits(code=3)
SIDECAR = [
    {"name": "ecs-dummy-container", "image": "busybox", "memory": 128},
    {"name": "sidecar", "image": "envoy:1", "memory": 64},
]
OF_ONE = {**EVENT, "ecs_container_name": "ecs-dummy-container"}


WITH_AND_WITHOUT = pytest.mark.parametrize(
    "records", [True, False], ids=["service deployments", "none"]
)
"""Whether ECS has records of its own: without them its events have to do."""


@pytest.fixture(name="bad_world")
def _bad_world(make_world):
    """Makes a world in which ``app:2`` exits at once."""

    def make(**options):
        world = make_world(**options)
        world.ecs.publish("app:2", BAD)
        return world

    return make


def before(world, operation, happen, skip=0):
    """Lets ``happen`` be done once, just before a request of ``operation`` is answered; not before
    the first ``skip`` of them.
    """
    left = [skip + 1]

    def hook(**_):
        left[0] -= 1
        if left[0] == 0:
            happen()

    world.boundary._client.meta.events.register_first(f"before-send.ecs.{operation}", hook)  # pylint: disable=protected-access


def image_of(world):
    """The image that the service runs or is about to run."""
    return world.ecs.running_images["ecs-dummy-container"]


def redeploy(world, *containers):
    """Somebody registers and deploys a revision with these containers."""
    arn = world.ecs.world.register(
        {"family": "ecs-dummy-task", "containerDefinitions": list(containers)}
    )["taskDefinitionArn"]
    world.ecs.redeploy(arn.rpartition("/")[2])


def envoy(number, **changes):
    """The sidecar in another version."""
    return {**SIDECAR[1], "image": f"envoy:{number}", **changes}


# Rollbacks


@pytest.mark.parametrize("who", ["repetition", "completer"])
def test_a_rollback_killed_before_its_deployment_is_no_success(bad_world, who):
    """The failed deployment is still PRIMARY, and the one that works is listed and complete, but
    nobody has returned to it.
    """
    world = bad_world()
    world.send(wait_seconds=120)
    world.ecs.kill("UpdateService")
    assert world.send(ROLLBACK, request_id="r").was_killed
    world.pass_time(130)
    if who == "completer":
        world.complete()
        assert world.history[0].verdict == "INTERRUPTED"
    else:
        assert (
            world.send(ROLLBACK, request_id="r", wait_seconds=120).verdict == "SUCCEEDED"
            and image_of(world) == "busybox"
        )


@WITH_AND_WITHOUT
def test_tags_that_could_not_be_put_back_are_tried_again(bad_world, records):
    world = bad_world(service_deployments=records)
    world.send(rollback_on_failure=True)
    world.pass_time(120)
    world.ecs.throttle("TagResource", 4)
    world.complete()
    assert world.tags != OLD_TAGS
    world.pass_time(60)
    world.complete_until_all_is_done()
    assert world.tags == OLD_TAGS and world.history[0].verdict == "ROLLED_BACK"


def test_a_kill_between_ecs_rollback_and_the_tags_leaves_them_to_the_next_run(bad_world):
    world = bad_world(breaker=BREAKER)
    world.send(rollback_on_failure=True)
    world.pass_time(120)
    world.ecs.kill("TagResource")
    with pytest.raises(Killed):
        world.complete()
    world.pass_time(130)
    world.complete_until_all_is_done()
    assert world.tags == OLD_TAGS


def test_a_deployment_that_comes_before_the_return_is_left_alone(bad_world):
    world = bad_world()
    before(
        world,
        "StopServiceDeployment",
        lambda: before(world, "DescribeServices", lambda: world.ecs.deploy("hotfix:1")),
    )
    told = world.send(rollback_on_failure=True, wait_seconds=180)
    assert image_of(world) == "hotfix:1" and "took its place" in str(told.error)


def test_two_rollbacks_that_nobody_waits_for_go_back_twice_and_not_back_and_forth(make_world):
    world = make_world()
    for number in (2, 3):
        world.send(
            ecs_image_name=f"app:{number}", ecs_tag={"release": str(number)}, wait_seconds=120
        )
    world.send(ROLLBACK)
    assert image_of(world) == "app:2"
    world.send(ROLLBACK)
    assert image_of(world) == "busybox"


def test_a_rollback_that_was_promised_is_not_lost_by_an_update_that_is_refused(bad_world):
    world = bad_world()
    world.send(rollback_on_failure=True)
    world.pass_time(120)
    world.ecs.fail("RegisterTaskDefinition", REFUSED)
    world.send(ecs_image_name="app:3")
    world.pass_time(60)
    world.complete_until_all_is_done()
    assert world.state == ({"ecs-dummy-container": "busybox"}, OLD_TAGS)


def test_a_rollback_that_a_later_update_makes_pointless_says_that(bad_world):
    world = bad_world()
    world.send(rollback_on_failure=True)
    world.pass_time(120)
    world.send(ecs_image_name="app:3")
    assert (
        "a later update came before the service was rolled back" in world.history[1].error_message
    )


def test_tags_that_a_later_update_gave_are_not_put_back(bad_world):
    world = bad_world()
    world.send(rollback_on_failure=True)
    world.pass_time(5)
    assert world.send(ecs_tag={"release": "2b", "owner": "B"}).verdict == "IN_PROGRESS"
    world.pass_time(200)
    world.complete_until_all_is_done()
    assert (image_of(world), world.tags["release"], world.tags["owner"]) == ("busybox", "2b", "B")


@pytest.mark.parametrize(
    ("mode", "tags"),
    [("replace", {"owner": "B"}), ("merge", OLD_TAGS | {"owner": "B"})],
)
def test_a_rollback_leaves_the_tags_to_a_later_update_that_said_which_they_are(
    bad_world, mode, tags
):
    world = bad_world()
    world.send(rollback_on_failure=True)
    world.pass_time(5)
    assert world.send(ecs_tag={"owner": "B"}, ecs_tag_mode=mode).verdict == "IN_PROGRESS"
    world.pass_time(200)
    world.complete_until_all_is_done()
    assert (image_of(world), world.tags) == ("busybox", tags)


def test_a_rollback_event_knows_no_tags_from_an_update_that_was_refused(make_world):
    world = make_world()
    world.send(wait_seconds=120)
    world.ecs.fail("TagResource", REFUSED)
    world.send(ecs_tag={"release": "never"})
    world.ecs.deploy("other:1")
    world.pass_time(120)
    world.send(ROLLBACK, wait_seconds=120)
    assert world.tags == {"release": "2"}


def test_a_rollback_event_notes_whose_deployment_it_took_the_place_of(make_world):
    world = make_world()
    world.send(wait_seconds=100)
    before(world, "UpdateService", lambda: world.ecs.deploy("hotfix:1"))
    told = world.send(ROLLBACK)
    assert (
        "of somebody else, came in between: this rollback took its place"
        in told.answer["body"]["deployment"]["notes"][0]
    )


def test_a_return_that_could_not_be_made_says_that_it_is_tried_again(bad_world):
    world = bad_world()
    before(world, "StopServiceDeployment", lambda: world.ecs.fail("StopServiceDeployment", DENIED))
    before(world, "UpdateService", lambda: world.ecs.fail("UpdateService", DENIED), skip=1)
    told = world.send(rollback_on_failure=True, wait_seconds=200, request_id="r")
    assert (
        "could not be rolled back to ecs-dummy-task:1, which is tried again: AccessDeniedException"
        in str(told.error)
    )
    again = world.send(rollback_on_failure=True, wait_seconds=200, request_id="r")
    assert "the service is back" in str(again.error) and world.tags == OLD_TAGS


# The completer comes late


@WITH_AND_WITHOUT
def test_a_rollback_by_ecs_is_known_minutes_later(bad_world, records):
    world = bad_world(breaker=BREAKER, service_deployments=records)
    world.send(rollback_on_failure=True)
    world.pass_time(300)
    world.complete_until_all_is_done()
    assert world.history[0].verdict == "ROLLED_BACK" and world.tags == OLD_TAGS


@WITH_AND_WITHOUT
def test_a_success_is_known_after_somebody_else_has_deployed(make_world, records):
    world = make_world(service_deployments=records)
    world.send()
    world.pass_time(100)
    world.ecs.deploy("other:1")
    world.pass_time(100)
    world.complete_until_all_is_done()
    assert world.history[0].verdict == "SUCCEEDED"


@WITH_AND_WITHOUT
@pytest.mark.parametrize("seconds", [42, 45, 50, 55, 58, 60, 65])
def test_somebody_elses_rollback_to_this_update_is_not_taken_for_its_own(
    make_world, seconds, records
):
    world = make_world(breaker=BREAKER, service_deployments=records)
    world.ecs.publish("other:1", BAD)
    world.send(rollback_on_failure=True)
    world.pass_time(100)
    world.ecs.deploy("other:1")
    world.pass_time(seconds)
    world.complete()
    world.pass_time(60)
    world.complete_until_all_is_done()
    assert world.history[0].verdict == "SUCCEEDED" and world.tags == {"release": "2"}


@WITH_AND_WITHOUT
@pytest.mark.parametrize("seconds", [10, 42, 45, 50])
def test_an_update_that_was_superseded_stays_so_when_the_other_one_fails(
    make_world, seconds, records
):
    world = make_world(breaker=BREAKER, service_deployments=records)
    world.ecs.publish("app:2", Image.slow())
    world.ecs.publish("other:1", BAD)
    world.send(rollback_on_failure=True)
    world.pass_time(20)
    world.ecs.deploy("other:1")
    world.pass_time(seconds)
    world.complete()
    world.pass_time(60)
    world.complete_until_all_is_done()
    assert world.history[0].verdict == "SUPERSEDED"


def test_a_read_that_is_stale_is_no_proof_of_another_deployment(make_world):
    world = make_world(stale_reads=5)
    world.send()
    world.pass_time(1)
    world.complete()
    assert world.history[0].verdict is None


def test_a_cluster_that_is_gone_ends_its_updates(make_world):
    world = make_world()
    world.send()
    world.ecs.fail(
        "DescribeServices", *[(400, "ClusterNotFoundException", "Cluster not found.")] * 3
    )
    world.complete()
    assert world.history[0].verdict == "STOPPED"


def test_a_service_deleted_before_its_return_is_said_to_be(bad_world):
    world = bad_world()
    told = []
    before(
        world,
        "StopServiceDeployment",
        lambda: told.append(world.ecs.fail("StopServiceDeployment", DENIED)),
    )
    before(world, "UpdateService", lambda: world.ecs.fail("UpdateService", DENIED), skip=1)
    world.send(rollback_on_failure=True, wait_seconds=120, request_id="r")
    world.ecs.delete_service()
    world.pass_time(60)
    world.complete_until_all_is_done()
    assert (
        world.history[0].verdict == "STOPPED"
        and "deleted before it was rolled back" in world.history[0].error_message
    )


def test_what_a_circuit_breaker_does_not_count_is_a_failure_all_the_same(make_world):
    world = make_world(breaker=BREAKER)
    world.ecs.publish("app:2", Image.exits(code=1, after=5, seen_running=True))
    told = world.send(wait_seconds=800, rollback_on_failure=True)
    assert "exited with code 1" in str(told.error) and world.state == (
        {"ecs-dummy-container": "busybox"},
        OLD_TAGS,
    )


# Planned again


def test_a_second_plan_that_is_refused_says_what_the_service_runs(make_world):
    world = make_world(containers=SIDECAR)
    before(world, "UpdateService", lambda: redeploy(world, SIDECAR[0], envoy(2)))
    before(world, "UpdateService", lambda: world.ecs.fail("UpdateService", DENIED), skip=1)
    text = str(world.send(OF_ONE).error)
    assert (
        "as it was" not in text
        and "the service runs ecs-dummy-task:2 of this update, without what deployment" in text
    )
    world.pass_time(130)
    world.complete_until_all_is_done()
    assert world.history[0].verdict == "SUCCEEDED", "its first deployment did"


def test_a_second_plan_without_the_container_says_what_the_service_runs(make_world):
    world = make_world(containers=SIDECAR)
    before(
        world,
        "UpdateService",
        lambda: redeploy(world, {**SIDECAR[0], "name": "renamed"}, SIDECAR[1]),
    )
    text = str(world.send(OF_ONE).error)
    assert (
        "container ecs-dummy-container not found" in text
        and "the service runs ecs-dummy-task:2 of this update" in text
    )


def test_a_forced_deployment_over_somebody_elses_is_no_no_change(make_world):
    world = make_world(containers=SIDECAR)
    before(world, "UpdateService", lambda: redeploy(world, SIDECAR[0], envoy(2)))
    told = world.send(OF_ONE, ecs_image_name="busybox", force_new_deployment=True)
    assert told.verdict == "IN_PROGRESS"
    entry = world.history[0]
    assert entry.after.task_definition_arn.endswith("ecs-dummy-task:2")
    assert entry.after.images["sidecar"] == "envoy:2"


def test_a_forced_deployment_is_recorded_with_the_revision_that_it_took(make_world):
    def kill():
        raise Killed("after its deployment")

    world = make_world(containers=SIDECAR)
    before(world, "UpdateService", lambda: redeploy(world, SIDECAR[0], envoy(2)))
    before(world, "DescribeTaskDefinition", kill, skip=1)
    assert world.send(OF_ONE, ecs_image_name="busybox", force_new_deployment=True).was_killed
    assert world.history[0].after.task_definition_arn.endswith("ecs-dummy-task:2")


def test_an_answer_that_got_lost_with_somebody_elses_deployment_on_top_is_not_sent_again(
    make_world,
):
    world = make_world(containers=SIDECAR)
    world.ecs.fail("UpdateService", TIMED_OUT, after_effect=True)
    app = {**SIDECAR[0], "image": "app:2"}
    before(world, "DescribeServices", lambda: redeploy(world, app, envoy(9)), skip=1)
    told = world.send(OF_ONE, wait_seconds=60)
    assert (
        world.ecs.operations.count("UpdateService") == 1
        and world.ecs.running_images["sidecar"] == "envoy:9"
    )
    assert "SUPERSEDED" in str(told.error)


# Time, and repetitions


@pytest.mark.parametrize("left", [52, 100])
def test_a_call_with_its_return_ends_before_the_function_is_ended(bad_world, left):
    world = bad_world(pace=Pace(rollback_starts_after=60))
    begin = world.clock.now()
    call = Call("x", None, lambda: left - (world.clock.now() - begin), world.clock)
    event = {**EVENT, "wait_seconds": 840, "rollback_on_failure": True}
    try:
        deploy(event, world.environment, world.boundary, call, world.table)
    except EcsUpdaterError:
        pass
    assert world.clock.now() - begin < left


def test_a_call_that_hangs_at_the_end_ends_before_the_function_is_ended(make_world):
    world = make_world()
    world.ecs.publish("app:2", Image.slow())
    begin = world.clock.now()
    world.ecs.clock.after(65, lambda: world.ecs.fail("DescribeServices", *[TIMED_OUT] * 9))
    call = Call("x", None, lambda: 120 - (world.clock.now() - begin), world.clock)
    deploy({**EVENT, "wait_seconds": 840}, world.environment, world.boundary, call, world.table)
    assert world.clock.now() - begin < 120


def test_the_wait_for_a_return_is_within_the_time_to_wait(bad_world):
    world = bad_world(pace=Pace(rollback_starts_after=60))
    begin = world.clock.now()
    told = world.send(rollback_on_failure=True, wait_seconds=46)
    assert isinstance(told.error, RolloutFailedError), (
        "only a rollback that is complete is ROLLED_BACK"
    )
    assert (
        "is being rolled back to ecs-dummy-task:1" in str(told.error)
        and world.clock.now() - begin <= 47
    )


def test_an_update_killed_before_its_deployment_is_not_repeated_over_a_later_one(make_world):
    """Lambda repeats an asynchronous call by itself, minutes later."""
    world = make_world()
    world.ecs.kill("RegisterTaskDefinition")
    world.send(request_id="a")
    world.pass_time(130)
    world.send(ecs_image_name="app:3", wait_seconds=60)
    again = world.send(request_id="a")
    assert (
        "a later update (request_id invocation-2" in str(again.error) and image_of(world) == "app:3"
    )


def test_a_configuration_with_a_breaker_that_is_null_is_no_defect(make_world):
    world = make_world(configuration={"deploymentCircuitBreaker": None, "maximumPercent": 200})
    assert world.send(wait_seconds=60).verdict == "SUCCEEDED"
