"""The roles of a target: who may assume them, what they allow, and what home's roles may do."""

import re
from typing import Any

import pytest

from support.cloudformation import TEMPLATES, USUAL, Stack, allows
from support.deployer import ACCOUNT, REGION, handled, policy
from support.permissions import actions
from support.table_calls import KEYS

TEMPLATE = TEMPLATES["09-target.yml"]
HOME, ID = USUAL["HomeAccount"], USUAL["ExternalId"]
EVERYTHING = {
    "PassableRoleArns": "arn:aws:iam::000000000000:role/task",
    "RunTasks": "true",
    "TaskLogGroupName": "/ecs/*",
    "ReadScalableTargets": "true",
    "ExpressServices": "true",
}
# What only an account with the function has: its table, its logs, its queue, and the targets.
ONLY_AT_HOME = {"UseLedger", "ReadLedger", "ReadRecent", "WriteLogs", "SendDeadLetters"} | {
    *("ReadTargets", "AssumeTargetRoles", "SendEvents", "PublishMessages"),
    # The repository's policy allows it to the functions.
    *("ReadImages", "ReadCacheRules"),
}
PARAMETER, ROLES = "/ecs-updater/targets", "arn:aws:iam::222222222222:role/ecs-updater-target-{}"
GIVEN = {
    "TargetsParameterName": PARAMETER,
    "TargetRoleArns": f"{ROLES.format('update-eu-west-1')},{ROLES.format('update-us-east-1')}",
    "TargetReadRoleArns": ROLES.format("read-eu-west-1"),
}


def role(template: dict[str, Any], name: str, **parameters: str) -> dict[str, Any]:
    """Returns the properties of a role."""
    properties: dict[str, Any] = Stack(template, parameters).resources[name]["Properties"]
    return properties


def statements(template: dict[str, Any], name: str, **parameters: str) -> list[dict[str, Any]]:
    """Returns what a role allows."""
    (found,) = role(template, name, **parameters)["Policies"]
    allowed: list[dict[str, Any]] = found["PolicyDocument"]["Statement"]
    return allowed


def may_assume(name: str, principal: str, external_id: str | None = ID, **given: str) -> bool:
    """Whether a role of the target trusts a principal that sends this external id."""
    trusted = role(TEMPLATE, name, **given)["AssumeRolePolicyDocument"]["Statement"]
    assert {part["Principal"]["AWS"] for part in trusted} == {f"arn:aws:iam::{HOME}:root"}
    known = [{**part, "Resource": "*"} for part in trusted]
    context = {"sts:ExternalId": external_id, "aws:PrincipalArn": principal}
    return allows(known, "sts:AssumeRole", "*", context)


def home_role(file: str, name: str) -> str:
    """Returns the ARN of a role at home."""
    found = role(TEMPLATES[file], name, **{"AWS::Region": USUAL["HomeRegion"]})["RoleName"]
    return f"arn:aws:iam::{HOME}:role/{found}"


UPDATER, RECONCILER, STATUS, PUSH = (
    home_role(*place)
    for place in (
        ("03-lambda.yml", "FunctionRole"),
        ("02-ledger.yml", "CompleterRole"),
        ("04-api.yml", "StatusRole"),
        ("07-push.yml", "PushRole"),
    )
)


@pytest.mark.parametrize(
    ("name", "trusted"), [("UpdateRole", {UPDATER, RECONCILER}), ("ReadRole", {STATUS})]
)
def test_a_role_trusts_only_its_functions_and_only_with_the_external_id(name, trusted):
    for principal in (UPDATER, RECONCILER, STATUS, PUSH, f"arn:aws:iam::{HOME}:role/other"):
        assert may_assume(name, principal) == (principal in trusted), principal
        assert not may_assume(name, principal, None)
        assert not may_assume(name, principal, f"{ID}-2")
        assert not may_assume(name, principal.replace(HOME, ACCOUNT))


@pytest.mark.parametrize(("name", "kind"), [("UpdateRole", "Update"), ("ReadRole", "Read")])
def test_further_principals_are_trusted_in_addition_and_with_the_external_id(name, kind):
    given = {f"{kind}PrincipalArns": f"arn:aws:iam::{HOME}:role/deployers/*"}
    person = f"arn:aws:iam::{HOME}:role/deployers/one"
    assert may_assume(name, person, **given) and not may_assume(name, person)
    assert not may_assume(name, person, None, **given)
    other = {"UpdateRole": "ReadRole", "ReadRole": "UpdateRole"}[name]
    assert not may_assume(other, person, **given)
    assert may_assume(name, {"UpdateRole": UPDATER, "ReadRole": STATUS}[name], **given)


@pytest.mark.parametrize(
    ("name", "file", "at_home", "given"),
    [
        ("UpdateRole", "03-lambda.yml", "FunctionRole", EVERYTHING),
        ("UpdateRole", "03-lambda.yml", "FunctionRole", {}),
        ("ReadRole", "04-api.yml", "StatusRole", {}),
    ],
)
def test_a_role_allows_what_home_allows_its_functions_there(name, file, at_home, given):
    home = statements(TEMPLATES[file], at_home, **given, **GIVEN)
    assert statements(TEMPLATE, name, **given) == [
        part for part in home if part["Sid"] not in ONLY_AT_HOME
    ]


def test_the_update_role_allows_what_the_reconciler_may_do_at_home():
    own = [part for part in EVERYTHING.items() if part[0] != "ReadScalableTargets"]
    home = statements(TEMPLATES["02-ledger.yml"], "CompleterRole", **dict(own))
    target = {part["Sid"]: part for part in statements(TEMPLATE, "UpdateRole", **EVERYTHING)}
    for part in home:
        if part["Sid"] == "ReadServices":  # The function may read every cluster.
            assert allows([target["ReadServices"]], part["Action"], part["Resource"])
        elif part["Sid"] not in ONLY_AT_HOME:
            assert target[part["Sid"]] == part


def test_with_approvals_the_update_role_answers_hooks_in_the_cluster_as_the_api_does_at_home():
    (home,) = Stack(
        TEMPLATES["04-api.yml"], {"Approvals": "on", "UpdaterClusterName": "ECSCluster"}
    ).of_type("AWS::IAM::Policy")
    on = statements(TEMPLATE, "UpdateRole", Approvals="on")
    assert [part for part in on if part not in statements(TEMPLATE, "UpdateRole")] == home[
        "PolicyDocument"
    ]["Statement"]


def test_the_template_can_be_a_stack_set():
    """It needs no bundle and exports nothing, and the names contain the region."""
    stack = Stack(TEMPLATE)
    assert {part["Type"] for part in stack.resources.values()} == {"AWS::IAM::Role"}
    assert not any("Export" in output for output in TEMPLATE["Outputs"].values())
    assert "ImportValue" not in repr(TEMPLATE)
    assert all(part["RoleName"].endswith(f"-{REGION}") for part in stack.of_type("AWS::IAM::Role"))
    for value in ("", "arn:aws:iam::000000000000:policy/boundary"):
        for name in ("UpdateRole", "ReadRole"):
            found = role(TEMPLATE, name, PermissionsBoundary=value)
            assert found.get("PermissionsBoundary", "") == value
            assert not found.get("ManagedPolicyArns")


# At home


AT_HOME = [
    ("03-lambda.yml", "FunctionRole", "TargetRoleArns"),
    ("02-ledger.yml", "CompleterRole", "TargetRoleArns"),
    ("04-api.yml", "StatusRole", "TargetReadRoleArns"),
]
PARAMETER_ARN = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{PARAMETER}"


@pytest.mark.parametrize(("file", "name", "roles"), AT_HOME)
def test_a_function_may_read_the_targets_and_assume_their_roles_and_nothing_more(file, name, roles):
    allowed = statements(TEMPLATES[file], name, **GIVEN)
    assert allows(allowed, "ssm:GetParameter", PARAMETER_ARN)
    assert not allows(allowed, "ssm:GetParameter", f"{PARAMETER_ARN}-2")
    for arn in GIVEN[roles].split(","):
        assert allows(allowed, "sts:AssumeRole", arn)
        assert not allows(allowed, "sts:AssumeRole", arn + "-2")
    other = {"TargetRoleArns": "TargetReadRoleArns", "TargetReadRoleArns": "TargetRoleArns"}[roles]
    assert not any(allows(allowed, "sts:AssumeRole", arn) for arn in GIVEN[other].split(","))
    assert {action for action in actions(allowed) if action.startswith(("ssm:", "sts:"))} == {
        "ssm:GetParameter",
        "sts:AssumeRole",
    }


@pytest.mark.parametrize(("file", "name", "roles"), AT_HOME)
def test_without_targets_a_function_may_read_no_parameter_and_assume_no_role(file, name, roles):
    assert roles in TEMPLATES[file]["Parameters"]
    allowed = actions(statements(TEMPLATES[file], name))
    assert not [action for action in allowed if action.startswith(("ssm:", "sts:"))]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("02-ledger.yml", "Completer"),
        ("03-lambda.yml", "Function"),
        *(("04-api.yml", name) for name in ("UpdateFunction", "StatusFunction")),
        ("05-fleet.yml", "FleetFunction"),
        ("08-codepipeline.yml", "CodepipelineFunction"),
        ("07-push.yml", "PushFunction"),
    ],
)
def test_every_function_knows_its_account_and_all_but_that_of_the_pushes_the_targets(file, name):
    """Pushes find only the services of the function's own account and region."""
    for value in ("", PARAMETER):
        found = Stack(TEMPLATES[file], {"TargetsParameterName": value}).resources[name]
        variables = found["Properties"]["Environment"]["Variables"]
        assert variables["ECS_ARN_PREFIX"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:"
        assert variables.get("TARGETS_PARAMETER") == (value if name != "PushFunction" else None)


def test_senders_read_the_targets_and_the_results_of_their_services_if_there_are_any():
    there = {KEYS: ("arn:aws:ecs:us-east-1:222222222222:service/shop/web",)}
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ecs-updater-ledger"
    for given, has_targets in ((GIVEN, True), ({}, False)):
        (sender,) = Stack(TEMPLATES["05-fleet.yml"], given).of_type("AWS::IAM::ManagedPolicy")
        allowed = sender["PolicyDocument"]["Statement"]
        assert allows(allowed, "ssm:GetParameter", PARAMETER_ARN) == has_targets
        assert allows(allowed, "dynamodb:BatchGetItem", table, there) == has_targets
        assert not allows(allowed, "dynamodb:BatchGetItem", table, {KEYS: ("OPEN",)})
        assert not allows(allowed, "dynamodb:UpdateItem", table, there)
        assert not allows(allowed, "ssm:GetParameter", PARAMETER_ARN + "-2")
        assert "sts:AssumeRole" not in actions(allowed)


# The deployer


def test_the_deployer_of_a_target_changes_only_its_two_roles_and_passes_none():
    allowed = policy("target")
    for kind in ("update", "read"):
        arn = f"arn:aws:iam::{ACCOUNT}:role/ecs-updater-target-{kind}-{REGION}"
        assert allows(allowed, "iam:CreateRole", arn)
        assert not allows(allowed, "iam:CreateRole", arn + "-2")
    assert "iam:PassRole" not in actions(allowed)


def test_its_policy_is_enough_for_cloudformation():
    found = handled(["AWS::IAM::Role"])
    if not found:
        pytest.skip(
            "CloudFormation's schemas are not here: make lint installs cfn-lint, which has them"
        )
    # The roles have only policies of their own, and no setting changes a description.
    unused = re.compile("iam:(AttachRolePolicy|DetachRolePolicy|UpdateRole(Description)?)")
    missing = found["AWS::IAM::Role"] - set(actions(policy("target")))
    assert not {action for action in missing if not unused.fullmatch(action)}
