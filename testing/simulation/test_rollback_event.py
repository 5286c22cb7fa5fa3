"""A rollback as an event of its own: back to the last revision that worked, never to the next lower
number.
"""

import pytest

from ecs_updater.errors import ContainerNotFoundError, RollbackTargetError, RolloutFailedError
from fakes.simulated_ecs import BREAKER, Image
from support.rollout_world import OLD_TAGS

ROLLBACK = {
    "action": "rollback",
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
}


@pytest.fixture(name="world")
def _world(make_world):
    return make_world()


def update(world, number, image=None):
    """Deploys ``app:number`` and waits; the verdict."""
    if image:
        world.ecs.publish(f"app:{number}", image)
    return world.send(
        ecs_image_name=f"app:{number}", ecs_tag={"release": str(number)}, wait_seconds=120
    ).verdict


def image_of(world):
    """The image that the service runs or is about to run."""
    return world.ecs.running_images["ecs-dummy-container"]


def test_a_service_returns_to_the_revision_before_with_the_tags_that_it_had(world):
    update(world, 2)
    update(world, 3)
    told = world.send(ROLLBACK, wait_seconds=120)
    body = told.answer["body"]
    assert (told.verdict, image_of(world), world.tags) == ("SUCCEEDED", "app:2", {"release": "2"})
    assert (body["BEFORE"]["serviceImage"], body["AFTER"]["serviceImage"]) == ("app:3", "app:2")
    assert [one["what"] for one in body["changes"]] == [
        "image.ecs-dummy-container",
        "tag.release",
        "taskDefinition",
    ]
    assert body["taskDefinitionArn"]["after"].endswith("ecs-dummy-task:2")
    assert world.ecs.operations.count("RegisterTaskDefinition") == 2


def test_a_second_rollback_goes_further_back_and_not_forth_again(world):
    update(world, 2)
    update(world, 3)
    world.send(ROLLBACK, wait_seconds=120)
    told = world.send(ROLLBACK, wait_seconds=120)
    assert (told.verdict, image_of(world)) == ("SUCCEEDED", "busybox")


def test_a_revision_that_failed_is_passed_over(world):
    update(world, 2)
    assert update(world, 3, Image.exits(code=3)) == "RolloutFailedError"
    assert update(world, 4) == "SUCCEEDED"
    world.send(ROLLBACK, wait_seconds=120)
    assert (image_of(world), world.tags) == ("app:2", {"release": "2"})


def test_a_failing_deployment_is_left_for_the_one_that_works(world):
    update(world, 2)
    update(world, 3, Image.exits(code=3))
    told = world.send(ROLLBACK, wait_seconds=120)
    assert (told.verdict, image_of(world), world.tags) == ("SUCCEEDED", "app:2", {"release": "2"})


def test_without_a_ledger_ecs_own_records_say_what_worked(make_world):
    world = make_world(ledger=False)
    update(world, 2)
    update(world, 3)
    told = world.send(ROLLBACK, wait_seconds=120)
    assert (told.verdict, image_of(world)) == ("SUCCEEDED", "app:2")
    assert world.tags == {"release": "3"}, "nobody knows what the tags were, so they are left alone"


def test_what_was_complete_before_the_first_update_is_known_from_the_ledger(make_world):
    world = make_world(service_deployments=False)
    update(world, 2)
    told = world.send(ROLLBACK, wait_seconds=120)
    assert (told.verdict, image_of(world), world.tags) == ("SUCCEEDED", "busybox", OLD_TAGS)


def test_from_somebody_elses_deployment_the_way_back_is_to_the_last_update_that_succeeded(
    make_world,
):
    world = make_world(service_deployments=False)
    update(world, 2)
    world.ecs.deploy("other:1")
    world.pass_time(60)
    told = world.send(ROLLBACK, wait_seconds=120)
    assert (told.verdict, image_of(world), world.tags) == ("SUCCEEDED", "app:2", {"release": "2"})


def test_where_nothing_is_known_to_have_worked_nothing_is_written(make_world):
    world = make_world(ledger=False, service_deployments=False)
    update(world, 2)
    writes = len(world.ecs.writes)
    told = world.send(ROLLBACK)
    assert isinstance(told.error, RollbackTargetError)
    assert "no earlier revision than ecs-dummy-task:2 that is known to have worked" in str(
        told.error
    )
    assert len(world.ecs.writes) == writes


def test_a_dry_run_tells_where_to_and_writes_nothing(world):
    update(world, 2)
    writes = len(world.ecs.writes)
    told = world.send(ROLLBACK, dry_run=True)
    assert (
        told.answer["body"]["AFTER"]["serviceImage"] == "busybox" and told.answer["body"]["dryRun"]
    )
    assert len(world.ecs.writes) == writes and len(world.history) == 1


def test_a_rollback_is_in_the_history_and_is_done_once_for_each_request_id(world):
    update(world, 2)
    world.send(ROLLBACK, wait_seconds=120, request_id="r")
    calls = len(world.ecs.calls)
    assert world.send(ROLLBACK, wait_seconds=120, request_id="r").verdict == "SUCCEEDED"
    assert len(world.ecs.calls) == calls
    assert [(entry.action, entry.verdict) for entry in world.history] == [
        ("rollback", "SUCCEEDED"),
        ("update", "SUCCEEDED"),
    ]


def test_a_rollback_to_what_no_longer_works_says_so(world):
    update(world, 2)
    world.ecs.images.remove("busybox")
    told = world.send(ROLLBACK, wait_seconds=180)
    assert isinstance(told.error, RolloutFailedError) and "could not pull" in str(told.error)


def test_a_container_that_the_earlier_revision_has_not_is_refused(world):
    update(world, 2)
    told = world.send(ROLLBACK, ecs_container_name="no-such-container")
    assert isinstance(told.error, ContainerNotFoundError)


def test_the_tags_of_the_first_revision_come_back_from_the_update_that_changed_them(world):
    update(world, 2)
    world.send(ROLLBACK, wait_seconds=120)
    assert (image_of(world), world.tags) == ("busybox", OLD_TAGS)


def test_a_rollback_killed_before_its_tags_is_not_taken_for_ecs_own_rollback_to_the_same_revision(
    make_world,
):
    world = make_world(breaker=BREAKER)
    world.ecs.publish("app:2", Image.exits(code=3))
    world.send()
    world.pass_time(3)
    world.ecs.kill("TagResource")
    assert world.send(ROLLBACK, request_id="r").was_killed
    world.pass_time(200)
    world.complete_until_all_is_done()
    assert image_of(world) == "busybox" and world.tags == {"release": "2"}
    assert [(entry.action, entry.verdict) for entry in world.history] == [
        ("rollback", "INTERRUPTED"),
        ("update", "ROLLED_BACK"),
    ]


@pytest.mark.parametrize("by_the_reconciler", [False, True])
def test_a_rollback_killed_after_its_tags_is_undone_before_the_update_beneath_it_is_rolled_back(
    make_world, by_the_reconciler
):
    world = make_world()
    world.ecs.publish("app:2", Image.exits(code=3))
    world.send(rollback_on_failure=True, request_id="a")
    world.pass_time(6)
    world.ecs.kill("UntagResource", after_effect=True)
    assert world.send(ROLLBACK, request_id="r").was_killed
    world.pass_time(200)
    if not by_the_reconciler:
        world.send(rollback_on_failure=True, request_id="a", wait_seconds=120)
    world.complete_until_all_is_done()
    assert (image_of(world), world.tags) == ("busybox", OLD_TAGS)
    assert [entry.verdict for entry in world.history] == ["INTERRUPTED", "ROLLED_BACK"]
