"""The template of the function of the pushes: its queue, its settings, and what its role may do."""

import importlib
import inspect
import json
from typing import Any

import pytest

from ecs_updater.aws import tagging
from ecs_updater.push.run import NEEDED_SECONDS
from ecs_updater.settings import PushSettings
from fakes.memory_dynamodb import TABLE
from fakes.wire import ACCOUNT as SIMULATED
from support.cloudformation import TEMPLATES, USUAL, Stack, allows
from support.deployer import ACCOUNT, REGION, policy
from support.permissions import expanded, idle
from support.push_run import RECORDED, PushedFleet
from support.table_calls import KEYS, table_and_keys

TEMPLATE = TEMPLATES["07-push.yml"]
ARN = f"arn:aws:%s:{REGION}:{ACCOUNT}:%s"
QUEUE, FLEET = ARN % ("sqs", "ecs-updater-push"), ARN % ("sqs", "ecs-updater-fleet.fifo")
LEDGER = ARN % ("dynamodb", "table/ecs-updater-ledger")
SERVICE = ARN % ("ecs", "service/ECSCluster/web")


def made(name: str, **parameters: Any) -> dict[str, Any]:
    """Returns the properties of a resource."""
    properties: dict[str, Any] = Stack(TEMPLATE, parameters).resources[name]["Properties"]
    return properties


ROLE = made("PushRole")["Policies"][0]["PolicyDocument"]["Statement"]


def test_the_handler_is_there():
    module, _, name = made("PushFunction")["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_rule_takes_a_recorded_push_and_nothing_else_of_ecr():
    pattern = made("PushRule")["EventPattern"]
    detail = pattern["detail"]
    assert pattern["source"] == [RECORDED["source"]]
    assert pattern["detail-type"] == [RECORDED["detail-type"]]
    assert detail.pop("image-tag") == [{"exists": True}] and RECORDED["detail"]["image-tag"]
    assert detail == {name: [RECORDED["detail"][name]] for name in ("action-type", "result")}


def test_only_this_rule_sends_to_the_queue():
    (statement, _) = made("PushQueuePolicy")["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ARN % ("events", "rule/ecs-updater-push")}
    }


def test_the_pushes_of_a_minute_are_processed_together_and_a_failed_one_is_delivered_again():
    mapping, function = made("PushMapping"), made("PushFunction")
    assert mapping["MaximumBatchingWindowInSeconds"] == 60
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert made("PushQueue")["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert function["Timeout"] > 2 * NEEDED_SECONDS


@pytest.mark.parametrize("is_dry", [True, False])
def test_the_settings_reach_the_function(is_dry):
    given = {"DryRun": str(is_dry).lower(), "EcsRates": "UpdateService=80/0.5"}
    environment = made("PushFunction", **given)["Environment"]["Variables"]
    assert PushSettings.from_environment(environment) == PushSettings(
        is_dry, "ECSCluster", "UpdateService=80/0.5"
    )
    assert environment["QUEUE_URL"] == USUAL["FleetQueueUrl"]


@pytest.fixture(scope="module", name="requested")
def _requested() -> list[tuple[str, str, dict[str, Any]]]:
    """What AWS asks about for two pushes, and for the calls that Lambda makes."""
    fleet = PushedFleet(1)
    fleet.dynamodb.requests.clear()
    fleet.push("1.4.2")
    fleet.push("1.4.3")
    found = []
    for request in fleet.dynamodb.requests:
        table, keys = table_and_keys(request.body)
        assert table == TABLE
        own = [key.replace(SIMULATED, ACCOUNT) for key in keys]
        found.append((f"dynamodb:{request.operation}", LEDGER, {KEYS: own}))
    log = ARN % ("logs", "log-group:/aws/lambda/ecs-updater-push:log-stream:2026/1")
    beside = {
        "tag:GetResources": "*",
        "ecs:DescribeServices": SERVICE,
        "ecs:DescribeTaskDefinition": "*",
        "ecs:DescribeServiceRevisions": SERVICE.replace(":service/", ":service-revision/") + "/1",
        "sqs:SendMessage": FLEET,
        "sqs:ReceiveMessage": QUEUE,
        "sqs:DeleteMessage": QUEUE,
        "sqs:GetQueueAttributes": QUEUE,
        "logs:CreateLogStream": log,
        "logs:PutLogEvents": log,
    }
    return found + [(action, resource, {}) for action, resource in beside.items()]


def test_the_role_may_do_everything_that_a_push_asks_for_and_nothing_is_idle(requested):
    assert '"GetResources"' in inspect.getsource(tagging)
    assert not [call for call in requested if not allows(ROLE, *call)]
    assert not idle(ROLE, requested)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        (ACCOUNT, "444455556666"),
        (REGION, "us-east-1"),
        ("/ECSCluster/", "/Other/"),
        ("ecs-updater-", "other-"),
    ],
)
def test_the_role_may_do_nothing_with_another_account_region_cluster_or_deployment(
    requested, what, other
):
    changed = [
        (action, resource.replace(what, other), context)
        for action, resource, context in requested
        if what in resource
    ]
    assert changed and not [call for call in changed if allows(ROLE, *call)]


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        *((f"ecs:{name}", SERVICE, {}) for name in ("UpdateService", "TagResource")),
        ("dynamodb:PutItem", LEDGER, {KEYS: ["BATCH#one"]}),
        ("dynamodb:PutItem", LEDGER, {KEYS: ["OPEN"]}),
        ("dynamodb:PutItem", LEDGER, {}),
        ("dynamodb:DeleteItem", LEDGER, {KEYS: [SERVICE]}),
        ("sqs:ReceiveMessage", FLEET, {}),
        ("sqs:SendMessage", QUEUE, {}),
    ],
)
def test_the_role_changes_no_service_and_no_batch(action, resource, context):
    assert not allows(ROLE, action, resource, context)


def test_the_deployer_changes_only_this_function_its_queues_and_its_rule():
    allowed = list(expanded(policy("push")))
    assert len(json.dumps(policy("push"))) < 6144
    for action, arn in (
        ("lambda:CreateFunction", ARN % ("lambda", "function:ecs-updater-push")),
        ("sqs:CreateQueue", QUEUE),
        ("sqs:CreateQueue", f"{QUEUE}-dead-letters"),
        ("events:PutRule", ARN % ("events", "rule/ecs-updater-push")),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/ecs-updater-push-{REGION}"),
    ):
        assert allows(allowed, action, arn), action
        assert not allows(allowed, action, f"{arn}-2")
    assert not allows(allowed, "sqs:SendMessage", QUEUE)
    assert not allows(
        allowed, "lambda:InvokeFunction", ARN % ("lambda", "function:ecs-updater-push")
    )
