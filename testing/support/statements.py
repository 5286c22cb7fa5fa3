"""The statements of the policies of all functions' roles, with every parameter that adds one, and
those that an emulator cannot show to be needed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from support.cloudformation import TEMPLATES, Stack
from support.deployer import ACCOUNT, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role/task"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0123-abcd"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:verdicts"
EVERYTHING = {
    "ApiAuth": "jwt",
    "AllowedFields": "*",
    "Approvals": "on",
    "ExpressServices": "true",
    "KmsKeyArn": KEY,
    "LedgerTableName": "ecs-updater-ledger",
    "NotifyTopicArn": TOPIC,
    "PassableRoleArns": ROLE,
    "ReadScalableTargets": "true",
    "RunTasks": "true",
    "ScopesParameterName": "/ecs-updater/scopes",
    "TargetReadRoleArns": f"arn:aws:iam::{ACCOUNT}:role/there",
    "TargetRoleArns": f"arn:aws:iam::{ACCOUNT}:role/there",
    "TargetsParameterName": "/ecs-updater/targets",
    "TaskLogGroupName": "/ecs/*",
    "Tracing": "Active",
    "UpdaterClusterName": "ECSCluster",
    "VerifyImage": "warn",
}
"""The parameters with which the roles have every statement."""


def _policies() -> dict[str, list[dict[str, Any]]]:
    found = {}
    for template in TEMPLATES.values():
        if any(part["Type"] == "AWS::Lambda::Function" for part in template["Resources"].values()):
            stack = Stack(template, EVERYTHING)
            own = [part for role in stack.of_type("AWS::IAM::Role") for part in role["Policies"]]
            for policy in [*own, *stack.of_type("AWS::IAM::Policy")]:
                found[policy["PolicyName"]] = policy["PolicyDocument"]["Statement"]
    return found


POLICIES = _policies()
"""The statements by the name of the policy."""
STATEMENTS = [(name, part["Sid"]) for name, parts in POLICIES.items() for part in parts]
"""Name of the policy and Sid of each statement."""


class Unseen(NamedTuple):
    """Why the emulator cannot show that a statement is needed, and a call on AWS that needs it."""

    reason: str
    action: str
    resource: str
    context: Mapping[str, Any] = MappingProxyType({})


def _ecs(kind: str) -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}"


_LAMBDA = "Lambda calls, and the emulator writes logs and takes messages without asking"
_DEPLOYMENTS = "the emulator has no service deployments"
_EXPRESS = "the emulator has no Express services"
_PASSED = "the emulator does not check which role is passed"
_ROLLBACK = "the emulator has no deployment that fails, which the reconciler would roll back"
_ENDED = "a deployment has ended there when the reconciler reads its service"
_ELSEWHERE = "an update in a target is open only in testing/e2e/test_targets.py"
_TASKS = "one-off tasks do not fail there, and do not outlive their update"
_IN_CLUSTER = {"ecs:cluster": _ecs("cluster/ECSCluster")}
_SERVICE, _TASK = _ecs("service/ECSCluster/web"), _ecs("task/ECSCluster/0123")
_REVISION = _ecs("task-definition/web:7")
_DEPLOYMENT = _ecs("service-deployment/ECSCluster/web/a")
_ALL = {
    "ReadServiceRevisions": Unseen(
        *(_DEPLOYMENTS, "ecs:DescribeServiceRevisions", _ecs("service-revision/ECSCluster/web/1"))
    ),
    "StopDeployments": Unseen(_DEPLOYMENTS, "ecs:StopServiceDeployment", _DEPLOYMENT),
    "TagNewTaskDefinitions": Unseen(
        "the emulator asks about no tag of a new revision",
        *("ecs:TagResource", _REVISION, {"ecs:CreateAction": "RegisterTaskDefinition"}),
    ),
    "RunTasks": Unseen(_TASKS, "ecs:RunTask", _REVISION, _IN_CLUSTER),
    "StopTasks": Unseen(_TASKS, "ecs:StopTask", _TASK, _IN_CLUSTER),
    "ReadTaskLogs": Unseen(
        *(_TASKS, "logs:GetLogEvents"),
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ecs/web:log-stream:web/app/0123",
    ),
    "ReadScalableTargets": Unseen(
        "the emulator has no Application Auto Scaling",
        *("application-autoscaling:DescribeScalableTargets", "*"),
    ),
    "ReadExpressServices": Unseen(_EXPRESS, "ecs:DescribeExpressGatewayService", _SERVICE),
    "ChangeExpressServices": Unseen(_EXPRESS, "ecs:UpdateExpressGatewayService", _SERVICE),
    "PassTaskRoles": Unseen(
        *(_PASSED, "iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
    ),
    "PassInfrastructureRoles": Unseen(
        *(_PASSED, "iam:PassRole", ROLE, {"iam:PassedToService": "ecs.amazonaws.com"})
    ),
    "ReadCacheRules": Unseen(
        "the emulator has no pull-through cache", "ecr:DescribePullThroughCacheRules", "*"
    ),
    "WriteTraces": Unseen("the emulator has no X-Ray", "xray:PutTraceSegments", "*"),
    "UseKey": Unseen(
        "DynamoDB, Lambda and SQS call, and the emulator encrypts nothing",
        *("kms:Decrypt", KEY, {"kms:ViaService": f"lambda.{REGION}.amazonaws.com"}),
    ),
}


def _logs(function: str) -> Unseen:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{function}:log-stream:a"
    return Unseen(_LAMBDA, "logs:PutLogEvents", group)


def _queue(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:ecs-updater-{name}"


NOT_HERE = {
    **{(name, sid): _ALL[sid] for name, sid in STATEMENTS if sid in _ALL},
    ("ecs-updater", "SendDeadLetters"): Unseen(_LAMBDA, "sqs:SendMessage", _queue("dead-letters")),
    ("ecs-updater", "WriteLogs"): _logs("ecs-updater"),
    ("ecs-updater-completer", "WriteLogs"): _logs("ecs-updater-completer"),
    ("ecs-updater-api-status", "WriteLogs"): _logs("ecs-updater-api-status"),
    ("ecs-updater-push", "WriteLogs"): _logs("ecs-updater-push"),
    ("ecs-updater-push", "TakeEvents"): Unseen(_LAMBDA, "sqs:ReceiveMessage", _queue("push")),
    ("ecs-updater-fleet", "WorkOffMessages"): Unseen(
        _LAMBDA, "sqs:ReceiveMessage", _queue("fleet.fifo")
    ),
    ("ecs-updater-codepipeline", "ReportResults"): Unseen(
        "the emulator has no results of jobs", "codepipeline:PutJobSuccessResult", "*"
    ),
    ("ecs-updater-api-approvals", "AnswerHooks"): Unseen(
        _DEPLOYMENTS, "ecs:ContinueServiceDeployment", _DEPLOYMENT
    ),
    ("ecs-updater-api-jwt", "WriteLogs"): _logs("ecs-updater-api-jwt"),
    ("ecs-updater-completer", "FollowDeployments"): Unseen(
        _ENDED, "ecs:ListServiceDeployments", _SERVICE
    ),
    ("ecs-updater-completer", "ReadTasks"): Unseen(_ENDED, "ecs:DescribeTasks", _TASK),
    ("ecs-updater-completer", "ListTasks"): Unseen(_ENDED, "ecs:ListTasks", "*", _IN_CLUSTER),
    ("ecs-updater-completer", "ReadTaskDefinitions"): Unseen(
        _ROLLBACK, "ecs:DescribeTaskDefinition", "*"
    ),
    ("ecs-updater-completer", "ReadTargets"): Unseen(
        *(_ELSEWHERE, "ssm:GetParameter"),
        f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/ecs-updater/targets",
    ),
    ("ecs-updater-completer", "AssumeTargetRoles"): Unseen(
        _ELSEWHERE, "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/there"
    ),
    ("ecs-updater-completer", "ChangeServices"): Unseen(_ROLLBACK, "ecs:UpdateService", _SERVICE),
    ("ecs-updater-completer", "RegisterTaskDefinitions"): Unseen(
        _ROLLBACK, "ecs:RegisterTaskDefinition", _REVISION
    ),
}
"""By policy and Sid."""
