"""Somebody else changes the service too: what came between reading and writing is planned from
again, never lost unseen.
"""

import pytest

from ecs_updater.errors import ServiceUpdateError
from fakes.simulated_ecs import Image
from support.rollout_world import EVENT

SIDECAR = [
    {"name": "ecs-dummy-container", "image": "busybox", "memory": 128},
    {"name": "sidecar", "image": "envoy:1", "memory": 64},
]


def before(world, operation, happen, times=1):
    """Lets ``happen`` be done just before the next requests of ``operation`` are answered."""
    left = [times]

    def hook(**_):
        if left[0]:
            left[0] -= 1
            happen()

    world.boundary._client.meta.events.register_first(f"before-send.ecs.{operation}", hook)  # pylint: disable=protected-access


def redeploy_with_sidecar(world, image="envoy:2"):
    """Somebody registers a revision with another sidecar and deploys it."""
    running = world.ecs.service.primary.revision.task_definition
    containers = [
        {**one, "image": image} if one["name"] == "sidecar" else one
        for one in running["containerDefinitions"]
    ]
    arn = world.ecs.world.register(
        {"family": "ecs-dummy-task", "containerDefinitions": containers}
    )["taskDefinitionArn"]
    world.ecs.redeploy(arn.rpartition("/")[2])


@pytest.fixture(name="world")
def _world(make_world):
    return make_world(containers=SIDECAR)


def send(world, **fields):
    """One update of the one container."""
    return world.send({**EVENT, "ecs_container_name": "ecs-dummy-container"}, **fields)


def test_what_somebody_deployed_in_between_stays_in_the_new_revision(world):
    before(world, "UpdateService", lambda: redeploy_with_sidecar(world))
    told = send(world, wait_seconds=120)
    assert world.ecs.running_images == {"ecs-dummy-container": "app:2", "sidecar": "envoy:2"}
    assert told.verdict == "SUCCEEDED"
    assert "came in between: planned again from it" in told.answer["body"]["deployment"]["notes"][0]
    assert told.answer["body"]["taskDefinitionArn"]["before"].endswith(":3"), "theirs"
    assert (
        world.history[0].verdict == "SUCCEEDED"
        and world.history[0].after.images["sidecar"] == "envoy:2"
    )


def test_a_forced_deployment_alone_undoes_nothing_of_somebody_elses(world):
    before(world, "UpdateService", lambda: redeploy_with_sidecar(world))
    told = send(world, ecs_image_name="busybox", force_new_deployment=True, wait_seconds=120)
    assert told.verdict == "SUCCEEDED" and world.ecs.running_images["sidecar"] == "envoy:2"
    assert (
        world.ecs.operations.count("UpdateService") == 1
        and "RegisterTaskDefinition" not in world.ecs.operations
    )


def test_somebody_elses_deployment_of_the_same_revision_needs_no_second_plan(world):
    before(world, "UpdateService", lambda: world.ecs.redeploy("ecs-dummy-task:1"))
    told = send(world, wait_seconds=120)
    assert told.verdict == "SUCCEEDED" and world.ecs.operations.count("UpdateService") == 1


def test_somebody_who_deploys_each_time_makes_an_error_that_says_so(world):
    images = iter(f"envoy:{number}" for number in range(2, 9))
    before(world, "UpdateService", lambda: redeploy_with_sidecar(world, next(images)), times=5)
    told = send(world)
    assert isinstance(
        told.error, ServiceUpdateError
    ) and "somebody else deployed it 3 times meanwhile" in str(told.error)
    assert world.ecs.operations.count("UpdateService") == 3


def test_an_update_that_came_in_between_is_read_again_under_the_lease(world):
    """Another update ended after this one had read the service, and before it had the lease."""

    def another_update():
        release = world.held("another")
        redeploy_with_sidecar(world)
        release()

    once = [another_update]

    def hook(**_):
        if once:
            once.pop()()

    # The first thing that an update asks the ledger after it has read the service is for the lease.
    events = world.table._client.meta.events  # pylint: disable=protected-access
    events.register_first("before-send.dynamodb.UpdateItem", hook, unique_id="between")
    told = send(world, wait_seconds=120)
    events.unregister("before-send.dynamodb.UpdateItem", hook, unique_id="between")
    assert told.verdict == "SUCCEEDED" and world.ecs.running_images["sidecar"] == "envoy:2"
    assert (
        world.ecs.operations.count("UpdateService") == 1
        and "notes" not in told.answer["body"]["deployment"]
    )


def test_an_open_update_that_succeeded_is_known_as_such_when_the_next_one_comes(world):
    send(world)
    world.pass_time(60)
    send(world, ecs_image_name="app:3")
    assert [entry.verdict for entry in world.history] == [None, "SUCCEEDED"]


def test_an_open_update_that_the_next_one_overtakes_is_superseded(world):
    world.ecs.publish("app:2", Image.slow())
    send(world)
    world.pass_time(20)
    send(world, ecs_image_name="app:3")
    world.pass_time(100)
    world.complete()
    assert [entry.verdict for entry in world.history] == ["SUCCEEDED", "SUPERSEDED"]


def test_a_failed_update_that_wanted_a_rollback_is_not_rolled_back_over_the_next_one(world):
    world.ecs.publish("app:2", Image.exits(code=3))
    send(world, rollback_on_failure=True)
    world.pass_time(120)
    send(world, ecs_image_name="app:3", wait_seconds=120)
    world.complete()
    assert world.ecs.running_images["ecs-dummy-container"] == "app:3"
    assert [entry.verdict for entry in world.history] == ["SUCCEEDED", "FAILED"]


def test_a_deployment_that_has_the_image_already_is_given_back_its_place(world):
    """Somebody deployed the very image that is asked for, and changed something else as well."""

    def deploy_the_same_image():
        containers = [{**SIDECAR[0], "image": "app:2"}, {**SIDECAR[1], "image": "envoy:2"}]
        world.ecs.world.register({"family": "ecs-dummy-task", "containerDefinitions": containers})
        world.ecs.redeploy("ecs-dummy-task:3")

    before(world, "UpdateService", deploy_the_same_image)
    told = send(world, wait_seconds=120)
    assert told.verdict == "SUCCEEDED" and world.ecs.running_images == {
        "ecs-dummy-container": "app:2",
        "sidecar": "envoy:2",
    }
    assert (
        told.answer["body"]["taskDefinitionArn"]["after"].endswith(":3") and len(world.history) == 1
    )
