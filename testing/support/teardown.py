"""What the tests of the teardown share: an emulator, what is deployed to it, and the teardown
itself, run in this process.

In this process it is quicker, and can be broken off at any call.
"""

import contextlib
import io
import json
import sys
import urllib.request
import zipfile
from functools import cache
from typing import Any, NamedTuple
from unittest import mock

import boto3
from botocore.config import Config

from support.inventory import inventory
from support.make import PROJECT, Result, Workspace, until
from teardown import command
from teardown.workload import services_of_the_suite

STACK, CLUSTER, SERVICE, FAMILY, FUNCTION = (
    "ecs-updater",
    "ECSCluster",
    "ecs-dummy-service",
    "ecs-dummy-task",
    "ecs-updater",
)
REGION, ACCOUNT = "eu-west-1", "000000000000"
BUCKET = f"{STACK}-artifacts-{ACCOUNT}-{REGION}"
NAMES = [
    "--stack-name",
    STACK,
    "--cluster",
    CLUSTER,
    "--service",
    SERVICE,
    "--family",
    FAMILY,
    "--function",
    FUNCTION,
]

OURS = [{"Key": "ecs-updater", "Value": STACK}]
OURS_IN_LOWER_CASE = [{"key": "ecs-updater", "value": STACK}]

# A stack of the function, without the bundle that it would take.
FUNCTION_TEMPLATE = json.dumps(
    {
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": f"{FUNCTION}-dead-letters"},
            },
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": f"/aws/lambda/{FUNCTION}"},
            },
        }
    }
)
# A stack of the API, without the functions behind it, and with the role that API Gateway writes the
# account's logs with.
API_TEMPLATE = json.dumps(
    {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": f"{FUNCTION}-api"}},
            "Plan": {
                "Type": "AWS::ApiGateway::UsagePlan",
                "Properties": {"UsagePlanName": f"{FUNCTION}-api"},
            },
            "Key": {
                "Type": "AWS::ApiGateway::ApiKey",
                "Properties": {"Name": f"{FUNCTION}-api", "Enabled": True},
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": f"{FUNCTION}-api-logs-{REGION}",
                    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
                },
            },
            "Account": {
                "Type": "AWS::ApiGateway::Account",
                "Properties": {"CloudWatchRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
        }
    }
)
# A stack of the fleet, without its worker and what calls that.
FLEET_TEMPLATE = json.dumps(
    {
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": f"{FUNCTION}-fleet.fifo", "FifoQueue": True},
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": f"{FUNCTION}-failed-updates",
                    "Namespace": "AWS/SQS",
                    "MetricName": "Any",
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Threshold": 0,
                    "Period": 60,
                    "EvaluationPeriods": 1,
                },
            },
            "Policy": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "ManagedPolicyName": f"{FUNCTION}-fleet-sender-{REGION}",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"}
                        ],
                    },
                },
            },
        }
    }
)
# A stack of the ledger, without its completer, for which it would take the bundle.
LEDGER_TEMPLATE = json.dumps(
    {
        "Resources": {
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "Retain",
                "Properties": {
                    "TableName": f"{FUNCTION}-ledger",
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Name": f"{FUNCTION}-completer-poll",
                    "ScheduleExpression": "rate(1 day)",
                },
            },
        }
    }
)


class Emulator(NamedTuple):
    """An emulator that runs."""

    url: str

    def client(self, service: str, **_config: Any) -> Any:
        """A client of it, always the same one: to make one takes longer than all its calls."""
        return _client(self.url, service)

    def empty(self) -> None:
        """Makes it forget everything."""
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/_ministack/reset", method="POST")
        ) as answer:
            assert answer.status == 200

    def inventory(self) -> set[str]:
        """Everything that is in it."""
        return inventory(self.url)


@cache
def _client(url: str, service: str) -> Any:
    return boto3.client(service, endpoint_url=url, config=Config(proxies={}))


def start_emulator(workspace: Workspace) -> Emulator:
    """Starts the emulator of a workspace."""
    result = workspace.make("emulator-up")
    assert result.status == 0, result.output
    return Emulator(f"http://127.0.0.1:{workspace.port}")


def tear_down(emulator: Emulator, *verbs: str) -> Result:
    """Runs steps of the teardown, both by default; the status is the worse one."""
    said = io.StringIO()
    statuses = []
    with mock.patch.object(boto3, "Session", lambda: emulator), contextlib.redirect_stderr(said):
        for verb in verbs or ("workload", "infrastructure"):
            with mock.patch.object(sys, "argv", ["teardown", verb, *NAMES]):
                statuses.append(command.main())
    return Result(max(statuses), said.getvalue())


def removed(result: Result) -> list[str]:
    """What a run said that it removes."""
    return [
        line.removeprefix("• removing ")
        for line in result.output.splitlines()
        if line.startswith("• removing ")
    ]


def complaints(result: Result) -> list[str]:
    """What a run left, and why."""
    return [
        line.removeprefix("✗ ") for line in result.output.splitlines() if not line.startswith("•")
    ]


def template(name: str, **parameters: str) -> dict[str, Any]:
    """What CreateStack takes for a template of this project."""
    return {
        "TemplateBody": (PROJECT / "infraestructure" / name).read_text("utf-8"),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    }


def create_stack(emulator: Emulator, part: str, tags: list[dict[str, str]], **options: Any) -> None:
    """Creates the stack of a part, and waits until it is there."""
    cloudformation, name = emulator.client("cloudformation"), f"{STACK}-{part}"
    cloudformation.create_stack(
        StackName=name, Tags=tags, Capabilities=["CAPABILITY_NAMED_IAM"], **options
    )

    def is_complete() -> bool:
        return (
            cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            == "CREATE_COMPLETE"
        )

    until(is_complete, f"{name} is complete")


def register(emulator: Emulator, count: int = 1, family: str = FAMILY, **options: Any) -> list[str]:
    """Registers revisions."""
    ecs = emulator.client("ecs")
    containers = [{"name": "app", "image": "busybox", "memory": 64}]
    made = (
        ecs.register_task_definition(family=family, containerDefinitions=containers, **options)
        for _ in range(count)
    )
    return [item["taskDefinition"]["taskDefinitionArn"] for item in made]


def deploy(emulator: Emulator) -> None:
    """Deploys without the make steps what takes more than one page, call or state to remove."""
    create_stack(emulator, "vpc", OURS, **template("01-vpc.yml"))
    create_stack(emulator, "ecs", OURS, **template("02-ecs.yml", ClusterName=CLUSTER))
    for part, body in (
        ("ledger", LEDGER_TEMPLATE),
        ("lambda", FUNCTION_TEMPLATE),
        ("api", API_TEMPLATE),
        ("fleet", FLEET_TEMPLATE),
    ):
        create_stack(emulator, part, OURS, TemplateBody=body)
    ecs = emulator.client("ecs")
    revisions = register(emulator, 12, tags=OURS_IN_LOWER_CASE)
    for arn in revisions[:5]:
        ecs.deregister_task_definition(taskDefinition=arn)
    ecs.create_service(
        cluster=CLUSTER, serviceName=SERVICE, taskDefinition=revisions[-1], desiredCount=2
    )
    for name in services_of_the_suite(SERVICE):
        ecs.create_service(
            cluster=CLUSTER, serviceName=name, taskDefinition=revisions[-1], desiredCount=0
        )
    s3 = emulator.client("s3")
    make_bucket(s3, OURS)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=BUCKET, Key="bundle", Body=b"")
    s3.delete_object(Bucket=BUCKET, Key="bundle")


def set_log_role(emulator: Emulator, name: str) -> None:
    """Lets API Gateway write the logs of the account's REST APIs with a role, which need not be
    there.
    """
    change = {
        "op": "replace",
        "path": "/cloudwatchRoleArn",
        "value": f"arn:aws:iam::{ACCOUNT}:role/{name}",
    }
    emulator.client("apigateway").update_account(patchOperations=[change])


def make_bucket(s3, tags: list[dict[str, str]]) -> None:
    """Makes the bucket for bundles, with one in it: an empty one without a tag is what a kill
    leaves.
    """
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    if tags:
        s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
    s3.put_object(Bucket=BUCKET, Key="bundle")


def any_bundle() -> bytes:
    """A bundle that holds next to nothing."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("probe.py", "")
    return archive.getvalue()
