"""The policies of the function and of the deployer, against the calls that they are for and what
AWS can bound.

Here is what an emulator that enforces IAM does not ask about: the resource of each action, the
roles that are passed, the tags of what is made, logs and dead letters. With one,
testing/e2e/test_permissions_enforced.py runs the function and the pipelines.
"""

import json
import re

import botocore.session
import pytest

from ecs_updater.aws.ecs import _CONFIG, Ecs
from ecs_updater.deployments.deploy import deploy
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import FAMILY_ARN
from support.cloudformation import TEMPLATES, Stack, allows
from support.deployer import (
    ACCOUNT,
    REGION,
    handled,
    needs,
    policies,
    policy,
    printed,
    resource_types,
)
from support.make import TOOLS
from support.permissions import actions, expanded, idle, listed
from support.recorder import Call

LIMIT = 6144  # Characters of a managed policy without white space.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
TASK_ROLE, EXECUTION_ROLE = f"{ROLES}task", f"{ROLES}execution"
TARGET_ROLE = "arn:aws:iam::222222222222:role/ecs-updater-target-update"
INFRASTRUCTURE_ROLE = f"{ROLES}infrastructure"
"""Of Express services."""
EVENT = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "busybox:1.36",
    "ecs_tag": {"new": "value"},
}
# The narrowest resource in AWS's reference for each action of the function and of the API's:
# https://docs.aws.amazon.com/service-authorization/latest/
# reference/list_amazonelasticcontainerservice.html, list_awsidentityandaccessmanagementiam.html and
# so on.
NARROWEST = {
    "ecs:DescribeServices": {"service"},
    "ecs:UpdateService": {"service"},
    "ecs:TagResource": {"service", "task-definition"},
    "ecs:UntagResource": {"service"},
    "ecs:DescribeTaskDefinition": {"*"},
    "ecs:RegisterTaskDefinition": {"task-definition"},
    "ecs:ListServiceDeployments": {"service"},
    "ecs:DescribeServiceRevisions": {"service", "service-revision"},
    "ecs:DescribeServiceDeployments": {"service", "service-deployment"},
    "ecs:StopServiceDeployment": {"service", "service-deployment"},
    "ecs:DescribeTasks": {"task"},
    "ecs:DescribeExpressGatewayService": {"service"},
    "ecs:UpdateExpressGatewayService": {"service"},
    "ecs:ListClusters": {"*"},
    "ecs:ListServices": {"*"},
    "ecs:RunTask": {"task-definition"},
    "ecs:StopTask": {"task"},
    "application-autoscaling:DescribeScalableTargets": {"*"},
    # Of instances; for a service it is evaluated with only the cluster as a condition.
    "ecs:ListTasks": {"*"},
    "ecr:BatchGetImage": {"repository"},
    "ecr:GetDownloadUrlForLayer": {"repository"},
    "ecr:DescribePullThroughCacheRules": {"*"},
    "dynamodb:DeleteItem": {"table"},
    "dynamodb:GetItem": {"table"},
    "dynamodb:PutItem": {"table"},
    "dynamodb:Query": {"table"},
    "dynamodb:UpdateItem": {"table"},
    "iam:PassRole": {"role"},
    "logs:CreateLogStream": {"log-group"},
    "logs:PutLogEvents": {"log-group"},
    "logs:GetLogEvents": {"log-group"},
    "sqs:SendMessage": {"ecs-updater-dead-letters"},
    "ssm:GetParameter": {"parameter"},
    "sts:AssumeRole": {"role"},
}
# What a wait, a check of the image and the ledger ask for besides, by the calls in the code.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html asks
# for what is in the transaction.
_OF_THE_CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:%s/ECSCluster"
BESIDE_THE_UPDATE = {
    ("ecs:ListServiceDeployments", _OF_THE_CLUSTER % "service" + "/ecs-dummy-service"): {},
    (
        "ecs:DescribeServiceRevisions",
        _OF_THE_CLUSTER % "service-revision" + "/ecs-dummy-service/1",
    ): {},
    (
        "ecs:DescribeServiceDeployments",
        _OF_THE_CLUSTER % "service-deployment" + "/ecs-dummy-service/a",
    ): {},
    (
        "ecs:StopServiceDeployment",
        _OF_THE_CLUSTER % "service-deployment" + "/ecs-dummy-service/a",
    ): {},
    **{
        (f"ecs:{verb}ExpressGatewayService", _OF_THE_CLUSTER % "service" + "/express"): {}
        for verb in ("Describe", "Update")
    },
    ("iam:PassRole", INFRASTRUCTURE_ROLE): {"iam:PassedToService": "ecs.amazonaws.com"},
    ("ecs:DescribeTasks", _OF_THE_CLUSTER % "task" + "/0123"): {},
    ("ecs:ListTasks", "*"): {"ecs:cluster": _OF_THE_CLUSTER % "cluster"},
    ("ecs:RunTask", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/ecs-dummy-task:2"): {
        "ecs:cluster": _OF_THE_CLUSTER % "cluster"
    },
    ("ecs:StopTask", _OF_THE_CLUSTER % "task" + "/0123"): {
        "ecs:cluster": _OF_THE_CLUSTER % "cluster"
    },
    ("logs:GetLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ecs/web:log-stream:a"): {},
    ("application-autoscaling:DescribeScalableTargets", "*"): {},
    ("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:444455556666:repository/team/app"): {},
    ("ecr:GetDownloadUrlForLayer", "arn:aws:ecr:us-east-1:444455556666:repository/team/app"): {},
    ("ecr:DescribePullThroughCacheRules", "*"): {},
    ("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/ecs-updater/targets"): {},
    ("sts:AssumeRole", TARGET_ROLE): {},
    **{
        (
            f"dynamodb:{operation}",
            f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ecs-updater-ledger",
        ): {}
        for operation in ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
    },
}
# Lambda makes these calls with the function's role; no line of the code does.
BY_LAMBDA = {
    (
        "WriteLogs",
        "logs:CreateLogStream",
    ): f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/ecs-updater:log-stream:2026/1",
    (
        "WriteLogs",
        "logs:PutLogEvents",
    ): f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/ecs-updater:log-stream:2026/1",
    (
        "SendDeadLetters",
        "sqs:SendMessage",
    ): f"arn:aws:sqs:{REGION}:{ACCOUNT}:ecs-updater-dead-letters",
}
# Actions without a resource type in AWS's reference, so that * is all that can be said.
ONLY_STAR = {
    "autoscaling:Describe*",
    "autoscaling:DescribeAutoScalingGroups",
    "dynamodb:ListTables",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    # Of a cluster, and not of an instance in it: then * is what AWS asks about, with the cluster as
    # a condition.
    "ecs:ListTasks",
    "lambda:CreateEventSourceMapping",  # A condition says whose.
    "lambda:ListEventSourceMappings",
    "logs:DescribeLogGroups",  # Of any name: it is asked for those that begin with a text.
    "logs:DescribeResourcePolicies",
}
# What CloudFormation's handlers can do and have no reason to here, by the reason.
UNUSED = {
    "a customer key needs only what the policy `hardening` has": "kms:.*",
    "the web ACL is of this account, and inspects only the requests to the API": (
        "wafv2:(Get|Put)PermissionPolicy|"
        "(amplify|apprunner|appsync|cognito-idp|ec2|elasticloadbalancing|bedrock-agentcore):.*WebA(CL|cl).*"
    ),
    "the function is in no VPC and has no file system": "elasticfilesystem:.*|s3files:.*",
    "the network has only IPv4, one tenancy, and no encryption control": (
        "ec2:((Dis)?[Aa]ssociateSubnetCidrBlock|ModifyVpcTenancy|CreateVpcEncryptionControl)"
    ),
    "there is no VPN": "ec2:(Attach|Detach)VpnGateway",
    "the load balancer has fixed subnets, no reserved capacity, no address pool and no login": (
        "elasticloadbalancing:(ModifyCapacityReservation|ModifyIpPools|Set(IpAddressType|RulePriorities|Subnets))|"
        "ec2:DescribeIpamPools|cognito-idp:DescribeUserPoolClient"
    ),
    "ECS registers the targets": "elasticloadbalancing:(Der|R)egisterTargets",
    "no setting of the pipelines changes a rule, a route, a cluster or a role but for its policy": (
        "ec2:(ReplaceRoute|UpdateSecurityGroupRuleDescriptions(E|In)gress)|ecs:UpdateCluster(Settings)?|"
        "iam:(UpdateAssumeRolePolicy|UpdateRole|UpdateRoleDescription)"
    ),
    "the roles have policies of their own, and who may send is for others to say": (
        "iam:Attach(Group|Role|User)Policy"
    ),
    "there is no capacity provider": "ecs:PutClusterCapacityProviders|lambda:PassCapacityProvider",
    "settings of the account are not changed": "ecs:PutAccountSetting(Default)?",
    (
        "the function has no layer, version, signed code, pinned runtime, "
        "scaling or recursion setting"
    ): (
        "lambda:(AssociateRuntimeAlias|DeleteFunctionCodeSigningConfig|GetCodeSigningConfig|GetLayerVersion|PublishVersion|"
        "PutFunctionCodeSigningConfig|PutFunctionRecursionConfig|PutFunctionScalingConfig|PutRuntimeManagementConfig)"
    ),
    "the bucket has no versions": "s3:GetObjectVersion",
    (
        "the table has no import, copy, stream, insights or policy of its own, and nothing in it "
        "is deleted or written but a batch"
    ): (
        "dynamodb:((Describe)?Import(Table)?|(Create|Associate)TableReplica|(En|Dis)ableKinesisStreamingDestination|"
        "UpdateKinesisStreamingDestination|UpdateContributorInsights|(Put|Delete)ResourcePolicy|Scan|BatchWriteItem|"
        "DeleteItem)|kinesis:.*|s3:GetObjectMetadata|logs:(CreateLogStream|DescribeLogStreams|PutLogEvents)"
    ),
    "the worker's policy is of a role": "iam:(Delete|Get|Put)(Group|User)Policy",
    "the log groups have a retention and nothing else": (
        "logs:(CreateLogDelivery|DeleteDataProtectionPolicy|DeleteIndexPolicy|DeleteResourcePolicy|DeleteRetentionPolicy|"
        "PutBearerTokenAuthentication|PutDataProtectionPolicy|PutIndexPolicy|PutLogGroupDeletionProtection|PutResourcePolicy)|"
        "firehose:TagDeliveryStream|s3:REST.PUT.OBJECT"
    ),
}


@pytest.fixture(scope="module", name="function_policy")
def _function_policy():
    """The statements of the function's role, for one cluster, one family and the roles of its
    tasks.
    """
    parameters = {
        "ClusterName": "ECSCluster",
        "TaskDefinitionFamily": "ecs-dummy-task",
        "PassableRoleArns": f"{TASK_ROLE},{EXECUTION_ROLE},{INFRASTRUCTURE_ROLE}",
        "VerifyImage": "require",
        "LedgerTableName": "ecs-updater-ledger",
        "RunTasks": "true",
        "TaskLogGroupName": "/ecs/web",
        "ReadScalableTargets": "true",
        "TargetsParameterName": "/ecs-updater/targets",
        "TargetRoleArns": TARGET_ROLE,
        "ExpressServices": "true",
    }
    return Stack(TEMPLATES["03-lambda.yml"], parameters).statements


@pytest.fixture(scope="module", name="requested")
def _requested():
    """What AWS asks about for an update of image and tags, of a service whose tasks have roles and
    whose revisions have tags.

    The update's own calls are recorded; the others, for which the service would have to roll out,
    are named above.
    """
    fake = SimulatedEcs(taskRoleArn=TASK_ROLE, executionRoleArn=EXECUTION_ROLE)
    fake.world.revision_tags[f"{FAMILY_ARN}:1"] = [{"key": "team", "value": "a"}]
    deploy(EVENT, {}, Ecs(fake.client(_CONFIG)))
    bodies = [
        json.loads(json.dumps(request.body).replace("123456789012", ACCOUNT))
        for request in fake.requests
    ]
    calls = [
        Call("", "ecs", request.operation, body, 200, "")
        for request, body in zip(fake.requests, bodies, strict=True)
    ]
    return {
        (need.action, need.resource): need.context for _, need in needs(calls)
    } | BESIDE_THE_UPDATE


# The function


def test_the_function_may_do_everything_that_an_update_asks_for(function_policy, requested):
    assert {"iam:PassRole", "ecs:TagResource"} < {action for action, _ in requested}
    assert not [
        call for call, context in requested.items() if not allows(function_policy, *call, context)
    ]


def test_nothing_in_the_role_of_the_function_is_idle(function_policy, requested):
    by_lambda = [(action, resource) for (_, action), resource in BY_LAMBDA.items()]
    by_update = [(*call, context) for call, context in requested.items()]
    assert not idle(function_policy, [*by_lambda, *by_update])


def test_lambda_may_write_the_logs_of_the_function_and_send_its_dead_letters_and_no_others(
    function_policy,
):
    for (sid, action), resource in BY_LAMBDA.items():
        statements = [statement for statement in function_policy if statement["Sid"] == sid]
        assert allows(statements, action, resource)
        assert not allows(
            function_policy, action, resource.replace("ecs-updater", "ecs-updater-two")
        )


def test_every_action_of_a_function_is_on_the_narrowest_resource_of_the_reference(function_policy):
    statements = [*function_policy, *Stack(TEMPLATES["04-api.yml"]).statements]
    assert set(actions(statements)) == set(NARROWEST)
    for statement in statements:
        for resource in listed(statement["Resource"]):
            kind = resource if resource == "*" else re.split("[:/]", resource.split(":", 5)[5])[0]
            assert all(kind in NARROWEST[action] for action in listed(statement["Action"])), (
                statement["Sid"]
            )


def test_the_reference_is_the_data_in_cfn_lint():
    folders = sorted(TOOLS.glob("*/lib/python*/site-packages/cfnlint/data/AdditionalSpecs"))
    if not folders:
        pytest.skip("the data is not here: make lint installs cfn-lint, which has it")
    known = json.loads((folders[0] / "Policies.json").read_text("utf-8"))
    for action, kinds in NARROWEST.items():
        service, name = action.split(":")
        listed_there = set(known[service]["Actions"][name.lower()].get("Resources") or ["*"])
        if service in ("ecs", "ecr", "dynamodb", "iam", "ssm") and action != "ecs:ListTasks":
            assert kinds <= listed_there, action
            # Which of several it asks about, the data does not say.
            assert kinds == listed_there or action in (
                "ecs:TagResource",
                "ecs:UntagResource",
                "dynamodb:Query",
            ), action


@pytest.mark.parametrize(
    ("what", "other"),
    [
        (ACCOUNT, "444455556666"),
        (REGION, "us-east-1"),
        ("/ECSCluster/", "/Other/"),
        ("ecs-dummy-task:", "other-task:"),
    ],
    ids=["account", "region", "cluster", "family"],
)
def test_the_function_may_change_nothing_of_another(function_policy, requested, what, other):
    changed = {
        (action, resource.replace(what, other)): context
        for (action, resource), context in requested.items()
        if what in resource
        and action
        not in ("ecs:DescribeServices", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    }
    assert changed
    assert not [
        call for call, context in changed.items() if allows(function_policy, *call, context)
    ]


def test_roles_are_passed_only_to_ecs_and_revisions_tagged_when_they_are_made(
    function_policy, requested
):
    conditional = {
        call: context
        for call, context in requested.items()
        if call[0] == "iam:PassRole" or (call[0] == "ecs:TagResource" and context)
    }
    assert [action for action, _ in conditional] == [
        "ecs:TagResource",
        "iam:PassRole",
        "iam:PassRole",
        "iam:PassRole",
    ]
    for call in conditional:
        assert not allows(function_policy, *call, {})
        assert not allows(
            function_policy,
            *call,
            {"iam:PassedToService": "ec2.amazonaws.com", "ecs:CreateAction": "RunTask"},
        )


# The deployer


@pytest.mark.parametrize(
    "part",
    [
        "",
        "network",
        "ledger",
        "api",
        "fleet",
        "push",
        "codepipeline",
        "operations",
        "target",
        "strategy",
        "instances",
        "fields",
        "express",
        "hardening",
        "notify",
    ],
)
@pytest.mark.parametrize("region", [REGION, "ap-southeast-1", "us-gov-west-1", "cn-northwest-1"])
def test_a_policy_of_the_deployers_is_one_that_iam_takes(part, region):
    text = printed(part, AWS_DEFAULT_REGION=region).stdout
    assert "${" not in text
    assert len(re.sub(r"\s", "", text)) <= LIMIT
    sids = [statement["Sid"] for statement in json.loads(text)["Statement"]]
    assert len(sids) == len(set(sids)) and all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)


@pytest.mark.parametrize(
    "part",
    [
        "",
        "network",
        "ledger",
        "api",
        "fleet",
        "push",
        "codepipeline",
        "operations",
        "target",
        "strategy",
        "instances",
        "direct",
        "fields",
        "express",
        "hardening",
        "notify",
    ],
)
def test_the_deployers_policies_know_the_partition_of_every_region(part):
    """The first and the last region of the commercial partition, and every region of the others."""
    session = botocore.session.get_session()
    beginnings: dict[str, set[str]] = {}
    for partition in session.get_component("data_loader").load_data("endpoints")["partitions"]:
        for region in partition["regions"]:
            beginnings.setdefault(partition["partition"], set()).add(region)
    assert {"aws", "aws-cn", "aws-us-gov", "aws-eusc"} < beginnings.keys()
    for partition, regions in beginnings.items():
        regions = {min(regions), max(regions)} | {
            region for region in regions if partition != "aws"
        }
        for region in regions:
            text = printed(
                part, AWS_DEFAULT_REGION=region, STACK_NAME="s", LAMBDA_FUNCTION_NAME="f"
            ).stdout
            assert set(re.findall(r"arn:([\w-]+):", text)) == {partition}, region


def test_a_star_is_for_actions_that_know_no_resource_and_no_action_has_one():
    for statement in policies() + policy("instances"):
        assert not [
            action
            for action in listed(statement["Action"])
            if "*" in action.removesuffix(":Describe*")
        ], statement["Sid"]
        if "*" in listed(statement["Resource"]):
            known = {
                action
                for action in listed(statement["Action"])
                if not action.startswith(("ec2:Describe", "elasticloadbalancing:Describe"))
            } - ONLY_STAR
            assert not known, statement["Sid"]


INSTANCE_ROLE = "ecs-updater-ecs-eu-west-1-instance"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("other-role", "instances"),
        ("ecs-updater-eu-west-1-other", "instances"),
        (f"{INSTANCE_ROLE}-other", "instances"),
        (INSTANCE_ROLE, "network"),
    ],
)
def test_the_deployer_writes_and_passes_only_the_roles_of_this_project(name, part):
    statements = list(expanded(policies() + policy(part)))
    writes = [each for each in actions(statements) if re.match("iam:(?!Get|List)", each)]
    for action in writes:
        for service in ("lambda", "ecs-tasks", "ecs", "ec2"):
            to = f"{service}.amazonaws.com"
            context = {"iam:PassedToService": to, "iam:AWSServiceName": to}
            assert not allows(statements, action, f"{ROLES}{name}", context), action


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("ecs-updater-eu-west-1", "lambda"),
        ("ecs-updater-completer-eu-west-1", "lambda"),
        ("ecs-updater-push-eu-west-1", "lambda"),
        ("ecs-updater-api-status-eu-west-1", "lambda"),
        ("ecs-updater-api-jwt-eu-west-1", "lambda"),
        ("ecs-updater-api-logs-eu-west-1", "apigateway"),
        (INSTANCE_ROLE, "ec2"),
        ("ecs-updater-alb-eu-west-1", "ecs"),
    ],
)
def test_the_deployer_passes_a_role_only_to_its_service(name, service):
    statements = list(expanded(policies() + policy("instances")))
    role = f"{ROLES}{name}"
    assert allows(statements, "iam:PutRolePolicy", role)
    for other in ("lambda", "apigateway", "ec2", "ecs-tasks", "ecs"):
        context = {"iam:PassedToService": f"{other}.amazonaws.com"}
        assert allows(statements, "iam:PassRole", role, context) == (other == service)
    assert not allows(statements, "iam:PassRole", role, {})


@pytest.mark.parametrize(
    "kind",
    ["internet-gateway", "route-table", "security-group", "security-group-rule", "subnet", "vpc"],
)
def test_the_deployer_changes_no_network_without_the_tag_and_cannot_add_the_tag(kind):
    statements = list(expanded(policies()))
    resource = f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/other-0123"
    parts = {
        "ec2:CreateInternetGateway",
        "ec2:CreateRouteTable",
        "ec2:CreateSecurityGroup",
        "ec2:CreateSubnet",
    }
    makes = {
        "vpc": {"ec2:CreateVpc"},
        "security-group-rule": {
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
        },
    }.get(kind, parts)
    changes = [
        action
        for action in actions(policies("network", "strategy"))
        if re.match("ec2:(?!Describe)", action)
    ]
    assert {"ec2:CreateTags", "ec2:DeleteVpc"} < set(changes)
    for action in changes:
        for context in (
            {},
            {"aws:ResourceTag/ecs-updater": "another"},
            {"ec2:CreateAction": "RunInstances"},
        ):
            assert allows(statements, action, resource, context) == (action in makes), (
                action,
                context,
            )
    assert allows(
        statements, "ec2:DeleteTags", resource, {"aws:ResourceTag/ecs-updater": "ecs-updater"}
    )
    assert allows(statements, "ec2:CreateTags", resource, {"ec2:CreateAction": "CreateVpc"})


@pytest.mark.parametrize("resource_type", sorted(resource_types()))
def test_the_deployer_may_do_what_the_handlers_of_cloudformation_do(resource_type):
    found = handled([resource_type])
    if not found:
        pytest.skip(
            "CloudFormation's schemas are not here: make lint installs cfn-lint, which has them"
        )
    unused = re.compile("|".join(UNUSED.values()))
    missing = found[resource_type] - set(
        actions((*policies(), *policy("hardening"), *policy("notify")))
    )
    assert not {action for action in missing if not unused.fullmatch(action)}
