"""Reads of a service: two calls. One that cannot be updated is refused before any write."""

import pytest

from ecs_updater.errors import (
    ClusterNotFoundError,
    DeploymentControllerError,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadError,
    TaskDefinitionFamilyError,
)
from fakes.wire import DENIED, SERVICE_ARN


@pytest.fixture(name="refused")
def _refused(ecs_fake, send, event):
    """Returns the message of the error with which the update ends. Nothing was written."""

    def run(kind, environment=None, **fields):
        with pytest.raises(kind) as raised:
            send(ecs_fake, event(**fields), **environment or {})
        assert not ecs_fake.writes
        return str(raised.value).removeprefix("[ERROR][ecs_service_read] ")

    return run


def test_a_service_is_read_with_its_tags_and_the_revision_that_it_runs(ecs_fake, send, event):
    send(ecs_fake, event(dry_run=True))
    assert [(request.operation, request.body) for request in ecs_fake.requests] == [
        (
            "DescribeServices",
            {"cluster": "ECSCluster", "services": ["ecs-dummy-service"], "include": ["TAGS"]},
        ),
        (
            "DescribeTaskDefinition",
            {"taskDefinition": ecs_fake.revisions[-1]["taskDefinitionArn"], "include": ["TAGS"]},
        ),
    ]


def test_the_base_is_the_revision_that_runs_and_not_the_newest(ecs_fake, send, event):
    running, newest = (
        ecs_fake.revisions[-1],
        {"family": "ecs-dummy-task", "containerDefinitions": [{"name": "other", "image": "nginx"}]},
    )
    ecs_fake.world.register(newest)
    assert send(ecs_fake, event())["taskDefinitionArn"]["before"] == running["taskDefinitionArn"]
    assert ecs_fake.running_images == {"ecs-dummy-container": "busybox:1.36"}


@pytest.mark.parametrize(
    "fields, kind, message",
    [
        ({"ecs_cluster_name": "no"}, ClusterNotFoundError, "ecs_cluster_name no not found"),
        *(
            ({"ecs_service_name": name}, ServiceNotFoundError, f"ecs_service_name {name} not found")
            for name in ("no", f"{SERVICE_ARN}x")
        ),
    ],
)
def test_a_missing_cluster_or_service_is_refused_after_one_read(
    ecs_fake, refused, fields, kind, message
):
    assert refused(kind, **fields) == message
    assert ecs_fake.operations == ["DescribeServices"]


@pytest.mark.parametrize(
    "operation, fault, kind, message",
    [
        (
            "DescribeServices",
            (400, "ServiceNotFoundException", "Service not found."),
            ServiceNotFoundError,
            "ecs_service_name ecs-dummy-service not found",
        ),
        *(
            (
                operation,
                DENIED,
                ServiceReadError,
                f"reading ecs service unexpected error: {DENIED[1]}: {DENIED[2]}",
            )
            for operation in ("DescribeServices", "DescribeTaskDefinition")
        ),
    ],
)
def test_a_refused_read_is_the_error_of_the_contract(
    ecs_fake, refused, operation, fault, kind, message
):
    ecs_fake.fail(operation, fault)
    assert refused(kind) == message


@pytest.mark.parametrize(
    "answer, kind, message",
    [
        (
            {"services": [], "failures": []},
            ServiceNotFoundError,
            "ecs_service_name ecs-dummy-service not found",
        ),
        ({"services": []}, ServiceNotFoundError, "ecs_service_name ecs-dummy-service not found"),
        (
            {"services": [], "failures": [{"reason": "MISSING"}, {"reason": "ODD"}, {}]},
            ServiceReadError,
            "reading ecs service unexpected error: MISSING, None, ODD",
        ),
    ],
)
def test_an_answer_without_the_service_becomes_an_error_with_its_reason(
    ecs_fake, monkeypatch, refused, answer, kind, message
):
    monkeypatch.setattr(ecs_fake, "answer", lambda operation, body: answer)
    assert refused(kind) == message


CONTROLLER = (
    "has the deployment controller {}: only a service with the controller ECS can be given another "
    "task definition by UpdateService"
)


@pytest.mark.parametrize(
    "fields, kind, reason",
    [
        *(
            ({"status": status}, ServiceNotActiveError, f"is {status}, not ACTIVE")
            for status in ("INACTIVE", "DRAINING")
        ),
        *(
            # An EXTERNAL service has no task definition.
            (
                {"deploymentController": {"type": name}, "taskDefinition": None},
                DeploymentControllerError,
                CONTROLLER.format(name),
            )
            for name in ("CODE_DEPLOY", "EXTERNAL")
        ),
    ],
)
def test_a_service_that_cannot_be_updated_is_refused_after_one_read(
    ecs_fake, refused, fields, kind, reason
):
    ecs_fake.service.shown = fields
    assert refused(kind) == f"ecs_service_name ecs-dummy-service {reason}"
    assert ecs_fake.operations == ["DescribeServices"]


@pytest.mark.parametrize(
    "controller, hint",
    [
        ("CODE_DEPLOY", "ECS itself deploys blue/green: set the deployment controller ECS"),
        ("EXTERNAL", None),
    ],
)
def test_the_hint_for_a_service_of_code_deploy_names_the_way_out(
    ecs_fake, send, event, controller, hint
):
    ecs_fake.service.shown = {"deploymentController": {"type": controller}}
    with pytest.raises(DeploymentControllerError) as raised:
        send(ecs_fake, event())
    found = raised.value.hint
    assert found == hint or found.startswith(f"{hint} and the strategy BLUE_GREEN")


@pytest.mark.parametrize("controller", [{"type": "ECS"}, None], ids=str)
def test_a_service_with_the_rolling_controller_and_the_family_of_task_def_is_updated(
    ecs_fake, send, event, controller
):
    ecs_fake.service.shown = {"deploymentController": controller}
    assert send(ecs_fake, event(), TASK_DEF="ecs-dummy-task")["changed"]


@pytest.mark.parametrize("family", ["other", "ecs-dummy-task:1", "ecs-dummy-tas"])
def test_task_def_refuses_another_family(refused, family):
    assert refused(TaskDefinitionFamilyError, environment={"TASK_DEF": family}) == (
        "ecs_service_name ecs-dummy-service runs the task-definition family ecs-dummy-task, "
        f"not {family}, which the function's TASK_DEF says"
    )


def test_without_a_primary_deployment_updated_on_is_the_time_of_creation(ecs_fake, send, event):
    ecs_fake.service.shown = {"deployments": [], "createdAt": 0}
    assert send(ecs_fake, event(dry_run=True))["BEFORE"]["updatedOn"] == "1970-01-01T00:00:00.000Z"
