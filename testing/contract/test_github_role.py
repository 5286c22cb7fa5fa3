"""The role for GitHub's workflows: the jobs that may assume it, and what it permits.

testing/e2e/test_github.py compares it with the one of Terraform.
"""

import re
from typing import Any

import pytest

from support.cloudformation import TEMPLATES, Stack, load
from support.deployer import policy
from support.make import PROJECT

TEMPLATE = load(PROJECT / "examples" / "github" / "oidc-role.yml")
ROLES = "arn:aws:iam::000000000000:role/task,arn:aws:iam::000000000000:role/execution"
SENDER = "arn:aws:iam::000000000000:policy/ecs-updater-fleet-sender-eu-west-1"
DIRECT = {
    "ClusterName": "ECSCluster",
    "TaskDefinitionFamily": "web",
    "PassableRoleArns": ROLES,
    "LedgerTableName": "ecs-updater-ledger",
}


def by_sid(*policies: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The statements by their names; of several with one name the last."""
    return {statement["Sid"]: statement for policy in policies for statement in policy}


def role_stack(**parameters: str) -> Stack:
    """The stack of the role for a repository."""
    return Stack(TEMPLATE, {"Repository": "octocat/shop", **parameters})


def test_only_the_jobs_of_one_environment_of_the_repository_may_assume_the_role():
    (role,) = role_stack(SenderPolicyArn=SENDER).of_type("AWS::IAM::Role")
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:octocat/shop:environment:production",
        }
    }


@pytest.mark.parametrize(
    ("parameter", "value", "is_valid"),
    [
        ("Repository", "octocat@123456/my-repo@456789", True),
        ("Repository", "octocat/*", False),
        ("Repository", "octocat/shop:ref", False),
        ("Claim", "ref:refs/heads/main", True),
        ("Claim", "environment:*", False),
        ("Claim", "pull_request", False),
    ],
)
def test_a_subject_has_no_pattern(parameter, value, is_valid):
    pattern = TEMPLATE["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.search(pattern, value)) == is_valid


def test_through_the_queue_the_role_has_only_the_policy_for_senders():
    (role,) = role_stack(SenderPolicyArn=SENDER).of_type("AWS::IAM::Role")
    assert role["ManagedPolicyArns"] == [SENDER] and "Policies" not in role


def test_direct_updates_may_do_what_the_function_and_the_reconciler_may():
    names = ("03-lambda.yml", "02-ledger.yml")
    expected = by_sid(*(Stack(TEMPLATES[name], DIRECT).statements for name in names))
    for of_lambda in ("WriteLogs", "SendDeadLetters", "SendEvents"):
        del expected[of_lambda]
    expected["UseLedger"]["Action"].append("dynamodb:DescribeTable")
    found = by_sid(role_stack(**DIRECT).statements)
    found["UseLedger"]["Action"] = sorted(found["UseLedger"]["Action"])
    expected["UseLedger"]["Action"].sort()
    assert found == expected


def test_the_printed_policy_for_the_new_fields_has_the_statements_of_the_function():
    given = {"RunTasks": "true", "TaskLogGroupName": "/ecs/web", "ReadScalableTargets": "true"}
    without, expected = (
        by_sid(Stack(TEMPLATES["03-lambda.yml"], DIRECT | more).statements) for more in ({}, given)
    )
    found = policy("fields", TASK_DEFINITION_NAME="web", TASK_LOG_GROUP="/ecs/web")
    assert by_sid(found) == {sid: expected[sid] for sid in expected.keys() - without.keys()}


def test_the_printed_policy_for_express_services_has_the_statements_of_the_function():
    without, expected = (
        by_sid(Stack(TEMPLATES["03-lambda.yml"], DIRECT | more).statements)
        for more in ({}, {"ExpressServices": "true"})
    )
    found = policy("express", PASSABLE_ROLE_ARNS=ROLES)
    assert by_sid(found) == {sid: expected[sid] for sid in expected.keys() - without.keys()}


def test_the_printed_policy_for_direct_updates_has_the_roles_statements():
    assert role_stack(**DIRECT).statements == list(
        policy("direct", TASK_DEFINITION_NAME="web", PASSABLE_ROLE_ARNS=ROLES)
    )
