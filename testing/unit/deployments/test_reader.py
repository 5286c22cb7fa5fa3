"""Reading a service: two calls, and whatever cannot be updated is refused before anything is
written.
"""

import pytest

from ecs_updater.errors import (
    ClusterNotFoundError,
    DeploymentControllerError,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadError,
    TaskDefinitionFamilyError,
)
from fakes.fake_ecs import CLUSTER_ARN, DENIED, SERVICE_ARN, FakeEcs


class OddEcs(FakeEcs):
    """An ECS that answers DescribeServices as the test says."""

    answer: dict = {}

    def _describe_services(self, body):
        return self.answer


def refused(send, fake, event, kind, **environment):
    """The message of the error, of this kind, that the update ends with; nothing was written."""
    with pytest.raises(kind) as raised:
        send(fake, event, **environment)
    assert not fake.writes
    return str(raised.value)


def test_a_service_is_read_with_its_tags_and_the_revision_that_it_runs(ecs_fake, send, event):
    send(ecs_fake, event(dry_run=True))
    assert [(request.operation, request.body) for request in ecs_fake.requests] == [
        (
            "DescribeServices",
            {"cluster": "ECSCluster", "services": ["ecs-dummy-service"], "include": ["TAGS"]},
        ),
        (
            "DescribeTaskDefinition",
            {"taskDefinition": ecs_fake.newest["taskDefinitionArn"], "include": ["TAGS"]},
        ),
    ]


@pytest.mark.parametrize(
    "cluster, service",
    [(CLUSTER_ARN, "ecs-dummy-service"), ("ECSCluster", SERVICE_ARN), (CLUSTER_ARN, SERVICE_ARN)],
)
def test_an_arn_names_the_same_service_as_its_name(ecs_fake, send, event, cluster, service):
    body = send(ecs_fake, event(ecs_cluster_name=cluster, ecs_service_name=service))
    assert (body["AFTER"]["clusterArn"], body["AFTER"]["serviceArn"]) == (CLUSTER_ARN, SERVICE_ARN)
    assert ecs_fake.images == {"ecs-dummy-container": "busybox:1.36"}


def test_the_base_is_the_revision_that_runs_and_not_the_newest(ecs_fake, send, event):
    running, newest = (
        ecs_fake.newest,
        {"family": "ecs-dummy-task", "containerDefinitions": [{"name": "other", "image": "nginx"}]},
    )
    ecs_fake.register(newest)
    body = send(ecs_fake, event())
    assert body["taskDefinitionArn"]["before"] == running["taskDefinitionArn"]
    assert ecs_fake.images == {"ecs-dummy-container": "busybox:1.36"}


def test_a_missing_cluster_is_refused(ecs_fake, send, event):
    message = refused(send, ecs_fake, event(ecs_cluster_name="no"), ClusterNotFoundError)
    assert message == "[ERROR][ecs_service_read] ecs_cluster_name no not found"
    assert ecs_fake.operations == ["DescribeServices"]


@pytest.mark.parametrize("service", ["no", SERVICE_ARN + "x"])
def test_a_missing_service_is_refused(ecs_fake, send, event, service):
    message = refused(send, ecs_fake, event(ecs_service_name=service), ServiceNotFoundError)
    assert message == f"[ERROR][ecs_service_read] ecs_service_name {service} not found"
    assert ecs_fake.operations == ["DescribeServices"]


def test_a_service_that_is_not_found_as_an_exception_is_refused_alike(ecs_fake, send, event):
    ecs_fake.fail("DescribeServices", (400, "ServiceNotFoundException", "Service not found."))
    message = refused(send, ecs_fake, event(), ServiceNotFoundError)
    assert message == "[ERROR][ecs_service_read] ecs_service_name ecs-dummy-service not found"


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
def test_an_answer_without_the_service_is_told_by_its_reason(send, event, answer, kind, message):
    fake = OddEcs()
    fake.answer = answer
    assert refused(send, fake, event(), kind) == f"[ERROR][ecs_service_read] {message}"


@pytest.mark.parametrize("status", ["INACTIVE", "DRAINING"])
def test_a_service_that_is_not_active_is_refused_after_one_read(ecs_fake, send, event, status):
    ecs_fake.service["status"] = status
    message = refused(send, ecs_fake, event(), ServiceNotActiveError)
    assert (
        message
        == f"[ERROR][ecs_service_read] ecs_service_name ecs-dummy-service is {status}, not ACTIVE"
    )
    assert ecs_fake.operations == ["DescribeServices"]


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_a_deployment_controller_that_update_service_cannot_serve_is_refused_by_name(
    ecs_fake, send, event, controller
):
    ecs_fake.service["deploymentController"] = {"type": controller}
    del ecs_fake.service["taskDefinition"]  # An EXTERNAL service has none.
    message = refused(send, ecs_fake, event(), DeploymentControllerError)
    assert message == (
        "[ERROR][ecs_service_read] ecs_service_name ecs-dummy-service has the deployment "
        f"controller {controller}: "
        "only a service with the controller ECS can be given another task "
        "definition by UpdateService"
    )
    assert ecs_fake.operations == ["DescribeServices"]


def test_the_rolling_controller_is_served_when_ecs_names_it(ecs_fake, send, event):
    ecs_fake.service["deploymentController"] = {"type": "ECS"}
    assert send(ecs_fake, event())["changed"]


def test_task_def_lets_the_family_pass_that_the_service_runs(ecs_fake, send, event):
    assert send(ecs_fake, event(), TASK_DEF="ecs-dummy-task")["changed"]


@pytest.mark.parametrize("family", ["other", "ecs-dummy-task:1", "ecs-dummy-tas"])
def test_task_def_refuses_another_family(ecs_fake, send, event, family):
    message = refused(send, ecs_fake, event(), TaskDefinitionFamilyError, TASK_DEF=family)
    assert message == (
        "[ERROR][ecs_service_read] ecs_service_name ecs-dummy-service runs the task-definition "
        "family ecs-dummy-task, "
        f"not {family}, which the function's TASK_DEF says"
    )


@pytest.mark.parametrize("operation", ["DescribeServices", "DescribeTaskDefinition"])
def test_a_read_that_is_not_permitted_is_the_contracts_error(ecs_fake, send, event, operation):
    ecs_fake.fail(operation, DENIED)
    assert refused(send, ecs_fake, event(), ServiceReadError) == (
        "[ERROR][ecs_service_read] reading ecs service unexpected error: "
        "AccessDeniedException: User is not authorized to perform this action"
    )


def test_a_service_without_a_primary_deployment_was_updated_when_it_was_made(ecs_fake, send, event):
    ecs_fake.service |= {"deployments": [], "createdAt": 0}
    assert send(ecs_fake, event(dry_run=True))["BEFORE"]["updatedOn"] == "1970-01-01T00:00:00.000Z"
