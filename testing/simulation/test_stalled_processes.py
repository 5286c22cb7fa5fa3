"""A process that stands still for longer than its lease lasts, or is killed where it hurts: found
by ``test_interleavings``.
"""

from ecs_updater.ledger.lease import LEASE_SECONDS
from fakes.fake_ecs import REFUSED
from fakes.memory_dynamodb import SERVER_ERROR
from support.rollout_world import OLD_TAGS

OTHER = {"ecs_image_name": "app:3", "ecs_tag": {"release": "3"}, "request_id": "other"}
SIDECAR = [
    {"name": "ecs-dummy-container", "image": "busybox", "memory": 128},
    {"name": "sidecar", "image": "envoy:1", "memory": 64},
]
ONE_OF_TWO = {"ecs_container_name": "ecs-dummy-container"}


def before(world, service, operation, happen, skip=0):
    """Lets ``happen`` be done once, just before a request of ``operation`` is sent; not before the
    first ``skip`` of them.
    """
    left = [skip + 1]
    client = (world.boundary if service == "ecs" else world.table)._client  # pylint: disable=protected-access

    def hook(**_):
        left[0] -= 1
        if left[0] == 0:
            happen()

    client.meta.events.register_first(f"before-send.{service}.{operation}", hook)


def stand_still(world, **fields):
    """Nothing is sent until the lease has expired and another update was done."""

    def happen():
        world.pass_time(LEASE_SECONDS + 10)
        if fields:
            assert world.send(**fields).verdict == "IN_PROGRESS"

    return happen


def deploy_sidecar(world):
    """Somebody else deploys the sidecar in another version."""
    arn = world.ecs.world.register(
        {
            "family": "ecs-dummy-task",
            "containerDefinitions": [SIDECAR[0], {**SIDECAR[1], "image": "envoy:2"}],
        }
    )["taskDefinitionArn"]
    world.ecs.redeploy(arn.rpartition("/")[2])


def test_an_update_whose_lease_somebody_else_has_taken_is_not_begun(make_world):
    """Its number would be lower than that of the other one, which was deployed before it."""
    world = make_world()
    before(world, "dynamodb", "TransactWriteItems", stand_still(world, **OTHER))
    told = world.send(request_id="first")
    assert "is not held by this update any more" in str(told.error)
    assert [entry.request_id for entry in world.history] == ["other"]
    assert world.send(request_id="first").verdict == "IN_PROGRESS"
    assert [entry.request_id for entry in world.history] == ["first", "other"]
    assert world.history[0].before.tags == OTHER["ecs_tag"]


def test_tags_that_were_not_written_are_not_put_back(make_world):
    world = make_world()
    before(world, "dynamodb", "UpdateItem", stand_still(world), skip=2)
    told = world.send()
    assert "the next write may take 75 s; the service is as it was" in str(told.error)
    assert "TagResource" not in world.ecs.operations and world.tags == OLD_TAGS


def test_tags_are_not_put_back_after_the_lease_is_over(make_world):
    """The other update has taken them back already, and has written its own."""
    world = make_world()

    def happen():
        stand_still(world, **OTHER)()
        world.dynamodb.fail("PutItem", *[SERVER_ERROR] * 3)

    before(world, "dynamodb", "PutItem", happen, skip=1)
    told = world.send(request_id="first")
    assert "no deployment was made, the tags may be the new ones" in str(told.error)
    assert world.state == ({"ecs-dummy-container": "app:3"}, OTHER["ecs_tag"])


def test_an_update_killed_while_it_is_planned_again_is_recorded_with_the_revision_that_was_deployed(
    make_world,
):
    world = make_world(containers=SIDECAR)
    before(world, "ecs", "UpdateService", lambda: deploy_sidecar(world))
    before(world, "ecs", "UpdateService", lambda: world.ecs.kill("UpdateService"), skip=1)
    assert world.send(**ONE_OF_TWO).was_killed
    world.pass_time(LEASE_SECONDS + 10)
    world.complete_until_all_is_done()
    entry = world.history[0]
    assert (entry.verdict, entry.after.task_definition_arn) == (
        "SUCCEEDED",
        world.made[entry.deployment_id],
    )


def test_tags_of_a_killed_attempt_are_put_back_when_the_next_attempt_is_refused(make_world):
    world = make_world(containers=SIDECAR)
    world.ecs.kill("UpdateService")
    event = {**ONE_OF_TWO, "request_id": "first"}
    assert world.send(**event).was_killed
    assert world.tags != OLD_TAGS
    deploy_sidecar(world)
    world.pass_time(LEASE_SECONDS + 10)
    world.ecs.fail("RegisterTaskDefinition", REFUSED)
    assert world.send(**event).verdict == "TaskDefinitionRefusedError"
    world.complete_until_all_is_done()
    assert world.tags == OLD_TAGS and world.history[0].verdict == "INTERRUPTED"
