"""The bounds of Application Auto Scaling, from moto and from answers of botocore's Stubber."""

from collections import Counter

import boto3
import moto
import pytest
from botocore.stub import Stubber

from ecs_updater.aws import clients
from ecs_updater.aws.scaling import Scaling
from ecs_updater.errors import AwsFailure
from fakes.wire import REGION

SENT = {
    "ServiceNamespace": "ecs",
    "ResourceIds": ["service/c/s"],
    "ScalableDimension": "ecs:service:DesiredCount",
}


def client():
    """A client with dummy credentials."""
    return boto3.client(
        "application-autoscaling",
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


def test_the_bounds_are_those_of_the_scalable_target(monkeypatch):
    with moto.mock_aws():
        ecs = boto3.client("ecs", region_name=REGION)
        ecs.create_cluster(clusterName="c")
        container = {"name": "a", "image": "b", "memory": 6}
        ecs.register_task_definition(family="f", containerDefinitions=[container])
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="f", desiredCount=1)
        target = {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/c/s",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        client().register_scalable_target(**target, MinCapacity=2, MaxCapacity=7)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        clients.session.cache_clear()
        scaling = Scaling(calls := Counter())
        assert (scaling.bounds("c/s"), scaling.bounds("c/other")) == ((2, 7), None)
        assert calls == {"DescribeScalableTargets": 2}
    clients.session.cache_clear()


@pytest.mark.parametrize(
    "code, status", [("AccessDeniedException", 400), ("UnknownOperation", 404), ("Other", 500)]
)
def test_a_failed_call_is_one_failure(code, status):
    made = client()
    with Stubber(made) as stubber:
        for _ in range(2):
            stubber.add_client_error("describe_scalable_targets", code, "no", status)
        with pytest.raises(AwsFailure, match="no"):
            Scaling(Counter(), made).bounds("c/s")


def test_a_service_without_a_target_has_no_bounds():
    made = client()
    with Stubber(made) as stubber:
        stubber.add_response("describe_scalable_targets", {"ScalableTargets": []}, SENT)
        assert Scaling(Counter(), made).bounds("c/s") is None
