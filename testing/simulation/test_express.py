"""Updates of Express services: the calls, what they leave as it is, and what they refuse."""

import pytest

from ecs_updater.errors import (
    InvalidEventError,
    ServiceReadError,
    ServiceUpdateRefusedError,
    UnknownOutcomeError,
)
from ecs_updater.ledger.lease import LEASE_SECONDS
from ecs_updater.model.express import has_only_known_fields
from fakes.simulated_ecs import EXPRESS, Image, configuration_of
from fakes.wire import CONNECTION_RESET, DENIED, REFUSED, TIMED_OUT
from support.rollout_world import EVENT, OLD_TAGS, ROLLBACK
from support.trouble import KILLED_AFTER, Trouble

MAIN = EXPRESS["containers"][0]
OWN = {**EXPRESS, "containers": [MAIN, {"name": "proxy", "image": "envoy:1", "essential": False}]}
"""A service with a task definition of the customer: it has a sidecar."""

WAIT = {"wait_seconds": 700}
BACK = {**WAIT, "rollback_on_failure": True}
BAD = Image.exits(code=1, after=0.5)
UPDATE = "UpdateExpressGatewayService"
READS = ["DescribeServices", "DescribeTaskDefinition", "DescribeServiceDeployments"]
BOTH = pytest.mark.parametrize("options", [EXPRESS, OWN], ids=["managed", "own"])
SILENCE = {"ecs_tag": OLD_TAGS}
"""Tags that the service has."""


def sent(world, operation=UPDATE):
    """The bodies of all calls of `operation`."""
    return [request.body for request in world.ecs.requests if request.operation == operation]


@pytest.fixture(name="managed")
def _managed(make_world):
    return make_world(**EXPRESS)


def test_an_image_update_sends_the_container_back_with_the_new_image(managed):
    outcome = managed.send(**SILENCE)
    assert outcome.verdict == "IN_PROGRESS", outcome.text
    assert managed.ecs.operations == [
        *READS,
        "DescribeExpressGatewayService",
        UPDATE,
        "DescribeServices",
    ]
    assert sent(managed) == [
        {
            "serviceArn": managed.ecs.service.arn,
            "primaryContainer": {
                "image": "app:2",
                "containerPort": 80,
                "environment": [{"name": "LOG_LEVEL", "value": "info"}],
                "awsLogsConfiguration": {"logGroup": "/aws/ecs/express", "logStreamPrefix": "ecs"},
            },
        }
    ]
    arns = outcome.answer["body"]["taskDefinitionArn"]
    before, after = managed.made.values()
    assert arns == {"before": before, "after": after}
    assert outcome.answer["body"]["deployment"]["id"] == managed.ecs.primary_id


def test_a_task_definition_of_the_customer_is_registered_and_given_by_its_arn(make_world):
    world = make_world(**OWN)
    assert world.send(**SILENCE, ecs_container_name="Main").verdict == "IN_PROGRESS"
    assert world.ecs.operations == [
        *READS,
        "RegisterTaskDefinition",
        UPDATE,
        "DescribeServices",
    ]
    new = world.ecs.running_arn
    assert sent(world) == [{"serviceArn": world.ecs.service.arn, "taskDefinitionArn": new}]
    assert world.ecs.running_images == {"Main": "app:2", "proxy": "envoy:1"}


def test_fields_that_are_newer_than_the_sdk_survive(managed):
    express = managed.ecs._operations.express  # pylint: disable=protected-access
    express.containers[managed.ecs.running_arn] = container = {
        "image": "busybox",
        "newerField": {"newerMember": [1]},
    }
    assert managed.send(**SILENCE).verdict == "IN_PROGRESS"
    assert sent(managed)[0]["primaryContainer"] == container | {"image": "app:2"}


@pytest.mark.parametrize(
    "revisions, used",
    [
        (("running", "later"), 0),
        (("earlier", "running", "later"), 1),
        (("earlier", "later"), 1),
        (("later", None, "earlier"), 0),
    ],
)
def test_the_configuration_of_the_running_revision_is_sent_back_else_the_newest(
    managed, monkeypatch, revisions, used
):
    times = {"earlier": 1.0, "running": 2.0, "later": 3.0}
    arns = {"running": managed.ecs.running_arn}
    listed = [
        {
            "taskDefinitionArn": arns.get(name, f"{managed.ecs.running_arn}0"),
            "primaryContainer": {"image": "busybox", "containerPort": 8000 + number},
            **({"createdAt": times[name]} if name else {}),
        }
        for number, name in enumerate(revisions)
    ]
    express = managed.ecs._operations.express  # pylint: disable=protected-access
    service = express.describe({"serviceArn": managed.ecs.service.arn})["service"]
    answer = {"service": {**service, "activeConfigurations": listed}}
    monkeypatch.setattr(express, "describe", lambda _: answer)
    assert managed.send(**SILENCE).verdict == "IN_PROGRESS"
    assert sent(managed)[0]["primaryContainer"] == {"image": "app:2", "containerPort": 8000 + used}


@pytest.mark.parametrize("configurations", [[], [{"cpu": "256"}]])
def test_without_a_container_to_send_back_the_revision_is_registered(
    managed, monkeypatch, configurations
):
    express = managed.ecs._operations.express  # pylint: disable=protected-access
    service = express.describe({"serviceArn": managed.ecs.service.arn})["service"]
    answer = {"service": {**service, "activeConfigurations": configurations}}
    monkeypatch.setattr(express, "describe", lambda _: answer)
    assert managed.send(**SILENCE).verdict == "IN_PROGRESS"
    new = managed.ecs.running_arn
    assert sent(managed) == [{"serviceArn": managed.ecs.service.arn, "taskDefinitionArn": new}]
    assert managed.ecs.running_images == {"Main": "app:2"}


@BOTH
def test_the_verdict_comes_from_the_service_deployment_after_the_bake_time(make_world, options):
    world = make_world(**options)
    outcome = world.send(**WAIT, ecs_container_name="Main")
    assert outcome.verdict == "SUCCEEDED", outcome.text
    assert outcome.answer["body"]["deployment"]["waitedSeconds"] > 360
    assert world.ecs.service.history[-1].status == "SUCCESSFUL"
    assert world.verdicts == ["SUCCEEDED"] and world.tags == EVENT["ecs_tag"]
    assert world.history[0].after.task_definition_arn == world.ecs.running_arn


@BOTH
def test_an_event_that_changes_nothing_only_reads(make_world, options):
    world = make_world(**options)
    outcome = world.send(
        ecs_image_name="busybox", ecs_container_name="Main", ecs_tag=OLD_TAGS, **WAIT
    )
    assert outcome.verdict == "NO_CHANGE", outcome.text
    assert world.ecs.operations == READS


def test_a_dry_run_reads_the_container_and_writes_nothing(managed):
    outcome = managed.send(dry_run=True)
    body = outcome.answer["body"]
    assert body["dryRun"] and body["AFTER"]["serviceImage"] == "app:2"
    assert not managed.ecs.writes and "DescribeExpressGatewayService" in managed.ecs.operations


def test_environment_secrets_command_and_size_of_the_task_are_sent(managed):
    secret = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop"
    outcome = managed.send(
        **SILENCE,
        ecs_environment={"LOG_LEVEL": None, "ADDED": "1"},
        ecs_secrets={"TOKEN": secret},
        ecs_command=["serve"],
        ecs_task_cpu=512,
        ecs_task_memory=1024,
    )
    assert outcome.verdict == "IN_PROGRESS", outcome.text
    (body,) = sent(managed)
    assert (body["cpu"], body["memory"]) == ("512", "1024")
    container = body["primaryContainer"]
    assert container["environment"] == [{"name": "ADDED", "value": "1"}]
    assert container["secrets"] == [{"name": "TOKEN", "valueFrom": secret}]
    assert container["command"] == ["serve"] and container["containerPort"] == 80


REFUSALS = [
    (EXPRESS, {"ecs_desired_count": 3}, "ecs_desired_count cannot be changed", "minTaskCount"),
    (
        OWN,
        {"ecs_deployment": {"minimumHealthyPercent": 50}},
        "ecs_deployment cannot be changed",
        "ECS manages its deployment configuration",
    ),
    (OWN, {"run_before": {"command": ["migrate"]}}, "run_before cannot be changed", "run-task"),
    (EXPRESS, {"ecs_cpu": 64}, "ecs_cpu cannot be changed", "ecs_task_cpu"),
    (
        EXPRESS,
        {"ecs_container_settings": {"Main": {"ecs_memory": 64}}},
        "ecs_container_settings.Main.ecs_memory cannot be changed",
        "ecs_task_memory",
    ),
]


@pytest.mark.parametrize("options, fields, sentence, advice", REFUSALS)
def test_a_field_that_express_does_not_support_is_refused_before_any_write(
    make_world, options, fields, sentence, advice
):
    world = make_world(**options)
    outcome = world.send(ecs_container_name="Main", **fields)
    assert isinstance(outcome.error, InvalidEventError)
    assert f"wrong input event format: {sentence}: " in outcome.text and advice in outcome.text
    assert "ecs_service_name ecs-dummy-service is an Express service" in outcome.text
    assert world.ecs.writes == [] and world.history == []


def test_the_size_of_a_container_of_an_own_task_definition_can_be_changed(make_world):
    world = make_world(**OWN)
    assert world.send(ecs_container_name="Main", ecs_cpu=64).verdict == "IN_PROGRESS"
    assert world.ecs.revisions[-1]["containerDefinitions"][0]["cpu"] == 64


def test_a_forced_deployment_and_a_circuit_breaker_setting_change_nothing_else(managed):
    fields = {"ecs_image_name": "busybox", **SILENCE, "force_new_deployment": True}
    outcome = managed.send(environment={"CIRCUIT_BREAKER": "enable"}, **fields)
    assert outcome.verdict == "IN_PROGRESS", outcome.text
    assert [set(body) for body in sent(managed, "UpdateService")] == [
        {"cluster", "service", "forceNewDeployment"}
    ]
    assert sent(managed) == []


def test_a_forced_deployment_adds_no_alarms(make_world):
    """ECS manages the deployment configuration, also of a service that has no alarms."""
    world = make_world(**{**EXPRESS, "configuration": configuration_of("CANARY", bake=3)})
    fields = {"ecs_image_name": "busybox", **SILENCE, "force_new_deployment": True}
    outcome = world.send(environment={"DEPLOYMENT_ALARMS": "errors"}, **fields)
    assert outcome.verdict == "IN_PROGRESS", outcome.text
    (body,) = sent(world, "UpdateService")
    assert set(body) == {"cluster", "service", "forceNewDeployment"}


@pytest.mark.parametrize(
    "container, task",
    [
        ({"healthCheck": {"command": ["CMD", "true"]}}, {}),
        ({"cpu": 64}, {}),
        ({"newerField": 1}, {}),
        ({}, {"volumes": [{"name": "data"}]}),
        ({}, {"newerField": {"member": 1}}),
        ({"name": "web"}, {}),
    ],
)
def test_a_revision_with_a_field_that_ecs_does_not_set_is_the_customers(container, task):
    """To send ``primaryContainer`` could lose the field."""
    known = {"family": "api", "containerDefinitions": [MAIN], "volumes": [], "cpu": "256"}
    assert has_only_known_fields(known)
    assert not has_only_known_fields(
        {**known, **task, "containerDefinitions": [{**MAIN, **container}]}
    )


def test_the_tag_of_ecs_stays(make_world):
    world = make_world(**EXPRESS, tags={"AmazonECSManaged": "true", "old": "1"})
    assert world.send(**WAIT).verdict == "SUCCEEDED"
    assert world.tags == {"AmazonECSManaged": "true", **EVENT["ecs_tag"]}


@BOTH
@pytest.mark.parametrize("fault", [TIMED_OUT, CONNECTION_RESET])
@pytest.mark.parametrize("after_effect", [True, False])
def test_a_lost_answer_makes_one_deployment(make_world, options, fault, after_effect):
    world = make_world(**options)
    world.ecs.fail(UPDATE, fault, after_effect=after_effect)
    outcome = world.send(**WAIT, ecs_container_name="Main")
    assert outcome.verdict == "SUCCEEDED", outcome.text
    assert len(sent(world)) == 2 - after_effect and len(world.made) == 2
    assert world.history[0].after.task_definition_arn == world.ecs.running_arn


@BOTH
@pytest.mark.parametrize("after_effect", [True, False])
def test_a_deployment_of_the_earlier_revision_is_not_taken_for_that_of_a_lost_answer(
    make_world, options, after_effect
):
    """Somebody else forced it between the read and the call."""
    world = make_world(**options)
    world.ecs.fail(UPDATE, TIMED_OUT, after_effect=after_effect)
    world.before(UPDATE, world.ecs.redeploy)
    outcome = world.send(**WAIT, ecs_container_name="Main")
    assert outcome.verdict == "SUCCEEDED", outcome.text
    assert len(sent(world)) == 2 - after_effect and len(world.made) == 3
    assert world.ecs.running_images["Main"] == "app:2"


@BOTH
def test_nothing_is_sent_again_after_the_lease_was_taken_over(make_world, options):
    world = make_world(**options)
    world.ecs.fail(UPDATE, TIMED_OUT, after_effect=False)

    def take_over():
        world.pass_time(LEASE_SECONDS)
        world.reconcile()

    world.before(UPDATE, take_over)
    outcome = world.send(**WAIT, ecs_container_name="Main")
    assert isinstance(outcome.error, UnknownOutcomeError), outcome.text
    assert len(sent(world)) == 1 and len(world.made) == 1


@BOTH
def test_a_deployment_that_is_listed_late_is_waited_for(make_world, options):
    world = make_world(**options, stale_reads=5)
    assert world.send(**WAIT, ecs_container_name="Main").verdict == "SUCCEEDED"
    assert len(sent(world)) == 1 and len(world.made) == 2


@BOTH
def test_an_accepted_update_that_is_not_listed_is_found_later(make_world, options):
    world = make_world(**options, stale_reads=30)
    outcome = world.send(**WAIT, ecs_container_name="Main")
    assert isinstance(outcome.error, UnknownOutcomeError), outcome.text
    assert "ECS accepted the call; looking for it failed: no new deployment is listed yet" in (
        outcome.text
    )
    world.finish(LEASE_SECONDS)
    assert world.verdicts == ["SUCCEEDED"] and len(sent(world)) == 1
    assert world.history[0].deployment_id == world.ecs.primary_id


@BOTH
@pytest.mark.parametrize("number", range(12))
def test_a_killed_update_is_finished_and_never_made_twice(make_world, options, number):
    world = make_world(**options)
    world.at_next = Trouble(number, KILLED_AFTER)
    first = world.send(ecs_container_name="Main", request_id="one")
    world.pass_time(LEASE_SECONDS)
    again = world.send(ecs_container_name="Main", request_id="one", **WAIT)
    assert again.verdict == "SUCCEEDED", (first.text, again.text)
    assert len(world.made) == 2 and world.ecs.running_images["Main"] == "app:2"
    assert world.tags == EVENT["ecs_tag"] and world.verdicts == ["SUCCEEDED"]


@pytest.mark.parametrize("number", range(12))
def test_settings_of_a_killed_update_are_not_taken_for_those_of_another(managed, number):
    event = {"ecs_image_name": "busybox", "ecs_environment": {"ADDED": "1"}, "request_id": "one"}
    managed.at_next = Trouble(number, KILLED_AFTER)
    managed.send(**event)
    managed.ecs.redeploy()
    managed.pass_time(LEASE_SECONDS)
    assert managed.send(**event, **WAIT).verdict in ("SUCCEEDED", "NO_CHANGE")
    environment = managed.ecs.revisions[-1]["containerDefinitions"][0]["environment"]
    assert environment == [{"name": "LOG_LEVEL", "value": "info"}, {"name": "ADDED", "value": "1"}]
    assert managed.ecs.running_arn == managed.ecs.revisions[-1]["taskDefinitionArn"]


@BOTH
def test_a_refused_update_restores_the_tags(make_world, options):
    world = make_world(**options)
    world.ecs.fail(UPDATE, REFUSED)
    outcome = world.send(ecs_container_name="Main")
    assert isinstance(outcome.error, ServiceUpdateRefusedError)
    assert world.tags == OLD_TAGS and len(world.made) == 1
    assert ("was registered and is not used" in outcome.text) == (options is OWN)


def test_a_role_without_the_permission_fails_before_any_write(managed):
    managed.ecs.fail("DescribeExpressGatewayService", DENIED, times=9)
    outcome = managed.send()
    assert isinstance(outcome.error, ServiceReadError) and managed.ecs.writes == []


@BOTH
@pytest.mark.parametrize("has_history", [True, False])
def test_a_failed_rollout_goes_back_to_the_earlier_revision(make_world, options, has_history):
    world = make_world(**options, service_deployments=has_history, image=BAD)
    earlier = world.ecs.running_arn
    outcome = world.send(**BACK, ecs_container_name="Main")
    world.reconcile_all()
    assert world.verdicts == ["ROLLED_BACK"], outcome.text
    assert (world.ecs.running_arn, world.tags) == (earlier, OLD_TAGS)
    if not has_history:
        assert sent(world)[-1] == {
            "serviceArn": world.ecs.service.arn,
            "taskDefinitionArn": earlier,
        }
    assert sent(world, "UpdateService") == []


@BOTH
@pytest.mark.parametrize("after_effect", [True, False])
def test_a_lost_answer_to_the_rollback_makes_one_deployment(make_world, options, after_effect):
    world = make_world(**options, service_deployments=False, image=BAD)
    world.ecs.fail(UPDATE, None, TIMED_OUT, after_effect=after_effect)
    world.send(**BACK, ecs_container_name="Main")
    world.reconcile_all()
    assert world.verdicts == ["ROLLED_BACK"] and len(world.made) == 3


@BOTH
def test_a_rollback_event_goes_back_by_the_same_call(make_world, options):
    world = make_world(**options)
    earlier = world.ecs.running_arn
    assert world.send(**WAIT, ecs_container_name="Main").verdict == "SUCCEEDED"
    outcome = world.send(ROLLBACK, **WAIT)
    assert outcome.verdict == "SUCCEEDED", outcome.text
    assert sent(world)[-1] == {"serviceArn": world.ecs.service.arn, "taskDefinitionArn": earlier}
    # The revision decides the way of the next update, not the last call.
    assert world.send(**WAIT, ecs_container_name="Main").verdict == "SUCCEEDED"
    assert ("primaryContainer" in sent(world)[-1]) == (options is EXPRESS)


@BOTH
def test_another_deployment_in_between_is_planned_again_from(make_world, options):
    world = make_world(**options)

    def deploy_sidecar() -> None:
        first, *_ = world.ecs.service.primary.revision.task_definition["containerDefinitions"]
        body = dict(
            world.ecs.revisions[0], containerDefinitions=[first, {"name": "x", "image": "x:1"}]
        )
        arn = world.ecs.world.register(body)["taskDefinitionArn"]
        world.ecs.redeploy(arn.rpartition("/")[2])

    world.before(UPDATE, deploy_sidecar)
    outcome = world.send(**WAIT, ecs_container_name="Main")
    assert outcome.verdict == "SUCCEEDED", outcome.text
    assert world.ecs.running_images == {"Main": "app:2", "x": "x:1"}
