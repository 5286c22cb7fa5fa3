"""Desired count, deployment configuration and an existing revision, on the simulated ECS."""

import pytest

from ecs_updater.errors import AwsFailure, NotAllowedError, Outcome, TaskDefinitionNotUsableError
from ecs_updater.ledger.store import History
from fakes.simulated_ecs import BREAKER, Image
from fakes.wire import DENIED, SERVICE_ARN, TIMED_OUT, Refusal
from support.rollout_world import OLD_TAGS, ROLLBACK

ONLY = {"ecs_image_name": None, "ecs_tag": None}
SCALE = {**ONLY, "ecs_desired_count": 3}
HALF = {"minimumHealthyPercent": 50}
CONFIGURE = {**ONLY, "ecs_deployment": HALF}
BACK = {"rollback_on_failure": True}
BAD = Image.exits(code=3)


def settings_of(world):
    """Desired count, live tasks, minimum healthy percent, and the number of deployments."""
    service = world.ecs.service
    minimum = service.configuration["minimumHealthyPercent"]
    return service.desired, len(service.live), minimum, len(world.made)


SCENARIOS = {
    "out": (SCALE, Image.good(), (), "SUCCEEDED", "3 of 3 tasks run ecs-dummy-task:1", 3, 1),
    "to 0": (
        {**ONLY, "ecs_desired_count": 0},
        Image.good(),
        (),
        "SUCCEEDED",
        "the service's desired count is 0",
        0,
        1,
    ),
    "never placed": (SCALE, Image.never_placed(), (), "TIMED_OUT", "1 of 3 tasks", 3, 1),
    "failed": (SCALE, BAD, (), "RolloutFailedError", "exited with code 3", 3, 1),
    "rolled back": (
        SCALE | BACK,
        BAD,
        (),
        "RolloutRolledBackError",
        "the service is back: 1 of 1 tasks run ecs-dummy-task:1, its settings (desiredCount) are",
        1,
        1,
    ),
    "another count meanwhile": (
        SCALE | BACK,
        Image.slow(60),
        ((5, "set_desired", 2),),
        "RolloutSupersededError",
        "the desired count was changed from 3 to 2 since",
        2,
        1,
    ),
    "another deployment meanwhile": (
        SCALE,
        Image.slow(60),
        ((5, "deploy", "other:1"),),
        "RolloutSupersededError",
        "took its place",
        3,
        2,
    ),
    "the service is deleted": (
        SCALE | BACK,
        Image.slow(60),
        ((5, "delete_service"),),
        "RolloutStoppedError",
        "was deleted",
        0,
        1,
    ),
}
"""Event, image of the running revision, what happens beside, verdict, text, count, deployments."""


@pytest.mark.parametrize("is_awaited", [True, False], ids=["waited for", "by the reconciler"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scale_is_judged_by_the_tasks_of_the_unchanged_deployment(make_world, name, is_awaited):
    fields, image, beside, verdict, text, count, deployments = SCENARIOS[name]
    world = make_world()
    world.ecs.images.becomes("busybox", image)
    for after, method, *arguments in beside:
        getattr(world.ecs.at(after), method)(*arguments)
    outcome = world.send(wait_seconds=200 if is_awaited else 0, **fields)
    if is_awaited:
        assert (outcome.verdict, text in outcome.text) == (verdict, True), outcome.text
    else:
        assert outcome.verdict == "IN_PROGRESS"
        world.pass_time(90)
        world.reconcile()
        world.finish(60)
        word = verdict.removeprefix("Rollout").removesuffix("Error").upper()
        assert world.verdicts[0] in (word, "ROLLED_BACK" if "RolledBack" in verdict else None)
    assert settings_of(world)[0] == count and len(world.made) == deployments
    assert "RegisterTaskDefinition" not in world.ecs.writes


def test_a_changed_configuration_has_succeeded_at_once_and_its_other_members_survive(make_world):
    newer = {"newer": {"a": 1}, "maximumPercent": 150}
    world = make_world(configuration=newer)
    fields = {"ecs_deployment": HALF | {"deploymentCircuitBreaker": {"enable": True}}}
    outcome = world.send(**ONLY, **fields)
    assert outcome.verdict == "SUCCEEDED"
    assert world.calls == {"DescribeServices": 1, "DescribeTaskDefinition": 1, "UpdateService": 1}
    breaker = {"enable": True, "rollback": False}
    assert world.ecs.service.configuration == newer | HALF | {"deploymentCircuitBreaker": breaker}
    assert outcome.answer["body"]["changes"] == [
        {
            "what": "deploymentConfiguration.minimumHealthyPercent",
            "from": "100",
            "to": "50",
        },
        {"what": "deploymentCircuitBreaker", "from": "off", "to": "on, without rollback"},
    ]
    world.pass_time(1)
    writes = len(world.ecs.writes)
    assert world.send(**ONLY, **fields).verdict == "NO_CHANGE" and len(world.ecs.writes) == writes


@pytest.mark.parametrize("breaker", [None, BREAKER], ids=["without breaker", "with breaker"])
def test_a_failed_update_restores_settings_revision_and_tags(make_world, breaker):
    world = make_world(image=BAD, breaker=breaker)
    fields = SCALE | {"ecs_image_name": "app:2", "ecs_tag": {"a": "b"}, "ecs_deployment": HALF}
    outcome = world.send(**fields, **BACK, wait_seconds=300)
    assert outcome.verdict == "RolloutRolledBackError"
    assert (world.state, settings_of(world)[:3]) == (
        ({"ecs-dummy-container": "busybox"}, OLD_TAGS),
        (1, 1, 100),
    )
    assert "1 of 1 tasks run ecs-dummy-task:1" in outcome.text


def test_the_settings_go_with_the_only_update_service(world):
    outcome = world.send(**{**SCALE, "ecs_image_name": "app:2"}, ecs_deployment=HALF)
    (request,) = (r for r in world.ecs.requests if r.operation == "UpdateService")
    assert request.body["desiredCount"] == 3 and "taskDefinition" in request.body
    assert request.body["deploymentConfiguration"]["minimumHealthyPercent"] == 50
    names = [change["what"] for change in outcome.answer["body"]["changes"]]
    assert names[1:] == ["desiredCount", "deploymentConfiguration.minimumHealthyPercent"]


def test_a_rollback_keeps_the_count_that_another_caller_has_set_since(world):
    """The count changes after the failure was seen and before it is restored."""
    world.ecs.images.becomes("busybox", BAD)
    world.send(**SCALE, **BACK)
    world.pass_time(60)
    world.before("DescribeTasks", lambda: world.ecs.set_desired(2))
    world.reconcile_all()
    assert world.ecs.service.desired == 2 and world.ecs.writes == ["UpdateService"]


@pytest.mark.parametrize("after_effect", [True, False])
def test_an_unanswered_restore_is_read_before_it_is_written_again(world, after_effect):
    world.ecs.images.becomes("busybox", BAD)
    world.send(**SCALE, **BACK)
    world.pass_time(60)
    world.ecs.fail("UpdateService", TIMED_OUT, after_effect=after_effect)
    world.reconcile_all()
    assert (world.verdicts, world.ecs.service.desired) == (["ROLLED_BACK"], 1)
    updates = [i for i, name in enumerate(world.ecs.operations) if name == "UpdateService"]
    assert len(updates) == (2 if after_effect else 3)
    assert world.ecs.operations[updates[1] + 1] == "DescribeServices"


def test_the_same_event_again_fails_like_the_first_and_a_later_update_restores_the_count(world):
    world.ecs.images.becomes("busybox", BAD)
    assert world.send(**SCALE, wait_seconds=100).verdict == "RolloutFailedError"
    world.pass_time(5)
    assert world.send(**SCALE, wait_seconds=100, **BACK).verdict == "RolloutFailedError"
    assert world.ecs.writes == ["UpdateService"]
    world.send(**{**SCALE, "ecs_desired_count": 4}, **BACK)
    world.pass_time(300)
    assert world.update(2).verdict == "SUCCEEDED"
    assert world.ecs.service.desired == 3
    world.reconcile_all()
    assert (
        "and the rollback to its earlier settings ended with SUPERSEDED"
        in world.history[1].error_message
    )


FAILURE = AwsFailure("DescribeScalableTargets", Outcome.NOT_PERMITTED, "AccessDenied", "no")


@pytest.mark.parametrize(
    "answer, count, note",
    [
        (None, 3, None),
        ((1, 3), 3, "Application Auto Scaling may change the desired count between 1 and 3"),
        ((3, 9), 3, "Application Auto Scaling may change the desired count between 3 and 9"),
        (FAILURE, 3, "not checked: the bounds of Application Auto Scaling could not be read: "),
        ((1, 2), 3, "DesiredCountError"),
        ((2, 9), 0, "DesiredCountError"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_the_bounds_of_auto_scaling_are_read_once(world, answer, count, note, dry_run):
    world.scaling.answer = answer
    outcome = world.send(**{**SCALE, "ecs_desired_count": count}, dry_run=dry_run)
    assert world.scaling.requested == ["ECSCluster/ecs-dummy-service"]
    if note == "DesiredCountError":
        least, most = answer
        assert outcome.verdict == note and not world.ecs.writes
        assert f"ecs_desired_count {count} is outside" in outcome.text
        assert f"minCapacity {least}, maxCapacity {most}" in outcome.text
    else:
        assert [text.startswith(note) for text in outcome.notes] == ([True] if note else [])
    assert world.send(**CONFIGURE).verdict and len(world.scaling.requested) == 1


def test_a_daemon_has_no_desired_count(world):
    world.ecs.service.shown = {"schedulingStrategy": "DAEMON"}
    outcome = world.send(**SCALE)
    assert "has the scheduling strategy DAEMON and no desired count" in outcome.text
    assert outcome.verdict == "DesiredCountError" and not world.ecs.writes


TARGETS = {
    "its name": ("ecs-dummy-task:1", {}, {}, None, ""),
    "its ARN": (
        "arn:aws:ecs:eu-west-1:123456789012:task-definition/ecs-dummy-task:1",
        {},
        {},
        None,
        "",
    ),
    "no such revision": ("ecs-dummy-task:9", {}, {}, TaskDefinitionNotUsableError, "not found"),
    "another family": ("x:1", {}, {}, TaskDefinitionNotUsableError, "not of the family"),
    "another account": (
        "arn:aws:ecs:eu-west-1:999999999999:task-definition/ecs-dummy-task:1",
        {},
        {},
        TaskDefinitionNotUsableError,
        "is in another account or region than the service",
    ),
    "another role": (
        "ecs-dummy-task:1",
        {"taskRoleArn": "arn:aws:iam::123456789012:role/other"},
        {},
        TaskDefinitionNotUsableError,
        "another taskRoleArn than the running revision ecs-dummy-task:2",
    ),
    "inactive": (
        "ecs-dummy-task:1",
        {"status": "INACTIVE"},
        {},
        TaskDefinitionNotUsableError,
        "ecs-dummy-task:1 is INACTIVE, not ACTIVE",
    ),
    "an image that is not allowed": (
        "ecs-dummy-task:1",
        {},
        {"ALLOWED_IMAGES": "docker.io/library/app:*"},
        NotAllowedError,
        "ecs_task_definition.ecs-dummy-container busybox is not allowed",
    ),
}
"""What the event names, fields of that revision, the environment, and the error."""


@pytest.mark.parametrize("name", TARGETS)
def test_an_existing_revision_is_deployed_without_a_registration(world, name):
    target, fields, environment, error, text = TARGETS[name]
    world.update(2)
    world.pass_time(60)
    world.ecs.revisions[0].update(fields)
    done = len(world.ecs.operations)
    outcome = world.send(None, environment, **ONLY, ecs_task_definition=target, ecs_desired_count=2)
    operations = world.ecs.operations[done:]
    assert operations.count("DescribeTaskDefinition") <= 2
    if error:
        assert isinstance(outcome.error, error) and text in outcome.text
        assert set(operations) <= {"DescribeServices", "DescribeTaskDefinition"}
        return
    assert operations[-1] == "UpdateService" and len(operations) == 4
    assert [change["what"] for change in outcome.answer["body"]["changes"]] == [
        "image.ecs-dummy-container",
        "taskDefinition",
        "desiredCount",
    ]
    world.finish(120)
    assert (world.verdicts[0], world.image) == ("SUCCEEDED", "busybox")
    fields = {"ecs_task_definition": target, "ecs_desired_count": 2}
    world.pass_time(60)
    done = len(world.ecs.operations)
    assert world.send(**ONLY, **fields).verdict == "NO_CHANGE"
    assert world.ecs.operations[done:] == ["DescribeServices", "DescribeTaskDefinition"]


def test_a_deployment_of_the_same_revision_by_another_caller_is_not_taken_for_its_own(world):
    """The old deployment of the revision drains while the update to it is interrupted."""
    world.ecs.images.becomes("app:2", Image.slow(200))
    world.send()
    world.pass_time(10)
    world.ecs.kill("UpdateService")
    assert world.send(**ONLY, ecs_task_definition="ecs-dummy-task:1", request_id="r").was_killed
    world.pass_time(200)
    world.reconcile_all()
    assert world.verdicts[0] == "INTERRUPTED"


def test_a_later_update_comes_after_the_settings_of_a_failed_one_were_restored(make_world):
    world = make_world(image=BAD)
    world.send(**{**SCALE, "ecs_image_name": "app:2"}, ecs_deployment=HALF, **BACK)
    world.pass_time(30)
    assert world.update(3).verdict == "SUCCEEDED"
    world.reconcile_all()
    assert settings_of(world)[:3] == (1, 1, 100) and world.image == "app:3"
    assert world.verdicts == ["SUCCEEDED", "SUPERSEDED"]


def test_a_denied_update_says_that_the_service_is_as_it_was(world):
    world.ecs.fail("UpdateService", DENIED)
    outcome = world.send(**SCALE)
    assert "the service is as it was" in outcome.text and world.ecs.service.desired == 1
    world.ecs.fail("UpdateService", Refusal("InvalidParameterException", "too many"))
    assert world.send(**SCALE).verdict == "ServiceUpdateRefusedError"


def test_the_verdict_of_a_scale_is_not_the_verdict_of_a_later_update_without_changes(make_world):
    world = make_world(image=Image.slow(100))
    world.send()
    world.send(**SCALE)
    world.ecs.set_desired(2)
    world.pass_time(65)
    world.reconcile()
    assert world.verdicts == ["SUPERSEDED", None]
    assert world.send(wait_seconds=300).verdict == "SUCCEEDED"


def test_a_repeated_scale_is_judged_by_the_tasks_that_run_now(world):
    world.ecs.images.becomes("busybox", BAD)
    assert world.send(**SCALE, wait_seconds=100).verdict == "RolloutFailedError"
    world.ecs.images.becomes("busybox", Image.slow(60))
    assert world.send(**{**SCALE, "ecs_desired_count": 2}, wait_seconds=200).verdict == "SUCCEEDED"
    world.send(**SCALE)
    world.pass_time(10)
    repeated = world.send(**SCALE)
    assert repeated.verdict == "IN_PROGRESS" and "does not have all its tasks yet" in repeated.text
    world.finish(200)
    assert world.verdicts[:2] == ["SUCCEEDED", "SUCCEEDED"]


@pytest.mark.parametrize("image", [Image.good(), BAD], ids=["good", "bad"])
@pytest.mark.parametrize("was_killed", [False, True], ids=["answered", "killed"])
def test_a_scale_joins_the_deployment_of_another_caller_before_its_write(world, image, was_killed):
    """The settings are restored on the running revision, also if another caller deployed it."""
    world.ecs.publish("other:1", image)
    world.before("UpdateService", lambda: world.ecs.deploy("other:1"))
    if was_killed:
        world.ecs.kill("UpdateService", after_effect=True)
    outcome = world.send(**SCALE, **BACK)
    if not was_killed:
        assert outcome.answer["body"]["taskDefinitionArn"]["after"].endswith("ecs-dummy-task:2")
        assert "ecs-dummy-task:2, of somebody else, came in between" in outcome.notes[0]
    world.finish(300)
    is_good = image is not BAD
    # With the earlier count, the deployment of the other caller fails as well.
    assert world.verdicts == ["SUCCEEDED" if is_good else "FAILED"]
    assert (world.ecs.service.desired, world.image) == (3 if is_good else 1, "other:1")


def test_a_resumed_scale_reports_the_count_that_it_found(world):
    """Another caller has changed the count after the interruption."""
    world.ecs.kill("UpdateService")
    assert world.send(**SCALE, request_id="r").was_killed
    world.ecs.set_desired(2)
    world.pass_time(200)
    outcome = world.send(**SCALE, request_id="r", wait_seconds=60)
    (change,) = outcome.answer["body"]["changes"]
    assert change == {"what": "desiredCount", "from": "2", "to": "3"}
    assert world.ecs.service.desired == 3


def test_an_interrupted_scale_without_its_count_does_not_claim_that_it_never_had_it(world):
    world.ecs.kill("UpdateService", after_effect=True)
    assert world.send(**SCALE).was_killed
    world.ecs.set_desired(4)
    world.finish(200)
    assert (
        "was interrupted at UpdateService: the service has none of its"
        in world.history[0].error_message
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"ecs_desired_count": 3},
        {"ecs_task_memory": 1024},
        {"ecs_task_definition": "ecs-dummy-task:1"},
    ],
)
def test_a_container_that_the_event_names_exists_and_the_default_one_need_not(world, fields):
    world.update(2)
    world.pass_time(60)
    writes, fields = len(world.ecs.writes), {**ONLY, **fields}
    outcome = world.send(**fields, ecs_container_name="gone")
    assert "container gone not found" in outcome.text and len(world.ecs.writes) == writes
    assert world.send(None, {"CONTAINER_NAME": "gone"}, **fields).verdict == "IN_PROGRESS"


def test_a_scale_does_not_prove_that_a_failed_revision_works(make_world):
    world = make_world(image=BAD, breaker={"enable": True, "rollback": False})
    assert world.send(wait_seconds=200).verdict == "RolloutFailedError"
    scaled = world.send(**{**SCALE, "ecs_desired_count": 0}, wait_seconds=60)
    assert scaled.verdict == "SUCCEEDED"
    assert History(world.table).last_success(SERVICE_ARN) is None
    assert world.send(ROLLBACK, wait_seconds=200).verdict == "SUCCEEDED"
    assert world.image == "busybox"
