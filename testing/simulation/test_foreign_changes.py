"""Somebody else changes the service too: what came between reading and writing is planned from
again, never lost unseen.
"""

import pytest

from ecs_updater.errors import ServiceUpdateError
from fakes.simulated_ecs import Image
from support.rollout_world import EVENT, SIDECAR

APP, PROXY = SIDECAR
NEWER = {**PROXY, "image": "envoy:2"}


@pytest.fixture(name="world")
def _world(make_world):
    return make_world(containers=SIDECAR)


def send(world, **fields):
    """Updates the first container."""
    return world.send({**EVENT, "ecs_container_name": "ecs-dummy-container"}, **fields)


def test_what_somebody_deployed_in_between_stays_in_the_new_revision(world):
    world.before("UpdateService", lambda: world.redeploy(APP, NEWER))
    outcome = send(world, wait_seconds=120)
    assert world.ecs.running_images == {"ecs-dummy-container": "app:2", "sidecar": "envoy:2"}
    assert outcome.verdict == world.verdicts[0] == "SUCCEEDED"
    assert "came in between: planned again from it" in outcome.notes[0]
    before = outcome.answer["body"]["taskDefinitionArn"]["before"]
    assert before.endswith(":3"), "the revision of the other program"
    assert world.history[0].after.images["sidecar"] == "envoy:2"


def test_a_forced_deployment_undoes_nothing_of_somebody_elses(world):
    world.before("UpdateService", lambda: world.redeploy(APP, NEWER))
    outcome = send(world, ecs_image_name="busybox", force_new_deployment=True, wait_seconds=120)
    assert outcome.verdict == "SUCCEEDED" and world.ecs.running_images["sidecar"] == "envoy:2"
    assert world.ecs.operations.count("UpdateService") == 1
    assert "RegisterTaskDefinition" not in world.ecs.operations


def test_somebody_elses_deployment_of_the_same_revision_needs_no_second_plan(world):
    world.before("UpdateService", lambda: world.ecs.redeploy("ecs-dummy-task:1"))
    assert send(world, wait_seconds=120).verdict == "SUCCEEDED"
    assert world.ecs.operations.count("UpdateService") == 1


def test_somebody_who_deploys_each_time_makes_an_error_that_says_so(world):
    images = iter(f"envoy:{number}" for number in range(2, 9))
    world.before(
        "UpdateService", lambda: world.redeploy(APP, {**PROXY, "image": next(images)}), times=5
    )
    outcome = send(world)
    assert isinstance(outcome.error, ServiceUpdateError)
    assert "somebody else deployed it 3 times meanwhile" in outcome.text
    assert world.ecs.operations.count("UpdateService") == 3


def test_an_update_that_came_in_between_is_read_again_under_the_lease(world):
    """Another update ended after this one had read the service, and before it had the lease."""

    def another_update():
        release = world.held("another")
        world.redeploy(APP, NEWER)
        release()

    # The first UpdateItem of an update takes the lease.
    world.before("UpdateItem", another_update, service="dynamodb")
    outcome = send(world, wait_seconds=120)
    assert outcome.verdict == "SUCCEEDED" and world.ecs.running_images["sidecar"] == "envoy:2"
    assert world.ecs.operations.count("UpdateService") == 1 and not outcome.notes


def test_an_open_update_that_succeeded_is_known_as_such_when_the_next_one_comes(world):
    send(world)
    world.pass_time(60)
    send(world, ecs_image_name="app:3")
    assert world.verdicts == [None, "SUCCEEDED"]


def test_an_open_update_that_the_next_one_overtakes_is_superseded(world):
    world.ecs.publish("app:2", Image.slow())
    send(world)
    world.pass_time(20)
    send(world, ecs_image_name="app:3")
    world.pass_time(100)
    world.reconcile()
    assert world.verdicts == ["SUCCEEDED", "SUPERSEDED"]


def test_a_failed_update_that_wanted_a_rollback_is_not_rolled_back_over_the_next_one(world):
    world.ecs.publish("app:2", Image.exits(code=3))
    send(world, rollback_on_failure=True)
    world.pass_time(120)
    send(world, ecs_image_name="app:3", wait_seconds=120)
    world.reconcile()
    assert world.image == "app:3"
    assert world.verdicts == ["SUCCEEDED", "FAILED"]


def test_a_deployment_that_has_the_image_already_is_given_back_its_place(world):
    """Somebody deployed the very image that is asked for, and changed something else as well."""

    world.before("UpdateService", lambda: world.redeploy({**APP, "image": "app:2"}, NEWER))
    outcome = send(world, wait_seconds=120)
    assert outcome.verdict == "SUCCEEDED" and world.ecs.running_images == {
        "ecs-dummy-container": "app:2",
        "sidecar": "envoy:2",
    }
    assert (
        outcome.answer["body"]["taskDefinitionArn"]["after"].endswith(":3")
        and len(world.history) == 1
    )
