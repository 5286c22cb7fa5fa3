"""Which revision a service is returned to where ECS does not deploy the last good one any more, or
where it is hard to find.
"""

import pytest

from ecs_updater.aws.dynamodb import Delete
from ecs_updater.errors import (
    ContainerNotFoundError,
    InvalidEventError,
    ServiceReadError,
    TaskDefinitionFamilyError,
)
from ecs_updater.ledger.entry import entry_key
from fakes.simulated_ecs import Image, Timing
from fakes.wire import ACCOUNT, DENIED, REGION, SERVER_ERROR
from support.rollout_world import OLD_TAGS, ROLLBACK

FAMILY = "ecs-dummy-task"
BAD = Image.exits(code=3)
COPY = "a new revision with the content of ecs-dummy-task:{}, which is {}"
QUICK = Timing(steady_after=2, stop_takes=1, lingers=1, retry_after=0.5)
ADDED_BY_ECS = {
    *(
        "compatibilities",
        "deregisteredAt",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
    ),
    "taskDefinitionArn",
}


def end(world, revision, status):
    """Brings a revision into a status, as a cleanup does."""
    name = f"{FAMILY}:{revision}"
    if status == "INACTIVE":
        world.ecs.deregister(name)
    elif status != "ACTIVE":
        world.ecs.delete_task_definition(name, is_done=status == "DELETED")


def change_of_revision(outcome):
    """The new revision in the answer."""
    return next(
        change["to"]
        for change in outcome.answer["body"]["changes"]
        if change["what"] == "taskDefinition"
    )


TARGETS = pytest.mark.parametrize(
    ("status", "image", "to", "note"),
    [
        ("ACTIVE", "app:3", "ecs-dummy-task:3", []),
        ("INACTIVE", "app:3", COPY.format(3, "INACTIVE"), []),
        (
            "DELETE_IN_PROGRESS",
            "app:2",
            "ecs-dummy-task:2",
            ["ecs-dummy-task:3 is passed over: it is DELETE_IN_PROGRESS"],
        ),
        (
            "DELETED",
            "app:2",
            "ecs-dummy-task:2",
            [
                (
                    "ecs-dummy-task:3 is passed over: ECS does not have it any more (Unable to "
                    "describe task definition)"
                )
            ],
        ),
    ],
)
"""By the status of ``ecs-dummy-task:3``, the last revision that worked: where to, and how."""


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "no ledger"])
@pytest.mark.parametrize("bad", [None, BAD], ids=["from a good one", "from a failing one"])
@TARGETS
def test_a_rollback_ends_on_a_revision_that_worked_and_the_dry_run_names_it(  # pylint: disable=too-many-arguments
    make_world, ledger, bad, status, image, to, note
):
    world = make_world(ledger=ledger)
    world.update(2, 3)
    world.update(4, image=bad)
    end(world, 3, status)
    writes = len(world.ecs.writes)

    dry = world.send(ROLLBACK, dry_run=True)
    assert len(world.ecs.writes) == writes
    outcome = world.send(ROLLBACK, wait_seconds=120)

    assert (outcome.verdict, world.image) == ("SUCCEEDED", image)
    assert change_of_revision(dry) == change_of_revision(outcome) == to
    assert dry.notes == outcome.notes == note
    assert outcome.answer["body"]["taskDefinitionArn"]["after"].endswith(
        f"{FAMILY}:{5 if status == 'INACTIVE' else 3 if status == 'ACTIVE' else 2}"
    )
    if ledger:
        assert world.tags == {"release": image.removeprefix("app:")}


@pytest.mark.parametrize("status", ["INACTIVE", "DELETE_IN_PROGRESS"])
def test_the_only_revision_that_worked_is_registered_again_with_every_field_and_tag(
    make_world, status
):
    world = make_world(newerThanTheSdk={"a": [""]}, runtimePlatform={"cpuArchitecture": "ARM64"})
    ecs = world.ecs.world
    old = ecs.task_definition(f"{FAMILY}:1")
    ecs.revision_tags[old["taskDefinitionArn"]] = [
        {"key": "team", "value": "a"},
        {"key": "aws:by", "value": "AWS"},
    ]
    world.update(2)
    end(world, 1, status)

    outcome = world.send(ROLLBACK, wait_seconds=120)

    new = ecs.task_definition(f"{FAMILY}:3")
    assert (outcome.verdict, change_of_revision(outcome), outcome.notes) == (
        "SUCCEEDED",
        COPY.format(1, status),
        [],
    )
    assert {k: v for k, v in new.items() if k not in ADDED_BY_ECS} == {
        k: v for k, v in old.items() if k not in ADDED_BY_ECS
    }
    assert ecs.revision_tags[new["taskDefinitionArn"]] == [{"key": "team", "value": "a"}]
    assert world.ecs.writes[-4:] == [
        "RegisterTaskDefinition",
        "TagResource",
        "UntagResource",
        "UpdateService",
    ]


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "no ledger"])
@pytest.mark.parametrize("unknown_fields", ["keep", "drop"])
def test_after_a_copy_the_next_rollback_goes_further_back_and_not_to_the_original(
    make_world, ledger, unknown_fields
):
    world = make_world(ledger=ledger, newerThanTheSdk={"a": [""]})
    world.update(2, 3)
    world.update(4, image=BAD)
    end(world, 3, "INACTIVE")
    images = []
    # Without a ledger, nobody knows after two that the first was left.
    for _ in range(3 if ledger else 2):
        outcome = world.send(ROLLBACK, {"UNKNOWN_FIELDS": unknown_fields}, wait_seconds=120)
        assert outcome.verdict == "SUCCEEDED"
        images.append(world.image)
    assert images == ["app:3", "app:2", "busybox"][: len(images)]


@pytest.mark.parametrize("way", ["waits", "waits, no ledger", "reconciler"])
@pytest.mark.parametrize("service_deployments", [True, False], ids=["records", "no records"])
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
def test_the_rollback_does_not_leave_the_bad_image_where_the_old_revision_is_inactive(
    make_world, way, service_deployments, status
):
    world = make_world(ledger=way != "waits, no ledger", service_deployments=service_deployments)
    world.update(2)
    end(world, 2, status)
    wait = None if way == "reconciler" else 600
    outcome = world.update(3, image=BAD, rollback_on_failure=True, wait_seconds=wait)
    if not wait:
        (entry,) = world.reconcile_all()
        assert entry.verdict == "ROLLED_BACK"
    else:
        assert outcome.verdict == "RolloutRolledBackError" and "the service is back" in outcome.text
    assert (world.image, world.tags) == ("app:2", {"release": "2"})


@pytest.mark.parametrize("way", ["waits", "reconciler"])
def test_the_rollback_takes_the_next_good_revision_where_the_old_one_is_being_deleted(
    make_world, way
):
    world = make_world(service_deployments=False)
    world.update(2)
    end(world, 2, "DELETE_IN_PROGRESS")
    world.update(
        3,
        image=BAD,
        rollback_on_failure=True,
        wait_seconds=600 if way == "waits" else None,
    )
    world.reconcile_all()
    assert world.verdicts == ["ROLLED_BACK", "SUCCEEDED"]
    assert (world.image, world.tags) == ("busybox", OLD_TAGS)


def test_a_rollback_that_ecs_refuses_for_another_reason_registers_nothing(make_world):
    world = make_world(service_deployments=False, image=BAD)
    world.ecs.at(1).fail("UpdateService", (400, "InvalidParameterException", "no."))
    assert (
        "could not be rolled back to ecs-dummy-task:1: InvalidParameterException: no."
        in world.send(wait_seconds=600, rollback_on_failure=True).text
    )
    assert world.ecs.writes.count("RegisterTaskDefinition") == 1


@pytest.mark.parametrize("killed_at", ["TagResource", "UpdateService"])
@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("status", ["INACTIVE", "DELETED"])
def test_a_rollback_that_was_killed_is_taken_up_although_its_target_is_not_deployed_any_more(
    world, killed_at, after_effect, status
):
    world.update(2, 3, 4)
    world.ecs.kill(killed_at, after_effect=after_effect)
    assert world.send(ROLLBACK, request_id="r", wait_seconds=120).was_killed
    world.pass_time(130)
    end(world, 3, status)
    outcome = world.send(ROLLBACK, request_id="r", wait_seconds=120)
    entry = world.history[0]
    image = (
        "app:3"
        if status == "INACTIVE" or (killed_at, after_effect) == ("UpdateService", True)
        else "app:2"
    )
    assert (outcome.verdict, world.image, world.tags) == (
        "SUCCEEDED",
        image,
        {"release": image.removeprefix("app:")},
    )
    assert entry.after.images == world.ecs.running_images and entry.after.tags == world.tags
    assert (
        entry.after.task_definition_arn
        == world.ecs.service.primary.revision.task_definition["taskDefinitionArn"]
    )


# Hidden behind many deployments of the running revision.


@pytest.mark.parametrize("times", [5, 19, 20, 99, 100, 130])
def test_without_a_ledger_forced_redeployments_of_the_running_revision_do_not_hide_the_earlier_one(
    make_world, times
):
    world = make_world(ledger=False, timing=QUICK)
    world.update(2)
    for _ in range(times):
        world.ecs.redeploy()
        world.pass_time(30)
    before = len(world.ecs.requests)
    assert world.send(ROLLBACK, dry_run=True).answer["body"]["AFTER"]["serviceImage"] == "busybox"
    calls = world.ecs.operations[before:]
    # With the two deployments before them, as many as ECS lists and describes at a time.
    assert calls.count("ListServiceDeployments") == -(-(times + 2) // 100)
    assert calls.count("DescribeServiceRevisions") <= -(-(times + 2) // 20) + 1
    assert calls.count("DescribeTaskDefinition") == 2


@pytest.mark.parametrize(
    "event", [{"wait_seconds": None}, {"force_new_deployment": True}], ids=["no change", "forced"]
)
def test_with_a_ledger_many_updates_that_change_nothing_do_not_hide_the_earlier_revision(
    make_world, event
):
    world = make_world(service_deployments=False, timing=QUICK)
    world.update(2, 3)
    assert world.update(*[3] * 21, **event).verdict in ("NO_CHANGE", "SUCCEEDED")
    outcome = world.send(ROLLBACK, wait_seconds=120)
    assert (outcome.verdict, world.image, world.tags) == ("SUCCEEDED", "app:2", {"release": "2"})


def test_the_last_success_is_a_target_when_its_entry_has_expired(make_world):
    world = make_world(service_deployments=False)
    world.update(2)
    (entry,) = world.history
    world.table.write(Delete(entry.service, entry_key(entry.number)))
    world.ecs.deploy("other:1")
    world.ecs.tag({"release": "other"})
    world.pass_time(600)
    outcome = world.send(ROLLBACK, wait_seconds=120)
    assert (outcome.verdict, world.image, world.tags) == ("SUCCEEDED", "app:2", {"release": "2"})


@pytest.mark.parametrize(
    ("fault", "is_for_good"), [(SERVER_ERROR, False), (DENIED, True)], ids=["500", "denied"]
)
def test_records_that_cannot_be_read_now_are_not_said_to_hold_nothing(
    make_world, fault, is_for_good
):
    world = make_world(ledger=False)
    world.update(2)
    world.ecs.fail("ListServiceDeployments", *[fault] * 4)
    outcome = world.send(ROLLBACK)
    assert isinstance(outcome.error, ServiceReadError) is not is_for_good
    assert (
        "ECS's records of the service's deployments could not be read: " in outcome.text
    ) is is_for_good


# Defaults.


@pytest.mark.parametrize("default", ["no-such-container", "sidecar", "new-in-2"])
def test_a_default_container_does_not_block_a_rollback_and_is_shown_where_the_target_has_it(
    make_world, default
):
    containers = [
        {"name": "app", "image": "busybox", "memory": 128},
        {"name": "sidecar", "image": "envoy", "memory": 64},
    ]
    world = make_world(containers=containers)
    world.redeploy(*containers, {"name": "new-in-2", "image": "busybox", "memory": 16})
    named = world.send(ROLLBACK, {"CONTAINER_NAME": "app"}, ecs_container_name="new-in-2")
    assert isinstance(named.error, ContainerNotFoundError)
    outcome = world.send(ROLLBACK, {"CONTAINER_NAME": default}, wait_seconds=120)
    assert outcome.verdict == "SUCCEEDED"
    assert outcome.answer["body"]["AFTER"]["taskDefinitionName"] == (
        "sidecar" if default == "sidecar" else "app"
    )


def deploy_another_family(world):
    """Somebody deploys a task definition of another family."""
    world.redeploy({"name": "x", "image": "busybox"}, family="other")
    world.pass_time(60)


def test_a_service_that_runs_another_family_by_mistake_returns_to_the_one_that_task_def_says(
    world,
):
    deploy_another_family(world)
    update_event = world.send(None, {"TASK_DEF": FAMILY})
    outcome = world.send(ROLLBACK, {"TASK_DEF": FAMILY}, wait_seconds=120)
    assert isinstance(update_event.error, TaskDefinitionFamilyError)
    assert (outcome.verdict, change_of_revision(outcome)) == ("SUCCEEDED", f"{FAMILY}:1")


def test_a_rollback_does_not_lead_out_of_the_family_that_task_def_says(make_world):
    world = make_world(ledger=False)
    deploy_another_family(world)
    world.ecs.redeploy(f"{FAMILY}:1")
    world.pass_time(60)
    outcome = world.send(ROLLBACK, {"TASK_DEF": FAMILY})
    assert (
        "other:1 is passed over: it is not of the family ecs-dummy-task, which the "
        "function's TASK_DEF says"
    ) in outcome.text
    deploy_another_family(world)
    outcome = world.send(ROLLBACK, {"TASK_DEF": "third"})
    assert isinstance(outcome.error, TaskDefinitionFamilyError)


@pytest.mark.parametrize(
    "default",
    [
        "Other",
        f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/Other",
        f"arn:aws:ecs:us-west-1:{ACCOUNT}:cluster/ECSCluster",
        "ECSCluster",
    ],
)
@pytest.mark.parametrize("event", [ROLLBACK, None], ids=["rollback", "update"])
def test_a_default_cluster_does_not_refuse_a_service_whose_arn_names_its_cluster(
    world, default, event
):
    world.update(3)
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/ECSCluster/ecs-dummy-service"
    outcome = world.send(
        event,
        {"CLUSTER_NAME": default},
        ecs_cluster_name=None,
        ecs_service_name=arn,
        wait_seconds=120,
    )
    assert outcome.verdict == "SUCCEEDED"
    named = world.send(
        event, {"CLUSTER_NAME": default}, ecs_cluster_name="Other", ecs_service_name=arn
    )
    assert isinstance(named.error, InvalidEventError)
