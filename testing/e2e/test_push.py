"""A recorded push to Amazon ECR updates two services by their policies and leaves a third.

The emulator emits no events of ECR, so the event is put into the queue of the rule. From there on
everything is real: Lambda's mapping, the function, the FIFO queue and its worker.
"""

import json
import shutil

import pytest

from ecs_updater.push.policy import POLICY
from support.make import until
from support.push_run import RECORDED, WEB

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

SETTINGS = {
    "STACK_NAME": "pushed",
    "LAMBDA_FUNCTION_NAME": "pushed",
    "CLUSTER_NAME": "shop",
    "TASK_DEFINITION_NAME": "*",
    "PASSABLE_ROLE_ARNS": "arn:aws:iam::000000000000:role/web-*",
}
POLICIES = {"web": "semver:1.4.x", "api": "prefix:1.4.", "admin": None}
"""The policy of each service."""


def test_a_push_updates_two_services_by_policy_and_leaves_a_third(workspace, package):
    here = workspace("push")
    here.make("emulator-up").succeeded()
    ecs = here.client("ecs")
    ecs.create_cluster(clusterName="shop")
    for name, policy in POLICIES.items():
        container = {"name": name, "image": f"{WEB}:1.4.1", "memory": 64}
        ecs.register_task_definition(family=name, containerDefinitions=[container])
        tags = {"team": "a"} | ({POLICY: policy} if policy else {})
        ecs.create_service(
            cluster="shop",
            serviceName=name,
            taskDefinition=name,
            desiredCount=1,
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )
    steps = ("deploy-lambda-aws", "deploy-fleet-aws", "deploy-push-aws")
    here.make(*steps, LAMBDA_PACKAGE=str(package), **SETTINGS).succeeded()

    def revisions():
        services = ecs.describe_services(cluster="shop", services=list(POLICIES), include=["TAGS"])
        return {
            service["serviceName"]: service["taskDefinition"].rpartition("/")[2]
            for service in services["services"]
            if {"key": "team", "value": "a"} in service["tags"]
        }

    sqs = here.client("sqs")
    url = sqs.get_queue_url(QueueName="pushed-push")["QueueUrl"]
    # EventBridge and SQS deliver an event at least once.
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(RECORDED))
    expected = {"web": "web:2", "api": "api:2", "admin": "admin:1"}
    until(lambda: revisions() == expected, "the push is deployed", pause=0.5)
    for name in ("web", "api"):
        found = ecs.describe_task_definition(taskDefinition=f"{name}:2")["taskDefinition"]
        assert found["containerDefinitions"][0]["image"] == f"{WEB}:1.4.2"
    here.make("clean", **SETTINGS).succeeded()
    assert not here.left()
