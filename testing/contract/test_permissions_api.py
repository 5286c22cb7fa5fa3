"""The role of the status function, against the code's calls and what AWS can bound; and what
deploying its API asks for.

testing/contract/test_permissions.py has the updater's role and the rest of the deployer's policies.
"""

import ast
import inspect

import boto3
import pytest

from ecs_updater.aws import ecs_reader
from ecs_updater.ledger.queries import RECENT
from support.cloudformation import TEMPLATES, Stack, allows
from support.deployer import ACCOUNT, REGION, policy
from support.permissions import expanded, idle

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ecs-updater-ledger"
LOG_GROUP = "/aws/lambda/ecs-updater-api-status"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOG_GROUP}:log-stream:2026/1"
# What AWS asks about for the calls that the code makes, and for those that Lambda makes with the
# function's role.
REQUESTED = {
    ("ecs:ListClusters", "*"),
    ("ecs:ListServices", "*"),
    ("ecs:DescribeTaskDefinition", "*"),
    ("ecs:DescribeServices", f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/AnyCluster/any-service"),
    ("dynamodb:GetItem", TABLE),
    ("dynamodb:Query", TABLE),
    ("dynamodb:Query", f"{TABLE}/index/{RECENT.name}"),
    ("logs:CreateLogStream", LOGS),
    ("logs:PutLogEvents", LOGS),
}


@pytest.fixture(scope="module", name="role")
def _role():
    """The statements of the role, as the scripts deploy it."""
    return Stack(TEMPLATES["04-api.yml"]).statements


def test_what_is_asked_of_ecs_here_are_the_calls_of_the_code():
    operations = boto3.client("ecs").meta.method_to_api_mapping
    nodes = list(ast.walk(ast.parse(inspect.getsource(ecs_reader))))
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    called = {
        f"ecs:{api}" for name, api in operations.items() if name in named or {name, api} & texts
    }
    assert called == {action for action, _ in REQUESTED if action.startswith("ecs:")}


def test_the_status_function_may_do_everything_that_it_asks_for(role):
    assert not [call for call in REQUESTED if not allows(role, *call)]


def test_nothing_in_its_role_is_idle(role):
    assert not idle(role, REQUESTED)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        (ACCOUNT, "444455556666"),
        (REGION, "us-east-1"),
        ("ecs-updater-ledger", "another"),
        ("-api-status", ""),
    ],
)
def test_it_may_do_nothing_with_another_account_region_ledger_or_log(role, what, other):
    changed = {
        (action, resource.replace(what, other))
        for action, resource in REQUESTED
        if what in resource
    }
    assert changed
    assert not [call for call in changed if allows(role, *call)]


def test_the_authoriser_may_only_write_its_own_logs():
    stack = Stack(TEMPLATES["04-api.yml"], {"ApiAuth": "jwt"})
    ((policy_,),) = [
        role["Policies"] for role in stack.of_type("AWS::IAM::Role") if "-jwt-" in role["RoleName"]
    ]
    statements = policy_["PolicyDocument"]["Statement"]
    logs = LOGS.replace("-api-status", "-api-jwt")
    requested = {("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)}
    assert all(allows(statements, *call) for call in requested)
    assert not idle(statements, requested)
    for other in (LOGS, logs.replace(ACCOUNT, "444455556666"), logs.replace(REGION, "us-east-1")):
        assert not allows(statements, "logs:PutLogEvents", other)


# The deployer


@pytest.mark.parametrize(
    "path", ["domainnames", "vpclinks", "clientcertificates", "domainnames/example.com"]
)
@pytest.mark.parametrize("verb", ["DELETE", "GET", "PATCH", "POST", "PUT"])
def test_of_api_gateway_the_deployer_may_nothing_but_apis_keys_plans_their_tags_and_the_setting(
    path, verb
):
    assert not allows(
        list(expanded(policy("api"))), f"apigateway:{verb}", f"arn:aws:apigateway:{REGION}::/{path}"
    )
