"""What the teardown keeps: everything that has the name of something of ours and was not
made here. On an emulator.
"""

import json
import shutil
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from support.make import Result
from support.teardown import (
    ACCOUNT,
    API_TEMPLATE,
    BUCKET,
    CLUSTER,
    FAMILY,
    FLEET_TEMPLATE,
    FUNCTION,
    FUNCTION_TEMPLATE,
    LEDGER_TEMPLATE,
    OURS,
    OURS_IN_LOWER_CASE,
    REGION,
    SERVICE,
    STACK,
    Emulator,
    any_bundle,
    complaints,
    create_stack,
    deploy,
    make_bucket,
    register,
    removed,
    set_log_role,
    start_emulator,
    tear_down,
    template,
)

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
DENIAL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}],
    }
)
OF_ANOTHER_STACK = [{"Key": "ecs-updater", "Value": "another-stack"}]


@pytest.fixture(scope="module", name="shared")
def _shared(workspace) -> Emulator:
    """The emulator of all these tests."""
    return start_emulator(workspace("foreign"))


@pytest.fixture(name="emulator")
def _emulator(shared) -> Emulator:
    """The emulator with nothing in it."""
    shared.empty()
    return shared


class Foreign(NamedTuple):
    """Something with the name of one of ours: how it is made, and what the complaint begins
    with.
    """

    make: Callable[[Emulator], object]
    complaint: str
    setting: str = "STACK_NAME"


def _call(service: str, operation: str, **options: Any) -> Callable[[Emulator], Any]:
    return lambda emulator: getattr(emulator.client(service), operation)(**options)


def _function(name: str) -> Callable[[Emulator], Any]:
    role, code = f"arn:aws:iam::{ACCOUNT}:role/some", {"ZipFile": any_bundle()}
    options = {"Handler": "probe.f", "Runtime": "python3.13", "Role": role, "Code": code}
    return _call("lambda", "create_function", FunctionName=name, **options)


def _table(tags: list[dict[str, str]]) -> Callable[[Emulator], Any]:
    return _call(
        *("dynamodb", "create_table"),
        TableName=f"{FUNCTION}-ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        Tags=tags,
    )


def _rule(name: str) -> Callable[[Emulator], object]:
    def make(emulator: Emulator) -> None:
        events = emulator.client("events")
        events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
        events.put_targets(
            Rule=name, Targets=[{"Id": "foreign", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:foreign"}]
        )

    return make


def _service(emulator: Emulator) -> None:
    ecs = emulator.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.create_service(
        cluster=CLUSTER,
        serviceName=SERVICE,
        taskDefinition=register(emulator, family="other")[0],
        desiredCount=1,
    )


def _vpc(emulator: Emulator, tags: list[dict[str, str]]) -> str:
    tags = [*tags, {"Key": "Name", "Value": f"{STACK}-vpc"}]
    specification = [{"ResourceType": "vpc", "Tags": tags}]
    return emulator.client("ec2").create_vpc(
        CidrBlock="10.9.0.0/16", TagSpecifications=specification
    )["Vpc"]["VpcId"]


def _auto_scaling_group(emulator: Emulator) -> None:
    emulator.client("ec2").create_launch_template(
        LaunchTemplateName="some", LaunchTemplateData={"InstanceType": "t3.micro"}
    )
    emulator.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=INSTANCES,
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=[f"{REGION}a"],
        LaunchTemplate={"LaunchTemplateName": "some"},
    )


def _role(name: str) -> Callable[[Emulator], Any]:
    return _call("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=TRUST)


def _log_group(name: str) -> Callable[[Emulator], Any]:
    return _call("logs", "create_log_group", logGroupName=name)


def _stack(
    part: str, tags: list[dict[str, str]] | None = None, **options: Any
) -> Callable[[Emulator], Any]:
    return lambda emulator: create_stack(emulator, part, tags or [], **options)


def _gateway(operation: str, tags: dict[str, str] | None = None) -> Callable[[Emulator], Any]:
    """Makes something in API Gateway that has the name of our API."""
    return _call("apigateway", operation, name=API, tags=tags or {})


def _log_role(emulator: Emulator) -> None:
    """A role with the name of ours, which the account's logs are written with."""
    _role(LOG_ROLE)(emulator)
    set_log_role(emulator, LOG_ROLE)


def _mapping(emulator: Emulator) -> None:
    """What would call the worker, if there were one: it stays when a function goes."""
    sqs, lambda_ = emulator.client("sqs"), emulator.client("lambda")
    url = sqs.create_queue(QueueName="foreign")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    _function(FLEET)(emulator)
    lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName=FLEET)
    lambda_.delete_function(FunctionName=FLEET)


def _fifo_queue(name: str) -> Callable[[Emulator], Any]:
    return _call("sqs", "create_queue", QueueName=name, Attributes={"FifoQueue": "true"})


FLEET = f"{FUNCTION}-fleet"
SENDERS = f"{FLEET}-sender-{REGION}"
API = f"{FUNCTION}-api"
LOG_ROLE = f"{API}-logs-{REGION}"
STATUS_ROLE = f"{API}-status-{REGION}"
RECONCILER = f"{FUNCTION}-completer"
INSTANCES = f"{STACK}-ecs-instances"
INSTANCE_ROLE = f"{STACK}-ecs-{REGION}-instance"
FOREIGN = {
    "revision": Foreign(
        lambda emulator: register(emulator, 2),
        "revisions 1, 2 of task definition",
        "TASK_DEFINITION_NAME",
    ),
    "revision of another stack": Foreign(
        lambda emulator: register(
            emulator, tags=[{"key": "ecs-updater", "value": "another-stack"}]
        ),
        "revision 1 of task definition",
        "TASK_DEFINITION_NAME",
    ),
    "stack": Foreign(
        # With what is in it: neither of the two is a complaint of its own.
        _stack("lambda", TemplateBody=FUNCTION_TEMPLATE),
        f"stack {STACK}-lambda",
    ),
    "stack with instances": Foreign(
        _stack(
            "ecs",
            **template(
                "02-ecs.yml",
                SubnetIds="subnet-00000001",
                TaskSecurityGroupId="sg-00000001",
                LaunchType="EC2",
                InstanceImage="ami-0123456789abcdef0",
            ),
        ),
        f"stack {STACK}-ecs",
    ),
    "stack of another stack name": Foreign(
        _stack("vpc", OF_ANOTHER_STACK, **template("01-vpc.yml")),
        f"stack {STACK}-vpc",
    ),
    "stack of the ledger": Foreign(
        _stack("ledger", OF_ANOTHER_STACK, TemplateBody=LEDGER_TEMPLATE),
        f"stack {STACK}-ledger",
    ),
    "table": Foreign(_table([]), f"table {FUNCTION}-ledger", "LAMBDA_FUNCTION_NAME"),
    "table of another stack": Foreign(
        _table(OF_ANOTHER_STACK), f"table {FUNCTION}-ledger", "LAMBDA_FUNCTION_NAME"
    ),
    "rule of deployments": Foreign(
        _rule(f"{RECONCILER}-deployments"), f"rule {RECONCILER}-deployments", "LAMBDA_FUNCTION_NAME"
    ),
    "rule of the schedule": Foreign(
        _rule(f"{RECONCILER}-poll"), f"rule {RECONCILER}-poll", "LAMBDA_FUNCTION_NAME"
    ),
    "completer": Foreign(_function(RECONCILER), f"function {RECONCILER}", "LAMBDA_FUNCTION_NAME"),
    "role of the completer": Foreign(
        _role(f"{RECONCILER}-{REGION}"), f"role {RECONCILER}-{REGION}", "LAMBDA_FUNCTION_NAME"
    ),
    "log group of the completer": Foreign(
        _log_group(f"/aws/lambda/{RECONCILER}"),
        f"log group /aws/lambda/{RECONCILER}",
        "LAMBDA_FUNCTION_NAME",
    ),
    "stack of the API": Foreign(_stack("api", TemplateBody=API_TEMPLATE), f"stack {STACK}-api"),
    "REST API": Foreign(_gateway("create_rest_api"), f"REST API {API} (", "LAMBDA_FUNCTION_NAME"),
    "REST API of another stack": Foreign(
        _gateway("create_rest_api", {"ecs-updater": "another-stack"}),
        f"REST API {API} (",
        "LAMBDA_FUNCTION_NAME",
    ),
    "usage plan": Foreign(
        _gateway("create_usage_plan"), f"usage plan {API} (", "LAMBDA_FUNCTION_NAME"
    ),
    "API key": Foreign(_gateway("create_api_key"), f"API key {API} (", "LAMBDA_FUNCTION_NAME"),
    "function of the API that updates": Foreign(
        _function(f"{API}-update"), f"function {API}-update", "LAMBDA_FUNCTION_NAME"
    ),
    "function of the API that reads": Foreign(
        _function(f"{API}-status"), f"function {API}-status", "LAMBDA_FUNCTION_NAME"
    ),
    "role of the API": Foreign(_role(STATUS_ROLE), f"role {STATUS_ROLE}", "LAMBDA_FUNCTION_NAME"),
    "role of the account's logs": Foreign(_log_role, f"role {LOG_ROLE}", "LAMBDA_FUNCTION_NAME"),
    "log group of the API": Foreign(
        _log_group(f"/aws/lambda/{API}-status"),
        f"log group /aws/lambda/{API}-status",
        "LAMBDA_FUNCTION_NAME",
    ),
    "log group of the calls": Foreign(
        _log_group(f"/aws/apigateway/{API}"),
        f"log group /aws/apigateway/{API}",
        "LAMBDA_FUNCTION_NAME",
    ),
    "stack of the fleet": Foreign(
        _stack("fleet", OF_ANOTHER_STACK, TemplateBody=FLEET_TEMPLATE), f"stack {STACK}-fleet"
    ),
    "what calls the worker": Foreign(_mapping, "mapping ", "LAMBDA_FUNCTION_NAME"),
    "worker": Foreign(_function(FLEET), f"function {FLEET}", "LAMBDA_FUNCTION_NAME"),
    "queue of the fleet": Foreign(
        _fifo_queue(f"{FLEET}.fifo"), f"queue {FLEET}.fifo", "LAMBDA_FUNCTION_NAME"
    ),
    "dead letters of the fleet": Foreign(
        _fifo_queue(f"{FLEET}-dead-letters.fifo"),
        f"queue {FLEET}-dead-letters.fifo",
        "LAMBDA_FUNCTION_NAME",
    ),
    "alarm": Foreign(
        _call(
            *("cloudwatch", "put_metric_alarm"),
            AlarmName=f"{FUNCTION}-failed-updates",
            Namespace="AWS/SQS",
            MetricName="Any",
            Statistic="Maximum",
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
            Period=60,
            EvaluationPeriods=1,
        ),
        f"alarm {FUNCTION}-failed-updates",
        "LAMBDA_FUNCTION_NAME",
    ),
    "policy of the senders": Foreign(
        _call("iam", "create_policy", PolicyName=SENDERS, PolicyDocument=DENIAL),
        f"policy {SENDERS}",
        "LAMBDA_FUNCTION_NAME",
    ),
    "function": Foreign(_function(FUNCTION), f"function {FUNCTION}", "LAMBDA_FUNCTION_NAME"),
    "role of the function": Foreign(
        _role(f"{FUNCTION}-{REGION}"), f"role {FUNCTION}-{REGION}", "LAMBDA_FUNCTION_NAME"
    ),
    "role of the tasks": Foreign(
        _role(f"{STACK}-ecs-{REGION}-execution"), f"role {STACK}-ecs-{REGION}-execution"
    ),
    "role of the instances": Foreign(_role(INSTANCE_ROLE), f"role {INSTANCE_ROLE}"),
    "instance profile": Foreign(
        _call("iam", "create_instance_profile", InstanceProfileName=INSTANCE_ROLE),
        f"instance profile {INSTANCE_ROLE}",
    ),
    "queue": Foreign(
        _call("sqs", "create_queue", QueueName=f"{FUNCTION}-dead-letters"),
        f"queue {FUNCTION}-dead-letters",
        "LAMBDA_FUNCTION_NAME",
    ),
    "log group of the function": Foreign(
        _log_group(f"/aws/lambda/{FUNCTION}"),
        f"log group /aws/lambda/{FUNCTION}",
        "LAMBDA_FUNCTION_NAME",
    ),
    "log group of the tasks": Foreign(
        _log_group(f"/ecs/{STACK}-ecs"), f"log group /ecs/{STACK}-ecs"
    ),
    "cluster": Foreign(
        _call("ecs", "create_cluster", clusterName=CLUSTER),
        f"cluster {CLUSTER}",
        "CLUSTER_NAME",
    ),
    "Auto Scaling group": Foreign(_auto_scaling_group, f"Auto Scaling group {INSTANCES}"),
    "launch template": Foreign(
        _call(
            *("ec2", "create_launch_template"),
            LaunchTemplateName=INSTANCES,
            LaunchTemplateData={"InstanceType": "t3.micro"},
        ),
        f"launch template {INSTANCES}",
    ),
    "load balancer": Foreign(
        _call("elbv2", "create_load_balancer", Name=f"{STACK}-alb", Subnets=["subnet-00000001"]),
        f"load balancer {STACK}-alb",
    ),
    "target group": Foreign(
        _call("elbv2", "create_target_group", Name=f"{STACK}-alb-b", Protocol="HTTP", Port=80),
        f"target group {STACK}-alb-b",
    ),
    "role of the load balancer": Foreign(
        _role(f"{STACK}-alb-{REGION}"), f"role {STACK}-alb-{REGION}"
    ),
    "VPC": Foreign(lambda emulator: _vpc(emulator, []), f"VPC {STACK} (vpc-"),
    "bucket": Foreign(lambda emulator: make_bucket(emulator.client("s3"), []), f"bucket {BUCKET}"),
    "bucket of another stack": Foreign(
        lambda emulator: make_bucket(emulator.client("s3"), OF_ANOTHER_STACK), f"bucket {BUCKET}"
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_was_not_made_here_is_kept_and_named_and_everything_else_goes(name, emulator):
    foreign = FOREIGN[name]
    foreign.make(emulator)
    before = emulator.inventory()
    ours = "revision" if "bucket" in name else "bucket"
    if ours == "bucket":
        make_bucket(emulator.client("s3"), OURS)
    else:
        register(emulator, tags=OURS_IN_LOWER_CASE)

    result = tear_down(emulator)

    assert result.status == 1 and [ours in what for what in removed(result)] == [True]
    (complaint,) = complaints(result)
    assert complaint.startswith(f"kept: {foreign.complaint}") and complaint.endswith(
        f"or use another {foreign.setting}"
    )
    assert f"no tag ecs-updater={STACK}, so it belongs to another deployment" in complaint
    assert emulator.inventory() == before


def test_a_name_that_only_begins_like_one_of_ours_is_passed_over(emulator):
    emulator.client("logs").create_log_group(logGroupName=f"/aws/lambda/{FUNCTION}-of-others")
    register(emulator, family=f"{FAMILY}-of-others")
    _rule(f"{RECONCILER}-poll-of-others")(emulator)
    for make in ("create_rest_api", "create_usage_plan", "create_api_key"):
        getattr(emulator.client("apigateway"), make)(name=f"{API}-of-others")
    set_log_role(emulator, f"{LOG_ROLE}-of-others")
    before = emulator.inventory()

    assert tear_down(emulator) == Result(0, "")
    assert emulator.inventory() == before


def test_of_two_apis_with_one_name_the_other_ones_stays(emulator):
    foreign = _gateway("create_rest_api")(emulator)["id"]
    before = emulator.inventory()
    ours = _gateway("create_rest_api", {"ecs-updater": STACK})(emulator)["id"]

    result = tear_down(emulator)

    assert (result.status, removed(result)) == (1, [f"REST API {API} ({ours})"])
    assert f"kept: REST API {API} ({foreign}) has no tag" in complaints(result)[0]
    assert emulator.inventory() == before


def test_a_service_in_a_cluster_that_was_not_made_here_keeps_running(emulator):
    _service(emulator)
    before = emulator.inventory()

    result = tear_down(emulator, "workload")

    assert result.status == 1 and not removed(result)
    (complaint,) = complaints(result)
    assert complaint.startswith(
        f"kept: service {SERVICE} is in cluster {CLUSTER}, which has no tag ecs-updater={STACK}"
    )
    assert emulator.inventory() == before


def test_a_cluster_whose_tag_was_taken_away_is_still_ours_when_its_stack_is(emulator):
    before = emulator.inventory()
    deploy(emulator)
    ecs = emulator.client("ecs")
    arn = ecs.describe_clusters(clusters=[CLUSTER])["clusters"][0]["clusterArn"]
    ecs.untag_resource(resourceArn=arn, tagKeys=["ecs-updater"])

    result = tear_down(emulator)

    assert result.status == 0 and f"service {SERVICE}" in removed(result)
    assert emulator.inventory() == before


def test_a_vpc_in_which_others_have_put_something_stays_with_that(emulator):
    ec2 = emulator.client("ec2")
    vpc = _vpc(emulator, OURS)
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")
    before = emulator.inventory()
    specification = [{"ResourceType": "subnet", "Tags": OURS}]
    ours = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", TagSpecifications=specification)[
        "Subnet"
    ]["SubnetId"]

    result = tear_down(emulator)

    assert result.status == 1 and removed(result) == [f"subnet {STACK} ({ours})"]
    (complaint,) = complaints(result)
    assert (
        complaint.startswith("kept: subnet subnet-")
        and f"which keeps VPC {vpc} in use" in complaint
    )
    assert emulator.inventory() == before


def test_a_stack_that_cannot_be_deleted_is_named_with_the_resource_and_the_reason(emulator):
    deploy(emulator)
    ec2 = emulator.client("ec2")
    name = [{"Name": "tag:Name", "Values": [f"{STACK}-vpc"]}]
    vpc = ec2.describe_vpcs(Filters=name)["Vpcs"][0]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.9.0/24")["Subnet"]["SubnetId"]

    result = tear_down(emulator)

    assert result.status == 1 and removed(result)[-1] == f"bucket {BUCKET}"
    (complaint,) = complaints(result)
    assert complaint.startswith(
        f"stack {STACK}-vpc could not be removed, run make clean again: it is DELETE_FAILED. Vpc: "
    )
    assert "DependencyViolation" in complaint
    ec2.delete_subnet(SubnetId=subnet)
    assert removed(tear_down(emulator)) == [f"stack {STACK}-vpc"]
