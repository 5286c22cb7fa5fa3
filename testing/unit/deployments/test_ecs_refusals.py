"""Requests that ECS refuses, as moto does: each refusal becomes the contract's error, and the
service stays as it was.
"""

import boto3
import moto
import pytest
from moto.backends import get_backend

from ecs_updater.aws.ecs import Ecs
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import (
    AwsFailure,
    ClusterNotFoundError,
    DeploymentControllerError,
    Outcome,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadError,
    ServiceTagsRefusedError,
    ServiceUpdateRefusedError,
    TaskDefinitionRefusedError,
)
from fakes.wire import ACCOUNT, REGION

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
CLUSTER, SERVICE = "ECSCluster", "ecs-dummy-service"
NO_REVISION = "Unable to describe task definition."


@pytest.fixture(name="client_of_moto", scope="module")
def _client_of_moto():
    """A client of moto's ECS, once for all tests here: to create the first client takes time."""
    with moto.mock_aws():
        yield boto3.client("ecs", region_name=REGION)


@pytest.fixture(name="moto_ecs")
def _moto_ecs(client_of_moto):
    """A client of moto's ECS, with a cluster and a task definition in it."""
    get_backend("ecs").reset()
    client_of_moto.create_cluster(clusterName=CLUSTER)
    client_of_moto.register_task_definition(
        family="f", containerDefinitions=[{"name": "app", "image": "busybox", "memory": 128}]
    )
    return client_of_moto


@pytest.fixture(name="service")
def _service(moto_ecs):
    """Creates the service."""
    defaults = {"taskDefinition": "f", "desiredCount": 1, "tags": [{"key": "old", "value": "tag"}]}
    return lambda **parameters: moto_ecs.create_service(
        cluster=CLUSTER, serviceName=SERVICE, **defaults | parameters
    )


@pytest.fixture(name="running")
def _running(moto_ecs):
    """Returns the revision and the tags of the service."""

    def describe():
        (service,) = moto_ecs.describe_services(
            cluster=CLUSTER, services=[SERVICE], include=["TAGS"]
        )["services"]
        tags = {tag["key"]: tag["value"] for tag in service["tags"]}
        return service["taskDefinition"].rpartition("/")[2], tags

    return describe


@pytest.fixture(name="backend")
def _backend(moto_ecs):  # pylint: disable=unused-argument  # There is a backend only while moto runs.
    """Moto's own data, to set up what its interface refuses."""
    return get_backend("ecs")[ACCOUNT][REGION]


def refused(event, kind, ecs=None):
    """Returns the message of the error with which the update ends."""
    with pytest.raises(kind) as raised:
        deploy(event, {}, ecs or Ecs())
    return str(raised.value)


def test_moto_serves_an_update(service, event, running):
    service()
    assert deploy(event(), {}, Ecs())["body"]["changed"]
    assert running() == ("f:2", {"new": "value"})


@pytest.mark.parametrize(
    "fields, parameters, kind, reason",
    [
        ({"ecs_cluster_name": "no"}, {}, ClusterNotFoundError, "ecs_cluster_name no not found"),
        *(
            ({"ecs_service_name": name}, {}, ServiceNotFoundError, f"ecs_service_name {name} not")
            for name in ("no", f"{ARN}:service/{CLUSTER}/no")
        ),
        *(
            (
                {},
                {"deploymentController": {"type": name}},
                DeploymentControllerError,
                f"ecs_service_name {SERVICE} has the deployment controller {name}: ",
            )
            for name in ("CODE_DEPLOY", "EXTERNAL")
        ),
    ],
)
def test_a_service_that_cannot_be_updated_is_refused(
    service, event, fields, parameters, kind, reason
):
    service(**parameters)
    assert refused(event(**fields), kind).startswith(f"[ERROR][ecs_service_read] {reason}")


def test_a_deleted_service_is_refused_while_it_is_readable(service, event, moto_ecs):
    service()
    moto_ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    assert "is INACTIVE, not ACTIVE" in refused(event(), ServiceNotActiveError)


def test_a_deleted_task_definition_is_a_read_error(service, event, backend):
    service()
    del backend.task_definitions["f"][1]
    assert refused(event(), ServiceReadError) == (
        "[ERROR][ecs_service_read] reading ecs service unexpected error: ClientException: Unable "
        "to describe task definition."
    )


@pytest.mark.parametrize(
    "change, reason",
    [
        (
            {"pid_mode": "host", "requires_compatibilities": ["FARGATE"]},
            (
                "Tasks using the Fargate launch type do not support pidMode 'host'. The "
                "supported value for pidMode is 'task'."
            ),
        ),
        (
            {"container_definitions": [{"name": "app", "image": "busybox"}]},
            (
                "Invalid setting for container 'app'. At least one of 'memory' or "
                "'memoryReservation' must be specified."
            ),
        ),
        (
            {
                "container_definitions": [
                    {"name": "app", "image": "busybox", "memory": 1},
                    {"name": "side", "memory": 1},
                ]
            },
            "Container.image should not be null or empty.",
        ),
    ],
    ids=["fargate", "memory", "image"],
)
def test_a_revision_that_ecs_does_not_register_any_more_is_refused_with_its_reason(
    service, event, backend, running, change, reason
):
    service()
    for name, value in change.items():
        setattr(backend.task_definitions["f"][1], name, value)
    assert refused(event(), TaskDefinitionRefusedError) == (
        f"[ERROR][ecs_service_update] new task_definition could not be created {reason}; the "
        "service is as it was"
    )
    assert running() == ("f:1", {"old": "tag"}) and list(backend.task_definitions["f"]) == [1]


@pytest.mark.parametrize(
    "call, tags, kind, reason",
    [
        (
            "tag_resource",
            {"old": "tag", "new": "value"},
            ServiceUpdateRefusedError,
            f"service could not be update with new task_definition {ARN}:task-definition/f:2: ",
        ),
        (
            "register_task_definition",
            {"new": "value"},
            ServiceTagsRefusedError,
            "service tags could not be updated ",
        ),
    ],
)
def test_an_update_of_a_service_that_is_deleted_meanwhile_is_refused(
    service, event, backend, monkeypatch, call, tags, kind, reason
):
    service()
    ecs = Ecs()
    original = getattr(ecs, call)

    def called(*arguments):
        answer = original(*arguments)
        backend.services.clear()
        return answer

    monkeypatch.setattr(ecs, call, called)
    message = refused(event(ecs_tag=tags), kind, ecs)
    assert message.startswith(f"[ERROR][ecs_service_update] {reason}Service not found.")


@pytest.mark.parametrize(
    "operation, arguments, code, reason",
    [
        ("describe_service", ["no", SERVICE], "ClusterNotFoundException", "Cluster not found."),
        ("describe_task_definition", ["no"], "ClientException", NO_REVISION),
        (
            "register_task_definition",
            [{"family": "g", "containerDefinitions": [{"image": "busybox"}]}],
            "ClientException",
            "Container.name should not be null or empty.",
        ),
        ("update_service", ["no", SERVICE], "ClusterNotFoundException", "Cluster not found."),
        ("update_service", [CLUSTER, "no"], "ServiceNotFoundException", "Service not found."),
        ("update_service", [CLUSTER, SERVICE], "ClientException", NO_REVISION),
        (
            "tag_resource",
            ["x", {"a": "b"}],
            "InvalidParameterException",
            "The ARN provided is invalid.",
        ),
        (
            "untag_resource",
            [f"{ARN}:service/{CLUSTER}/no", ["a"]],
            "ServiceNotFoundException",
            "Service not found.",
        ),
    ],
)
def test_a_call_that_ecs_refuses_has_its_code_and_reason(
    service, operation, arguments, code, reason
):
    service()
    options = {"task_definition": "f:9"} if operation == "update_service" else {}
    with pytest.raises(AwsFailure) as raised:
        getattr(Ecs(), operation)(*arguments, **options)
    failure = raised.value
    assert (failure.outcome, failure.code, failure.reason) == (Outcome.REFUSED, code, reason)
