"""Updates of one service that meet at its lease, and processes that stand still longer than the
lease lasts: the later update is planned from what the earlier one wrote.
"""

import pytest

from ecs_updater.ledger.lease import LEASE_SECONDS, Holder, Leases
from fakes import memory_dynamodb
from fakes.wire import REFUSED, SERVICE_ARN
from support.rollout_world import OLD_TAGS, SIDECAR
from support.trouble import KILLED, SERVER_ERROR, Reach, Trouble

FIRST = {"ecs_image_name": "app:3", "ecs_tag": {"owner": "first"}, "wait_seconds": 60}
SECOND = {"ecs_image_name": "busybox", "ecs_tag": {"release": "2"}, "request_id": "second"}
"""Image and tags of the service before either: read before the first one's writes, only the tags
seem to differ.
"""
AS_THE_SECOND_WANTS = ({"ecs-dummy-container": "busybox"}, SECOND["ecs_tag"])


BETWEEN = "DescribeTaskDefinition"
"""An update sends it after it has read the service, and before it takes the lease."""


@pytest.fixture(name="last_request")
def _last_request(make_world):
    """Number of the request with which the first update releases its lease."""
    world = make_world()
    assert world.send(**FIRST).verdict == "SUCCEEDED"
    return len(world.process.sent) - 1


@pytest.mark.parametrize(
    "trouble", [KILLED, SERVER_ERROR], ids=["was killed", "could not give it back"]
)
@pytest.mark.parametrize("seconds", [0, 200], ids=["it waits for", "has expired before it asks"])
def test_an_update_after_a_lease_that_was_not_given_back_is_planned_from_what_its_holder_wrote(
    last_request, world, trouble, seconds
):

    def first():
        world.at_next = Trouble(last_request, trouble, Reach.CALL)
        world.send(**FIRST)
        assert (
            world.state == ({"ecs-dummy-container": "app:3"}, FIRST["ecs_tag"])
            and not world.lease_is_free
        )
        world.pass_time(seconds)

    world.before(BETWEEN, first)
    assert world.send(**SECOND, wait_seconds=300).verdict == "SUCCEEDED"
    assert world.state == AS_THE_SECOND_WANTS


def test_an_update_that_waited_is_planned_again_however_old_the_release_looks(world):
    """The clock of the holder, another program of the ledger, may be behind."""

    def first():
        behind = Leases(world.table, clock=lambda: world.clock.epoch() - 60)
        behind.acquire(SERVICE_ARN, holder := Holder.of("first"))

        def write_and_give_back():
            world.ecs.deploy("app:3")
            world.ecs.service.tags.update(FIRST["ecs_tag"])
            behind.release(SERVICE_ARN, holder)

        world.ecs.clock.after(10, write_and_give_back)

    world.before(BETWEEN, first)
    assert world.send(**SECOND, wait_seconds=300).verdict == "SUCCEEDED"
    assert world.state == AS_THE_SECOND_WANTS


# A process stands still longer than its lease lasts, or is killed

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


@pytest.mark.parametrize("operation, skip", [("PutItem", 1), ("UpdateItem", 3)])
def test_an_update_whose_lease_is_taken_after_its_tags_puts_none_back_and_makes_no_deployment(
    world, operation, skip
):
    """The other update has taken them back already, and has written its own."""

    def happen():
        stand_still(world, **OTHER)()
        world.dynamodb.fail("PutItem", *[memory_dynamodb.SERVER_ERROR] * 3)

    world.before(operation, happen, skip=skip, service="dynamodb")
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
    world.finish(LEASE_SECONDS + 10)
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
