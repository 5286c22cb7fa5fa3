"""What ECS itself refuses, played by moto: each refusal becomes the contract's error, and the
service stays as it was.
"""

import boto3
import moto
import pytest
from moto.backends import get_backend

from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.errors import AwsFailure, Outcome
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import (
    ClusterNotFoundError,
    DeploymentControllerError,
    ServiceNotActiveError,
    ServiceNotFoundError,
    ServiceReadError,
    ServiceTagsRefusedError,
    ServiceUpdateRefusedError,
    TaskDefinitionRefusedError,
)
from fakes.fake_ecs import ACCOUNT, REGION

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
CLUSTER, SERVICE = "ECSCluster", "ecs-dummy-service"


@pytest.fixture(name="client_of_moto", scope="module")
def _client_of_moto():
    """One for all tests here: moto stands in for all of AWS while it lasts, and to make the first
    client takes time.
    """
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
    """Makes the service; says what it runs, with which tags."""

    def make(**parameters):
        parameters = {
            "taskDefinition": "f",
            "desiredCount": 1,
            "tags": [{"key": "old", "value": "tag"}],
        } | parameters
        moto_ecs.create_service(cluster=CLUSTER, serviceName=SERVICE, **parameters)

    def look():
        (found,) = moto_ecs.describe_services(
            cluster=CLUSTER, services=[SERVICE], include=["TAGS"]
        )["services"]
        return found["taskDefinition"].rpartition("/")[2], {
            tag["key"]: tag["value"] for tag in found["tags"]
        }

    make.look = look
    return make


@pytest.fixture(name="backend")
def _backend(moto_ecs):  # pylint: disable=unused-argument  # There is a backend only while moto stands in for AWS.
    """What moto keeps, to set up what its interface would not let pass any more."""
    return get_backend("ecs")[ACCOUNT][REGION]


def refused(event, kind, ecs=None):
    """The message of the error, of this kind, that the update ends with."""
    with pytest.raises(kind) as raised:
        deploy(event, {}, ecs or Ecs())
    return str(raised.value)


def vanishing_after(call, backend):
    """An ECS whose service is gone as soon as ``call`` was made."""
    ecs = Ecs()
    original = getattr(ecs, call)

    def called(*arguments):
        answer = original(*arguments)
        backend.services.clear()
        return answer

    setattr(ecs, call, called)
    return ecs


def test_moto_serves_an_update(service, event):
    service()
    assert deploy(event(), {}, Ecs())["body"]["changed"]
    assert service.look() == ("f:2", {"new": "value"})


def test_a_missing_cluster_is_refused(service, event):
    service()
    assert (
        refused(event(ecs_cluster_name="no"), ClusterNotFoundError)
        == "[ERROR][ecs_service_read] ecs_cluster_name no not found"
    )


@pytest.mark.parametrize("name", ["no", f"{ARN}:service/{CLUSTER}/no"])
def test_a_missing_service_is_refused(service, event, name):
    service()
    message = refused(event(ecs_service_name=name), ServiceNotFoundError)
    assert message == f"[ERROR][ecs_service_read] ecs_service_name {name} not found"


def test_a_deleted_service_is_refused_while_it_is_readable(service, event, moto_ecs):
    service()
    moto_ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    assert "is INACTIVE, not ACTIVE" in refused(event(), ServiceNotActiveError)


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_a_foreign_deployment_controller_is_refused(service, event, controller):
    service(deploymentController={"type": controller})
    assert controller in refused(event(), DeploymentControllerError)


def test_a_task_definition_that_is_gone_is_a_reading_error(service, event, backend):
    service()
    del backend.task_definitions["f"][1]
    message = refused(event(), ServiceReadError)
    assert message == (
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
def test_a_revision_that_ecs_would_not_register_any_more_is_refused_in_its_words(
    service, event, backend, change, reason
):
    service()
    for name, value in change.items():
        setattr(backend.task_definitions["f"][1], name, value)
    message = refused(event(), TaskDefinitionRefusedError)
    assert message == (
        f"[ERROR][ecs_service_update] new task_definition could not be created {reason}; the "
        "service is as it was"
    )
    assert service.look() == ("f:1", {"old": "tag"}) and list(backend.task_definitions["f"]) == [1]


def test_a_service_deleted_while_it_is_updated_is_told(service, event, backend):
    service()
    ecs = vanishing_after("tag_resource", backend)
    message = refused(event(ecs_tag={"old": "tag", "new": "value"}), ServiceUpdateRefusedError, ecs)
    assert message.startswith(
        "[ERROR][ecs_service_update] service could not be update with new task_definition "
        f"{ARN}:task-definition/f:2: Service not found."
    )


def test_tags_of_a_service_that_is_gone_are_refused(service, event, backend):
    service()
    message = refused(
        event(), ServiceTagsRefusedError, vanishing_after("register_task_definition", backend)
    )
    assert message.startswith(
        "[ERROR][ecs_service_update] service tags could not be updated Service not found."
    )


@pytest.mark.parametrize(
    "call, code, reason",
    [
        (
            lambda ecs: ecs.describe_service("no", SERVICE),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            lambda ecs: ecs.describe_task_definition("no"),
            "ClientException",
            "Unable to describe task definition.",
        ),
        (
            lambda ecs: ecs.register_task_definition(
                {"family": "g", "containerDefinitions": [{"image": "busybox"}]}
            ),
            "ClientException",
            "Container.name should not be null or empty.",
        ),
        (
            lambda ecs: ecs.update_service("no", SERVICE, task_definition="f:1"),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            lambda ecs: ecs.update_service(CLUSTER, "no", task_definition="f:1"),
            "ServiceNotFoundException",
            "Service not found.",
        ),
        (
            lambda ecs: ecs.update_service(CLUSTER, SERVICE, task_definition="f:9"),
            "ClientException",
            "Unable to describe task definition.",
        ),
        (
            lambda ecs: ecs.tag_resource("x", {"a": "b"}),
            "InvalidParameterException",
            "The ARN provided is invalid.",
        ),
        (
            lambda ecs: ecs.untag_resource(f"{ARN}:service/{CLUSTER}/no", ["a"]),
            "ServiceNotFoundException",
            "Service not found.",
        ),
    ],
    ids=[
        "cluster",
        "task definition",
        "register",
        "update cluster",
        "update service",
        "update revision",
        "tag",
        "untag",
    ],
)
def test_each_of_the_six_calls_tells_what_ecs_refused(service, call, code, reason):
    service()
    with pytest.raises(AwsFailure) as raised:
        call(Ecs())
    assert (raised.value.outcome, raised.value.code, raised.value.reason) == (
        Outcome.REFUSED,
        code,
        reason,
    )
