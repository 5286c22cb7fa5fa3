"""The template of the function for CodePipeline: its role, its time, and its invocations."""

import importlib

from ecs_updater.aws import codepipeline
from ecs_updater.codepipeline.run import WAIT_SECONDS
from ecs_updater.context import Call
from ecs_updater.ledger.lease import LEASE_SECONDS
from support.cloudformation import TEMPLATES, USUAL, Stack, allows
from support.deployer import ACCOUNT, REGION, policy
from support.permissions import expanded

TEMPLATE = TEMPLATES["08-codepipeline.yml"]
RESOURCES = Stack(TEMPLATE).resources
FUNCTION = RESOURCES["CodepipelineFunction"]["Properties"]
INVOCATIONS = RESOURCES["CodepipelineInvocations"]["Properties"]
LAMBDA_RETRIES_AFTER = 60
"""Seconds: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""


def test_the_handler_is_there():
    module, _, name = FUNCTION["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_it_has_the_role_and_the_log_group_of_the_function():
    assert (FUNCTION["Role"], FUNCTION["LoggingConfig"]["LogGroup"]) == (
        USUAL["UpdaterRoleArn"],
        USUAL["UpdaterLogGroupName"],
    )
    assert {resource["Type"] for resource in TEMPLATE["Resources"].values()} == {
        "AWS::Lambda::Function",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::IAM::Policy",
    }


def test_the_role_may_report_results_and_reads_no_artifact():
    added = RESOURCES["CodepipelinePolicy"]["Properties"]
    assert added["Roles"] == ["ecs-updater-eu-west-1"]
    (statement,) = added["PolicyDocument"]["Statement"]
    calls = {f"codepipeline:{name}" for name in ("PutJobFailureResult", "PutJobSuccessResult")}
    assert set(statement["Action"]) == calls
    source = codepipeline.__loader__.get_source(codepipeline.__name__)
    assert all(call.partition(":")[2] in source for call in calls)


def test_an_update_starts_only_while_codepipeline_waits_for_its_job():
    assert INVOCATIONS["MaximumEventAgeInSeconds"] == 20 * 60
    assert INVOCATIONS["FunctionName"] == "ecs-updater-codepipeline"


def test_the_repetition_of_a_killed_invocation_outlasts_its_lease():
    assert INVOCATIONS["MaximumRetryAttempts"] > 0
    call = Call(time_left=lambda: FUNCTION["Timeout"])
    assert call.seconds_to_wait(WAIT_SECONDS) == WAIT_SECONDS
    assert LAMBDA_RETRIES_AFTER + WAIT_SECONDS > LEASE_SECONDS


def test_the_deployer_changes_only_this_function():
    allowed = list(expanded(policy("codepipeline")))
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ecs-updater-codepipeline"
    for action in ("CreateFunction", "PutFunctionEventInvokeConfig"):
        own = [
            arn
            for arn in (function, f"{function}:$LATEST")
            if allows(allowed, f"lambda:{action}", arn)
        ]
        assert own, action
        assert not allows(allowed, f"lambda:{action}", function + "-2")
    assert not allows(allowed, "lambda:InvokeFunction", function)
