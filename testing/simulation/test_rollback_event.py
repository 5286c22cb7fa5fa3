"""A rollback event returns a service to the last revision that worked, never to the next lower
number.
"""

import pytest

from ecs_updater.errors import RollbackTargetError, RolloutFailedError
from fakes.simulated_ecs import BREAKER, Image
from support.rollout_world import OLD_TAGS, ROLLBACK

BAD = Image.exits(code=3)
WITHOUT_SERVICE_DEPLOYMENTS = {"service_deployments": False}
TARGETS = {
    "the revision before": ({}, (2, 3), "app:2", {"release": "2"}),
    "the first revision, with its tags": ({}, (2,), "busybox", OLD_TAGS),
    "further back, after a first rollback": ({}, (2, 3, ROLLBACK), "busybox", OLD_TAGS),
    "past a revision that failed": ({}, (2, BAD, 4), "app:2", {"release": "2"}),
    "from a deployment that fails": ({}, (2, BAD), "app:2", {"release": "2"}),
    "by the records of ECS, without tags": ({"ledger": False}, (2, 3), "app:2", {"release": "3"}),
    "by the ledger": (WITHOUT_SERVICE_DEPLOYMENTS, (2,), "busybox", OLD_TAGS),
    "from a deployment of another program": (
        WITHOUT_SERVICE_DEPLOYMENTS,
        (2, "x:1"),
        "app:2",
        {"release": "2"},
    ),
}
"""Options of the world, what is deployed before, and image and tags after the rollback."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_rollback_returns_the_service_to(make_world, name):
    options, deployed, image, tags = TARGETS[name]
    world = make_world(**options)
    for number, what in enumerate(deployed, 2):
        if what == ROLLBACK:
            world.send(ROLLBACK, wait_seconds=120)
        elif isinstance(what, str):
            world.ecs.deploy(what)
            world.pass_time(60)
        else:
            outcome = world.update(number, image=BAD if what is BAD else None)
            assert outcome.verdict == ("RolloutFailedError" if what is BAD else "SUCCEEDED")
    outcome = world.send(ROLLBACK, wait_seconds=120)
    assert (outcome.verdict, world.image, world.tags) == ("SUCCEEDED", image, tags)


def test_the_answer_has_both_images_and_each_change(world):
    world.update(2, 3)
    body = world.send(ROLLBACK, wait_seconds=120).answer["body"]
    assert (body["BEFORE"]["serviceImage"], body["AFTER"]["serviceImage"]) == ("app:3", "app:2")
    assert [change["what"] for change in body["changes"]] == [
        "image.ecs-dummy-container",
        "tag.release",
        "taskDefinition",
    ]
    assert body["taskDefinitionArn"]["after"].endswith("ecs-dummy-task:2")
    assert world.ecs.operations.count("RegisterTaskDefinition") == 2


def test_where_nothing_is_known_to_have_worked_nothing_is_written(make_world):
    world = make_world(ledger=False, **WITHOUT_SERVICE_DEPLOYMENTS)
    world.update(2)
    writes = len(world.ecs.writes)
    outcome = world.send(ROLLBACK)
    assert isinstance(outcome.error, RollbackTargetError)
    reason = "no earlier revision than ecs-dummy-task:2 that is known to have worked"
    assert reason in outcome.text and len(world.ecs.writes) == writes
    next_command = "ecs-updater update ECSCluster ecs-dummy-service IMAGE"
    assert outcome.error.hint == f"next: {next_command}"


def test_a_rollback_to_what_no_longer_works_says_so(world):
    world.update(2)
    world.ecs.images.remove("busybox")
    outcome = world.send(ROLLBACK, wait_seconds=180)
    assert isinstance(outcome.error, RolloutFailedError) and "could not pull" in outcome.text


def test_a_rollback_killed_before_its_tags_is_not_taken_for_ecs_own_rollback(make_world):
    """Both are to the same revision."""
    world = make_world(breaker=BREAKER, image=BAD)
    world.send()
    world.pass_time(3)
    world.ecs.kill("TagResource")
    assert world.send(ROLLBACK, request_id="r").was_killed
    world.finish(200)
    assert world.image == "busybox" and world.tags == {"release": "2"}
    assert [(entry.action, entry.verdict) for entry in world.history] == [
        ("rollback", "INTERRUPTED"),
        ("update", "ROLLED_BACK"),
    ]


@pytest.mark.parametrize("by_the_reconciler", [False, True])
def test_a_rollback_killed_after_its_tags_is_undone_before_the_update_beneath_it_is_rolled_back(
    make_world, by_the_reconciler
):
    world = make_world(image=BAD)
    world.send(rollback_on_failure=True, request_id="a")
    world.pass_time(6)
    world.ecs.kill("UntagResource", after_effect=True)
    assert world.send(ROLLBACK, request_id="r").was_killed
    world.pass_time(200)
    if not by_the_reconciler:
        world.send(rollback_on_failure=True, request_id="a", wait_seconds=120)
    world.reconcile_all()
    assert (world.image, world.tags) == ("busybox", OLD_TAGS)
    assert world.verdicts == ["INTERRUPTED", "ROLLED_BACK"]
