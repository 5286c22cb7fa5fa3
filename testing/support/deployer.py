"""The policies of the deployer, and what the calls of a pipeline need of them.

``policy`` gives the statements as scripts/deployer-policy prints them; ``needs`` says of a recorded
call which actions AWS asks about, on which resources: the call's own and those that go with it,
such as passing a role or tagging what is made. ``handled`` gives the actions that CloudFormation
takes, with the deployer's permissions, for the types of resource in a template.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3

from support.cloudformation import TEMPLATES, Stack
from support.make import PROJECT, TOOLS
from support.permissions import Statement
from support.recorder import Call
from support.table_calls import KEYS, table_and_keys

ACCOUNT, REGION = "000000000000", "eu-west-1"
SETTINGS = {
    "TARGET": "aws",
    "ACCOUNT": ACCOUNT,
    "AWS_DEFAULT_REGION": REGION,
    "STACK_NAME": "ecs-updater",
    "CLUSTER_NAME": "ECSCluster",
    "SERVICE_NAME": "ecs-dummy-service",
    "TASK_DEFINITION_NAME": "ecs-dummy-task",
    "LAMBDA_FUNCTION_NAME": "ecs-updater",
    "EMULATOR_PORT": "4566",
}
# What no run of a pipeline needs that goes well, and no handler of CloudFormation, with the reason
# why it is allowed.
_OF_A_STACK = {
    "DescribeStackEvents": "says why a stack failed",
    "GetTemplateSummary": "the aws cli asks for the parameters of a stack that is there already",
    "ListChangeSets": "shows the owner of a stack that a break left in review",
}
_PARTS = ("LoadBalancer", "Push", "Codepipeline", "Target", "Operations")
_STACKS = ("Stacks", *(f"{part}Stack" for part in _PARTS))
IDLE_HERE = {
    (stack, f"cloudformation:{name}"): reason
    for stack in _STACKS
    for name, reason in _OF_A_STACK.items()
} | {
    ("Tasks", "ecs:StopTask"): "stops the one-off tasks that events with run_before left",
    (
        "InfrastructureRole",
        "iam:ListInstanceProfilesForRole",
    ): "Terraform asks before it deletes the role; the pipeline of Terraform has no load balancer",
}

# Where the action that IAM knows is not called like the operation.
_ACTIONS = {
    "dynamodb:TransactWriteItems": ["dynamodb:PutItem"],
    "lambda:Invoke": ["lambda:InvokeFunction"],
    "s3:DeleteObjects": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
    "s3:HeadBucket": ["s3:ListBucket"],
    "s3:HeadObject": ["s3:GetObject"],
    "s3:ListObjectVersions": ["s3:ListBucketVersions"],
    "s3:ListObjectsV2": ["s3:ListBucket"],
    "s3:PutPublicAccessBlock": ["s3:PutBucketPublicAccessBlock"],
    "sqs:SendMessageBatch": ["sqs:SendMessage"],
}
# What makes something, and the type of it in an ARN.
_MADE = {
    "CreateVpc": "vpc",
    "CreateSubnet": "subnet",
    "CreateInternetGateway": "internet-gateway",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "AuthorizeSecurityGroupEgress": "security-group-rule",
}
_EC2_IDS = {
    "vpc": "vpc",
    "subnet": "subnet",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "sg": "security-group",
}
_EC2_ID = re.compile(r"\b(vpc|subnet|igw|rtb|sg)-[0-9a-f]+\b")
# Always allowed.
_FREE = {"sts:GetCallerIdentity"}


@dataclass(frozen=True)
class Need:
    """One question that AWS puts to the caller's policies."""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict, hash=False)


@cache
def policy(part: str = "", **settings: str) -> tuple[Statement, ...]:
    """The statements of one of the policies for these settings, by the script that prints them."""
    return tuple(json.loads(printed(part, **settings).stdout)["Statement"])


OPTIONAL = ("push", "codepipeline", "target")
"""The parts that no pipeline deploys."""


def policies(*parts: str) -> tuple[Statement, ...]:
    """The statements of the policies that together are enough without instances, or of `parts`."""
    parts = parts or ("", "network", "ledger", "api", "fleet", "operations", "strategy", *OPTIONAL)
    return tuple(statement for part in parts for statement in policy(part))


def of_pipelines() -> tuple[Statement, ...]:
    """The statements of a deployer of all parts. `clean` looks for the parts of the last two."""
    return policies() + policies("notify", "hardening")


def resource_types(launch_type: str = "FARGATE") -> set[str]:
    """The types of resource that the templates make."""
    parameters = {"LaunchType": launch_type, "AccountLogRole": "make"}
    return {
        resource["Type"]
        for template in TEMPLATES.values()
        for resource in Stack(template, parameters).resources.values()
    }


def printed(part: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """What scripts/deployer-policy makes of the settings."""
    environment = {"PATH": os.environ["PATH"], "TOOLS_DIR": str(TOOLS)} | SETTINGS | settings
    script = [str(PROJECT / "scripts" / "deployer-policy"), *([part] if part else [])]
    return subprocess.run(
        script,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def handled(types: Iterable[str]) -> dict[str, set[str]]:
    """The actions of the handlers of these types, by type, as CloudFormation's own schemas say;
    empty where there are none.

    The schemas are those that cfn-lint carries with it.
    """
    folders = sorted(TOOLS.glob("*/lib/python*/site-packages/cfnlint/data/schemas"))
    if not folders:
        return {}
    files = json.loads((folders[0] / "providers" / f"{REGION}.json").read_text("utf-8"))
    schemas = {
        kind: json.loads((folders[0] / "resources" / f"{files[kind]}.json").read_text("utf-8"))
        for kind in types
    }
    wanted = ("create", "read", "update", "delete")
    return {
        kind: {
            action
            for verb in wanted
            for action in schema["handlers"].get(verb, {}).get("permissions", [])
        }
        for kind, schema in schemas.items()
    }


def needs(calls: Iterable[Call]) -> Iterator[tuple[Call, Need]]:
    """Every call with each question that AWS puts for it; one that asks for nothing is passed
    over.
    """
    tags: dict[str, str] = {}
    called: dict[str, str] = {}
    for call in calls:
        name = f"{call.service}:{call.operation}"
        if name not in _FREE:
            for action in _actions(call):
                for resource in _resources(call):
                    yield (
                        call,
                        Need(
                            action,
                            resource,
                            _context(call, resource, tags) | _of_a_mapping(call, called),
                        ),
                    )
            for need in _with_dependencies(call):
                yield call, need
        if (
            call.service == "ec2"
            and call.operation in _MADE
            and (made := _EC2_ID.search(_answer_about(call)))
        ):
            tags[made[0]] = _ec2_tags(call).get("ecs-updater", "")


def _of_a_mapping(call: Call, called: dict[str, str]) -> dict[str, str]:
    """The function that the mapping of a call is of, on which a condition can be; ``called`` has it
    of those that were made.
    """
    given = call.parameters
    if call.operation == "CreateEventSourceMapping":
        made = json.loads(call.answer) if call.status < 300 else {}
        called[made.get("UUID", "")] = function = _arn(
            "lambda", f"function:{given['FunctionName'].rpartition(':')[2]}"
        )
    elif call.operation.endswith("EventSourceMapping"):
        function = called[given["UUID"]]
    else:
        return {}
    return {"lambda:FunctionArn": function}


def _actions(call: Call) -> list[str]:
    """The actions that AWS asks about for the operation itself.

    API Gateway's are the methods of HTTP.
    """
    name = f"{call.service}:{call.operation}"
    return (
        [f"apigateway:{_http(call)['method']}"]
        if call.service.startswith("apigateway")
        else _ACTIONS.get(name, [name])
    )


def _http(call: Call) -> dict[str, str]:
    """Method and address of the operation of a REST service."""
    return (
        boto3.client(call.service, region_name=REGION)
        .meta.service_model.operation_model(call.operation)
        .http
    )


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _resources(call: Call) -> list[str]:
    """The ARNs that AWS asks about for a call; ``*`` where it knows no resource for it."""
    given = call.parameters
    match call.service:
        case "cloudformation" if "StackName" in given:
            name = given["StackName"]
            found = (
                name if name.startswith("arn:") else _arn("cloudformation", f"stack/{name}/an-id")
            )
        case "s3":
            is_about_objects = call.operation in (
                "PutObject",
                "HeadObject",
                "GetObject",
                "DeleteObjects",
            )
            found = f"arn:aws:s3:::{given['Bucket']}" + (
                f"/{given.get('Key', 'any')}" if is_about_objects else ""
            )
        case "iam":
            named = ((kind, given[key]) for kind, key in _IAM_NAMES.items() if key in given)
            found = given.get("PolicyArn") or f"arn:aws:iam::{ACCOUNT}:{'/'.join(next(named))}"
        case "logs" if "logGroupName" in given:
            found = _arn("logs", f"log-group:{given['logGroupName']}:*")
        case "logs" if "resourceArn" in given:
            found = given["resourceArn"]
        case "dynamodb" if call.operation != "ListTables":
            found = given.get("ResourceArn") or _arn(
                "dynamodb", f"table/{table_and_keys(given)[0]}"
            )
        case "events":
            name = given.get("Name") or given.get("Rule")
            kind = next(
                (kind for end, kind in _EVENT_KINDS if call.operation.endswith(end)), "rule"
            )
            found = given.get("ResourceARN") or _arn("events", f"{kind}/{name}")
        case "sqs":
            found = _arn("sqs", given.get("QueueName") or given["QueueUrl"].rpartition("/")[2])
        case "cloudwatch" | "lambda":
            found = (_alarm if call.service == "cloudwatch" else _lambda_resource)(call)
        case "apigateway" | "apigatewayv2":
            path = re.sub(
                r"\{(\w+)\+?}",
                lambda label: given[label[1]],
                _http(call)["requestUri"].partition("?")[0],
            )
            found = f"arn:aws:apigateway:{REGION}::{path.removeprefix('/v2')}"
        case "ecs" | "ec2":
            return _ecs_resources(call) if call.service == "ecs" else _ec2_resources(call)
        case _:
            found = "*"
    return [found]


_EVENT_KINDS = (("ApiDestination", "api-destination"), ("Connection", "connection"))
_IAM_NAMES = {"role": "RoleName", "instance-profile": "InstanceProfileName", "policy": "PolicyName"}


def _alarm(call: Call) -> str:
    given = call.parameters
    if "Dashboard" in call.operation:
        names = given.get("DashboardNames") or [given.get("DashboardNames.member.1")]
        dashboard = given.get("DashboardName") or names[0]
        return f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{dashboard}"
    names = given.get("AlarmNames") or [
        given[key] for key in ("AlarmName", "AlarmNames.member.1") if key in given
    ]
    names = names or ["*"]
    return given.get("ResourceARN") or _arn("cloudwatch", f"alarm:{names[0]}")


def _lambda_resource(call: Call) -> str:
    given = call.parameters
    if call.operation in ("CreateEventSourceMapping", "ListEventSourceMappings"):
        return "*"
    if "UUID" in given:
        return _arn("lambda", f"event-source-mapping:{given['UUID']}")
    return given.get("Resource") or _arn("lambda", f"function:{given['FunctionName']}")


def _ecs_resources(call: Call) -> list[str]:
    given = call.parameters
    cluster = given.get("cluster", "").rpartition("/")[2]
    match call.operation:
        case "CreateCluster" | "DeleteCluster" | "DescribeClusters":
            names = given.get("clusters") or [given.get("clusterName") or cluster]
            return [_arn("ecs", f"cluster/{name.rpartition('/')[2]}") for name in names]
        case "DescribeServices" | "CreateService" | "UpdateService" | "DeleteService":
            names = given.get("services") or [given.get("service") or given["serviceName"]]
            return [_arn("ecs", f"service/{cluster}/{name.rpartition('/')[2]}") for name in names]
        case "RegisterTaskDefinition":
            return [_arn("ecs", f"task-definition/{given['family']}:1")]
        case "DeleteTaskDefinitions" | "DescribeTasks":
            return given.get("taskDefinitions") or given["tasks"]
    return [given.get("resourceArn", "*")]


def _ec2_resources(call: Call) -> list[str]:
    if call.operation.startswith("Describe") and call.operation != "DescribeVpcAttribute":
        return ["*"]
    named = [_EC2_ID.fullmatch(value) for value in call.parameters.values()]
    found = [_arn("ec2", f"{_EC2_IDS[number[1]]}/{number[0]}") for number in named if number]
    if call.operation in _MADE and (
        call.operation != "AuthorizeSecurityGroupEgress" or _ec2_tags(call)
    ):
        found.append(_arn("ec2", f"{_MADE[call.operation]}/new"))
    return found or [_arn("ec2", "route-table/of-an-association")]


def _context(call: Call, resource: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """What the call says of itself, or the resource has in AWS, on which a condition can be."""
    if call.service == "ec2":
        tag = (
            "ecs-updater"
            if resource.endswith("/of-an-association")
            else tags.get(resource.rpartition("/")[2])
        )
        return {"aws:ResourceTag/ecs-updater": tag} if tag else {}
    if call.operation == "ListTables":
        return {}
    if call.service == "ecs" and call.operation == "ListTasks":
        return {
            "ecs:cluster": _arn("ecs", f"cluster/{call.parameters['cluster'].rpartition('/')[2]}")
        }
    if (
        call.service == "dynamodb"
        and "ResourceArn" not in call.parameters
        and (keys := table_and_keys(call.parameters)[1])
    ):
        return {KEYS: tuple(keys)}
    return {}


def _ec2_tags(call: Call) -> dict[str, str]:
    given = call.parameters
    keys = [name for name in given if re.fullmatch(r"TagSpecification\.1\.Tag\.\d+\.Key", name)]
    return {given[name]: given[name.removesuffix("Key") + "Value"] for name in keys}


def _answer_about(call: Call) -> str:
    """The part of an answer that names what was made."""
    kind = "group" if call.operation == "CreateSecurityGroup" else _MADE[call.operation]
    element = re.sub("-(.)", lambda initial: initial[1].upper(), kind) + "Id"
    return call.answer.partition(f"<{element}>")[2].partition("<")[0]


def _with_dependencies(call: Call) -> Iterator[Need]:
    """What AWS asks about besides the operation itself."""
    given, resources = call.parameters, _resources(call)
    tagging = {
        ("cloudformation", "CreateChangeSet"): "cloudformation:TagResource",
        ("cloudwatch", "PutMetricAlarm"): "cloudwatch:TagResource",
        ("dynamodb", "CreateTable"): "dynamodb:TagResource",
        ("ecs", "CreateCluster"): "ecs:TagResource",
        ("ecs", "CreateService"): "ecs:TagResource",
        ("ecs", "RegisterTaskDefinition"): "ecs:TagResource",
        ("events", "PutRule"): "events:TagResource",
        ("iam", "CreatePolicy"): "iam:TagPolicy",
        ("iam", "CreateRole"): "iam:TagRole",
        ("lambda", "CreateEventSourceMapping"): "lambda:TagResource",
        ("lambda", "CreateFunction"): "lambda:TagResource",
        ("logs", "CreateLogGroup"): "logs:TagResource",
        ("sqs", "CreateQueue"): "sqs:TagQueue",
    }.get((call.service, call.operation))
    if tagging and any(name.split(".")[0] in ("Tags", "tags") for name in given):
        made = (
            _arn("lambda", "event-source-mapping:new")
            if call.operation == "CreateEventSourceMapping"
            else resources[0]
        )
        yield Need(
            tagging, made, {"ecs:CreateAction": call.operation} if call.service == "ecs" else {}
        )
    # Only the API's template includes others. It is sent from a bucket if it is large.
    if call.operation == "CreateChangeSet" and given["StackName"].endswith("-api"):
        yield Need(
            "cloudformation:CreateChangeSet",
            f"arn:aws:cloudformation:{REGION}:aws:transform/Include",
        )
    if call.service == "apigateway" and given.get("tags"):
        yield Need("apigateway:PUT", f"arn:aws:apigateway:{REGION}::/tags/what-is-made", {})
    if call.service == "apigateway" and call.operation == "UpdateAccount":
        for change in given["patchOperations"]:
            if role := change.get("value"):
                yield Need(
                    "iam:PassRole", role, {"iam:PassedToService": "apigateway.amazonaws.com"}
                )
    if call.service == "ec2" and _ec2_tags(call):
        yield Need("ec2:CreateTags", resources[-1], {"ec2:CreateAction": call.operation})
    if call.service == "ecs" and call.operation == "CreateCluster":  # The first one of an account.
        role = (
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
        )
        yield Need("iam:CreateServiceLinkedRole", role, {"iam:AWSServiceName": "ecs.amazonaws.com"})
    for balancer in given.get("loadBalancers", []) if call.service == "ecs" else ():
        role = balancer["advancedConfiguration"]["roleArn"]
        yield Need("iam:PassRole", role, {"iam:PassedToService": "ecs.amazonaws.com"})
    for name, service in (
        ("taskRoleArn", "ecs-tasks"),
        ("executionRoleArn", "ecs-tasks"),
        ("Role", "lambda"),
    ):
        if call.operation in ("RegisterTaskDefinition", "CreateFunction") and given.get(name):
            yield Need(
                "iam:PassRole", given[name], {"iam:PassedToService": f"{service}.amazonaws.com"}
            )
