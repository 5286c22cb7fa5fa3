"""A recorded push to Amazon ECR updates two services by their policies and leaves a third.

The emulator emits no events of ECR, so the event is put into the queue of the rule.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from e2e.event_suite.cases import ServiceState
from ecs_updater.aws.dynamodb import Table
from ecs_updater.ledger.pushes import AcceptedPushes
from ecs_updater.push.policy import POLICY
from support.make import until

RECORDED = Path(__file__).resolve().parents[2] / "events" / "eventbridge" / "ECR_PUSH.json"
NAME = os.environ.get("LAMBDA_FUNCTION_NAME", "ecs-updater")
PATIENCE = 180.0


@pytest.fixture(scope="module", name="queue")
def _queue() -> str:
    """The address of the rule's queue."""
    if os.environ.get("TARGET") != "local":
        pytest.skip("an account has no such image, whose deployment would never end")
    try:
        url: str = boto3.client("sqs").get_queue_url(QueueName=f"{NAME}-push")["QueueUrl"]
        return url
    except ClientError:
        pytest.skip("the function of the pushes is off by default: make deploy-push-aws")


@pytest.fixture(name="event")
def _event() -> dict[str, Any]:
    """The recorded event, as if it were of this account and of now."""
    event: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return event | {
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "region": boto3.client("sts").meta.region_name,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def test_a_push_updates_two_services_by_policy_and_leaves_a_third(
    queue, event, services, at_first, ended
):
    repository = f"{event['account']}.dkr.ecr.{event['region']}.amazonaws.com/shop/web"
    policies = [None, "semver:1.4.x", "prefix:1.4."]
    before = [
        ServiceState(f"{repository}:1.4.1", {"team": "a", **({POLICY: policy} if policy else {})})
        for policy in policies
    ]
    after = [
        ServiceState(f"{repository}:{'1.4.2' if POLICY in state.tags else '1.4.1'}", state.tags)
        for state in before
    ]
    for service, state in zip(services, before, strict=True):
        service.restore(state)
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    try:
        until(
            lambda: [service.read() for service in services] == after,
            "the push is deployed",
            PATIENCE,
            pause=1,
        )
        accepted = AcceptedPushes(Table(f"{NAME}-ledger"))
        for arn in boto3.client("ecs").list_services(cluster=os.environ["CLUSTER_NAME"])[
            "serviceArns"
        ]:
            if push := accepted.last(arn):
                assert ended(push.request_id)["verdict"] == "SUCCEEDED"
    finally:
        for service in services:
            service.restore(at_first)
