"""The ledger: its table against the code that writes to it, the reconciler and what invokes it,
and the permissions of both functions.
"""

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern

from ecs_updater.ledger.queries import RECENT
from fakes.memory_dynamodb import TABLE
from support.cloudformation import TEMPLATES, Stack, allows
from support.make import PROJECT
from support.permissions import actions, listed

pytest_plugins = ["support.ledger_fixtures"]

LEDGER, LAMBDA = TEMPLATES["02-ledger.yml"], TEMPLATES["03-lambda.yml"]
ARN = "arn:aws:%s:eu-west-1:000000000000:%s"
SERVICE = ARN % ("ecs", "service/ECSCluster/web")
REVISION = ARN % ("ecs", "task-definition/web:7")
DEPLOYED = ARN % ("ecs", "service-revision/ECSCluster/web/0123456789")
DEPLOYMENT = ARN % ("ecs", "service-deployment/ECSCluster/web/a0b1c2")
TASK = ARN % ("ecs", "task/ECSCluster/0123456789abcdef")
TASK_LOG = ARN % ("logs", "log-group:/ecs/web-api:log-stream:web/app/0123456789abcdef")
LISTED = {"ecs:cluster": ARN % ("ecs", "cluster/ECSCluster")}
ITEMS = ARN % ("dynamodb", f"table/{TABLE}")
ROLE = "arn:aws:iam::000000000000:role/task"
IMAGES = "arn:aws:ecr:us-east-1:444455556666:repository/team/app"

# As AWS documents it:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "ddca6449-b258-46c0-8653-e0e3aEXAMPLE",
    "detail-type": "ECS Deployment State Change",
    "source": "aws.ecs",
    "account": "000000000000",
    "time": "2020-05-23T12:31:14Z",
    "region": "eu-west-1",
    "resources": [SERVICE],
    "detail": {
        "eventType": "INFO",
        "eventName": "SERVICE_DEPLOYMENT_COMPLETED",
        "deploymentId": "ecs-svc/123",
        "updatedAt": "2020-05-23T11:11:11Z",
        "reason": "ECS deployment deploymentID completed.",
    },
}


def made(name: str, **parameters: Any) -> dict[str, Any]:
    """Returns the properties of a resource of the ledger's stack."""
    return Stack(LEDGER, parameters).resources[name]["Properties"]


def statements(deployed: Stack) -> dict[str, dict[str, Any]]:
    """Returns the statements of a stack's only role, by name."""
    return {statement["Sid"]: statement for statement in deployed.statements}


TASKS = {"RunTasks": "true", "TaskLogGroupName": "/ecs/web-*"}
EXPRESS = {"ExpressServices": "true"}
BOTH = {"TaskDefinitionFamily": "web", "PassableRoleArns": ROLE, **TASKS, **EXPRESS}
FUNCTION = statements(Stack(LAMBDA, {**BOTH, "LedgerTableName": TABLE, "PinDigest": "tag"}))
RECONCILER = statements(Stack(LEDGER, BOTH))


# The table


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def test_the_table_has_the_keys_and_the_index_that_the_code_uses():
    table = made("LedgerTable")
    assert (table["TableName"], table["BillingMode"]) == (TABLE, "PAY_PER_REQUEST")
    assert table["KeySchema"] == _keys("pk", "sk")
    (index,) = table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["KeySchema"]) == (
        RECENT.name,
        _keys(RECENT.hash_key, RECENT.range_key),
    )
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert {
        attribute["AttributeName"]: attribute["AttributeType"]
        for attribute in table["AttributeDefinitions"]
    } == (dict.fromkeys(("pk", "sk", RECENT.hash_key, RECENT.range_key), "S"))


def test_the_table_forgets_what_the_code_lets_expire(fake, begin):
    expires = made("LedgerTable")["TimeToLiveSpecification"]
    assert expires["Enabled"] is True
    begin()
    assert [
        item
        for item in fake.items.values()
        if re.fullmatch(r"\d{10}", item.get(expires["AttributeName"], {}).get("N", ""))
    ]


# The reconciler


def test_both_functions_have_the_same_parameters():
    for name in LEDGER["Parameters"].keys() & LAMBDA["Parameters"].keys():
        assert LEDGER["Parameters"][name] == LAMBDA["Parameters"][name], name


# What both functions may for a rollout and its ledger

OF_A_DEPLOYMENT = ("DescribeServiceDeployments", "StopServiceDeployment")
both = pytest.mark.parametrize("role", [FUNCTION, RECONCILER], ids=["function", "reconciler"])


@both
@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ecs:DescribeServices", SERVICE, {}),
        ("ecs:UpdateService", SERVICE, {}),
        ("ecs:TagResource", SERVICE, {}),
        ("ecs:UntagResource", SERVICE, {}),
        ("ecs:ListServiceDeployments", SERVICE, {}),
        *(("ecs:DescribeServiceRevisions", resource, {}) for resource in (DEPLOYED, SERVICE)),
        *(
            (f"ecs:{action}", resource, {})
            for resource in (DEPLOYMENT, SERVICE)
            for action in OF_A_DEPLOYMENT
        ),
        ("ecs:DescribeTasks", TASK, {}),
        ("ecs:ListTasks", "*", LISTED),
        ("ecs:StopTask", TASK, LISTED),
        ("logs:GetLogEvents", TASK_LOG, {}),
        # A rollback to an INACTIVE revision registers its content again.
        ("ecs:DescribeTaskDefinition", "*", {}),
        ("ecs:RegisterTaskDefinition", REVISION, {}),
        ("ecs:TagResource", REVISION, {"ecs:CreateAction": "RegisterTaskDefinition"}),
        ("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}),
        *(
            (f"dynamodb:{operation}", ITEMS, {})
            for operation in ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
        ),
    ],
)
def test_both_may(role, action, resource, context):
    assert allows(role.values(), action, resource, context)


@both
@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        *(
            (f"ecs:{operation}", SERVICE.replace("ECSCluster", "Other"), {})
            for operation in ("UpdateService", "ListServiceDeployments")
        ),
        *(
            ("ecs:DescribeServiceRevisions", resource.replace("ECSCluster", "Other"), {})
            for resource in (DEPLOYED, SERVICE)
        ),
        *(
            (f"ecs:{action}", resource.replace("ECSCluster", "Other"), {})
            for resource in (DEPLOYMENT, SERVICE)
            for action in OF_A_DEPLOYMENT
        ),
        ("ecs:DescribeTasks", TASK.replace("ECSCluster", "Other"), {}),
        ("ecs:StopTask", TASK, {}),
        ("ecs:StopTask", TASK.replace("ECSCluster", "Other"), LISTED),
        ("logs:GetLogEvents", TASK_LOG.replace("web-api", "other"), {}),
        ("ecs:RegisterTaskDefinition", ARN % ("ecs", "task-definition/other:7"), {}),
        ("ecs:ListTasks", "*", {}),
        ("ecs:ListTasks", "*", {"ecs:cluster": LISTED["ecs:cluster"] + "-two"}),
        ("dynamodb:UpdateItem", ITEMS + "-two", {}),
        ("dynamodb:UpdateItem", ITEMS.replace("eu-west-1", "us-east-1"), {}),
        ("dynamodb:UpdateItem", ITEMS.replace("000000000000", "444455556666"), {}),
        *(
            (f"dynamodb:{operation}", ITEMS, {})
            for operation in ("DeleteTable", "Scan", "BatchWriteItem")
        ),
        ("ecr:PutImage", IMAGES, {}),
    ],
)
def test_neither_may(role, action, resource, context):
    assert not allows(role.values(), action, resource, context)


@pytest.mark.parametrize("template", [LAMBDA, LEDGER], ids=["function", "reconciler"])
def test_without_the_parameters_neither_runs_or_stops_tasks_or_reads_their_logs(template):
    given = statements(Stack(template, BOTH)).keys()
    left = statements(Stack(template, {**BOTH, **dict.fromkeys(TASKS, "")})).keys()
    added = {"RunTasks"} if template is LAMBDA else set()
    assert given - left == {"StopTasks", "ReadTaskLogs"} | added


@pytest.mark.parametrize("template", [LAMBDA, LEDGER], ids=["function", "reconciler"])
def test_without_the_parameter_neither_changes_express_services(template):
    given = statements(Stack(template, BOTH)).keys()
    left = statements(Stack(template, {**BOTH, "ExpressServices": ""})).keys()
    added = {"ReadExpressServices"} if template is LAMBDA else set()
    assert given - left == {"ChangeExpressServices", "PassInfrastructureRoles"} | added


def test_the_reconciler_may_what_the_function_may_and_write_its_logs_and_read_many_entries():
    own = "/aws/lambda/ecs-updater-completer:"
    assert own in RECONCILER["WriteLogs"]["Resource"]
    for sid, statement in RECONCILER.items():
        if sid == "SendEvents":
            continue  # With a ledger only the reconciler sends verdicts.
        function = {**FUNCTION[sid], "Action": actions([FUNCTION[sid]])}
        allowed = actions([statement])
        if sid == "UseLedger":
            allowed.remove("dynamodb:BatchGetItem")
        assert {**statement, "Action": allowed, "Resource": function["Resource"]} == function
        for resource in listed(statement["Resource"]):
            as_its = resource.replace(own, "/aws/lambda/ecs-updater:")
            assert allows([{**function, "Condition": {}}], function["Action"][0], as_its)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ecs:DescribeServices", SERVICE.replace("ECSCluster", "Other"), {}),
        ("ecs:TagResource", REVISION, {}),
        (
            "iam:PassRole",
            "arn:aws:iam::000000000000:role/other",
            {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
        ),
        ("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("ecr:BatchGetImage", IMAGES, {}),
        ("sqs:SendMessage", ARN % ("sqs", "ecs-updater-dead-letters"), {}),
        ("logs:PutLogEvents", ARN % ("logs", "log-group:/aws/lambda/ecs-updater:log-stream:x"), {}),
    ],
)
def test_the_reconciler_may_not(action, resource, context):
    assert not allows(RECONCILER.values(), action, resource, context)


def test_verdicts_are_sent_by_the_reconciler_or_by_a_function_without_a_ledger():
    bus, topic = ARN % ("events", "event-bus/verdicts"), ARN % ("sns", "verdicts")
    given = {**BOTH, "EventBusName": "verdicts", "NotifyTopicArn": topic}
    sent = [("events:PutEvents", bus), ("sns:Publish", topic)]
    for template, more, is_sender in (
        (LEDGER, {}, True),
        (LAMBDA, {"LedgerTableName": TABLE}, False),
        (LAMBDA, {"LedgerTableName": ""}, True),
    ):
        role = statements(Stack(template, {**given, **more})).values()
        assert all(allows(role, *call, {}) == is_sender for call in sent)
        assert not allows(role, "events:PutEvents", ARN % ("events", "event-bus/default"), {})
        off = statements(
            Stack(template, {**given, **more, "EventBusName": "", "NotifyTopicArn": ""})
        )
        assert not {"SendEvents", "PublishMessages"} & off.keys()


def test_images_of_other_accounts_and_regions_can_be_read_when_they_are_to_be_checked_or_pinned():
    assert all(
        allows(FUNCTION.values(), f"ecr:{operation}", IMAGES)
        for operation in ("BatchGetImage", "GetDownloadUrlForLayer")
    )
    for checks in ({"VerifyImage": "require"}, {"VerifyImage": "warn"}, {"PinDigest": "digest"}):
        assert {"ReadImages", "ReadCacheRules"} <= statements(Stack(LAMBDA, checks)).keys()


def test_without_a_ledger_no_table_can_be_used_and_without_checks_no_image_be_read():
    assert not {"UseLedger", "ReadImages", "ReadCacheRules"} & statements(Stack(LAMBDA)).keys()


# What invokes the reconciler


def calls(event: dict[str, Any], **parameters: Any) -> bool:
    """Whether EventBridge invokes the reconciler for an event."""
    return EventPattern(None, made("DeploymentRule", **parameters)["EventPattern"]).matches_event(
        event
    )


def of_another(**fields: Any) -> dict[str, Any]:
    """Returns the event with other fields; those of its detail too."""
    return EVENT | {
        key: {**EVENT[key], **value} if isinstance(value, dict) else value
        for key, value in fields.items()
    }


@pytest.mark.parametrize("name", ["SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED"])
def test_the_end_of_a_deployment_calls_the_reconciler(name):
    assert calls(of_another(detail={"eventName": name}))


RECORDED = PROJECT / "testing" / "events" / "eventbridge" / "HOOK_AWAITING_ACTION.json"
HOOK = json.loads(RECORDED.read_text("utf-8"))


def test_a_hook_that_awaits_an_answer_calls_the_reconciler_in_its_cluster_only():
    (arn,) = (arn.replace("123456789012", "000000000000") for arn in HOOK["resources"])
    assert calls(HOOK | {"resources": [arn]})
    assert not calls(HOOK | {"resources": [arn.replace("ECSCluster", "Other")]})


@pytest.mark.parametrize(
    "fields",
    [
        {"detail": {"eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS"}},
        {"resources": [SERVICE.replace("ECSCluster", "ECSClusterTwo")]},
        {"resources": [SERVICE.replace("000000000000", "444455556666")]},
        {"detail-type": "ECS Service Action"},
        {"source": "a.test"},
    ],
    ids=["begin", "cluster", "account", "type", "source"],
)
def test_nothing_else_that_ecs_reports_calls_it(fields):
    assert not calls(of_another(**fields))


def test_a_pattern_of_clusters_means_the_same_to_the_rule_as_to_the_role():
    own, other = (
        of_another(resources=[SERVICE.replace("ECSCluster", name)])
        for name in ("team-one", "other-team-one")
    )
    assert calls(own, ClusterName="team-*") and calls(other, ClusterName="*")
    assert not calls(other, ClusterName="team-*")


@pytest.mark.parametrize("rule", ["DeploymentRule", "PollRule"])
def test_a_rule_calls_the_reconciler_and_may(rule):
    reconciler = ARN % ("lambda", "function:ecs-updater-completer")
    assert made(rule)["State"] == "ENABLED"
    assert [target["Arn"] for target in made(rule)["Targets"]] == [reconciler]
    assert made(f"{rule}Permission") == {
        "FunctionName": "ecs-updater-completer",
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": ARN % ("events", f"rule/{made(rule)['Name']}"),
    }


@pytest.mark.parametrize(
    ("parameters", "protected"), [({}, True), ({"DeletionProtection": "false"}, False)]
)
def test_the_table_is_protected_from_deletion_unless_that_is_switched_off(parameters, protected):
    assert made("LedgerTable", **parameters)["DeletionProtectionEnabled"] is protected


def test_the_table_outlives_its_stack_and_the_name_of_the_function():
    table = LEDGER["Resources"]["LedgerTable"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
