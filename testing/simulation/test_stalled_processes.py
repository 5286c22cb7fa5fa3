"""A process that stands still for longer than its lease lasts, or is killed where it hurts: found
by ``test_interleavings``.
"""

from ecs_updater.ledger.lease import LEASE_SECONDS
from fakes.fake_ecs import REFUSED
from fakes.memory_dynamodb import SERVER_ERROR
from support.rollout_world import OLD_TAGS, SIDECAR

OTHER = {"ecs_image_name": "app:3", "ecs_tag": {"release": "3"}, "request_id": "other"}
APP, PROXY = SIDECAR
CONTAINER = {"ecs_container_name": "ecs-dummy-container"}


def stand_still(world, **fields):
    """Nothing is sent until the lease has expired and another update was done."""

    def happen():
        world.pass_time(LEASE_SECONDS + 10)
        if fields:
            assert world.send(**fields).verdict == "IN_PROGRESS"

    return happen


def test_an_update_whose_lease_somebody_else_has_taken_is_not_begun(world):
    """Its number would be lower than that of the other one, which was deployed before it."""
    world.before("TransactWriteItems", stand_still(world, **OTHER), service="dynamodb")
    assert "is not held by this update any more" in world.send(request_id="first").text
    assert [entry.request_id for entry in world.history] == ["other"]
    assert world.send(request_id="first").verdict == "IN_PROGRESS"
    assert [entry.request_id for entry in world.history] == ["first", "other"]
    assert world.history[0].before.tags == OTHER["ecs_tag"]


def test_tags_that_were_not_written_are_not_put_back(world):
    world.before("UpdateItem", stand_still(world), skip=2, service="dynamodb")
    assert "the next write may take 75 s; the service is as it was" in world.send().text
    assert "TagResource" not in world.ecs.operations and world.tags == OLD_TAGS


def test_tags_are_not_put_back_after_the_lease_is_over(world):
    """The other update has taken them back already, and has written its own."""

    def happen():
        stand_still(world, **OTHER)()
        world.dynamodb.fail("PutItem", *[SERVER_ERROR] * 3)

    world.before("PutItem", happen, skip=1, service="dynamodb")
    outcome = world.send(request_id="first")
    assert "no deployment was made, the tags may be the new ones" in outcome.text
    assert world.state == ({"ecs-dummy-container": "app:3"}, OTHER["ecs_tag"])


def test_an_update_killed_while_it_is_planned_again_is_recorded_with_the_revision_that_was_deployed(
    make_world,
):
    world = make_world(containers=SIDECAR)
    world.before("UpdateService", lambda: world.redeploy(APP, {**PROXY, "image": "envoy:2"}))
    world.before("UpdateService", lambda: world.ecs.kill("UpdateService"), skip=1)
    assert world.send(**CONTAINER).was_killed
    world.settle(LEASE_SECONDS + 10)
    entry = world.history[0]
    assert (entry.verdict, entry.after.task_definition_arn) == (
        "SUCCEEDED",
        world.made[entry.deployment_id],
    )


def test_tags_of_a_killed_attempt_are_put_back_when_the_next_attempt_is_refused(make_world):
    world = make_world(containers=SIDECAR)
    world.ecs.kill("UpdateService")
    event = {**CONTAINER, "request_id": "first"}
    assert world.send(**event).was_killed
    assert world.tags != OLD_TAGS
    world.redeploy(APP, {**PROXY, "image": "envoy:2"})
    world.pass_time(LEASE_SECONDS + 10)
    world.ecs.fail("RegisterTaskDefinition", REFUSED)
    assert world.send(**event).verdict == "TaskDefinitionRefusedError"
    world.reconcile_all()
    assert world.tags == OLD_TAGS and world.history[0].verdict == "INTERRUPTED"
