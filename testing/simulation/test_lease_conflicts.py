"""Two updates of one service that meet at the lease: the later one is planned from what the earlier
one left.
"""

import pytest

from ecs_updater.ledger.lease import Holder, Leases
from fakes.fake_ecs import SERVICE_ARN
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


def test_an_update_that_nothing_came_between_is_planned_once(world):
    assert world.send(**FIRST).verdict == "SUCCEEDED"
    world.pass_time(10)
    world.calls.clear()
    assert world.send(**{**SECOND, "ecs_image_name": "app:3"}).verdict == "NO_CHANGE"
    assert dict(world.calls) == {
        "DescribeServices": 1,
        "DescribeTaskDefinition": 1,
        "TagResource": 1,
        "UntagResource": 1,
    }
