"""The longest names of a deployment: what AWS takes, and which settings are refused before anything
is made.
"""

import os
import re
import subprocess
from collections.abc import Iterator

import botocore.session
import pytest

from support.cloudformation import TEMPLATES, Stack
from support.make import PROJECT

ACCOUNT = "000000000000"
LONGEST = {"STACK_NAME": 25, "LAMBDA_FUNCTION_NAME": 38}
LESS_FOR_A_TARGET = 3
"""Characters of the function's name: the role of a target has a longer name."""
# What AWS takes at most, by the property that has the name.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and the API reference
# of each service.
LIMITS = {
    "AWS::ApiGateway::ApiKey": ("Name", 1024),
    "AWS::ApiGateway::RestApi": ("Name", 1024),
    "AWS::ApiGateway::UsagePlan": ("UsagePlanName", 1024),
    "AWS::AutoScaling::AutoScalingGroup": ("AutoScalingGroupName", 255),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::DynamoDB::Table": ("TableName", 255),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateName", 128),
    "AWS::EC2::SecurityGroup": ("GroupName", 255),
    "AWS::Events::Rule": ("Name", 64),
    "AWS::IAM::InstanceProfile": ("InstanceProfileName", 128),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", 128),
    "AWS::IAM::Role": ("RoleName", 64),
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::SQS::Queue": ("QueueName", 80),
}
BUCKET = 63
EVERYTHING = {"LaunchType": "EC2", "AccountLogRole": "make"}


def regions() -> list[str]:
    """Every region of every partition that the SDK knows."""
    data = botocore.session.get_session().get_component("data_loader").load_data("endpoints")
    return [region for partition in data["partitions"] for region in partition["regions"]]


def too_long(stack_name: str, function: str, region: str) -> Iterator[str]:
    """Yields each name that AWS would refuse: of the resources of all templates, and of the bucket
    that the scripts make.
    """
    for file, template in TEMPLATES.items():
        less = LESS_FOR_A_TARGET * (file == "09-target.yml")
        names = {
            "FunctionName": function[less:],
            "AWS::StackName": stack_name + file[2:-4].replace("load-balancer", "alb"),
            "AWS::Region": region,
        }
        stack = Stack(template, EVERYTHING | names)
        assert len(names["AWS::StackName"]) <= 128
        for resource in stack.resources.values():
            name, limit = LIMITS.get(resource["Type"], ("", 0))
            if name and len(resource["Properties"][name]) > limit:
                yield resource["Properties"][name]
    bucket = subprocess.run(
        ["bash", "-c", f"source scripts/aws.sh; bucket_name {ACCOUNT}", "deployer-policy"],
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "TARGET": "local",
            "EMULATOR_PORT": "4566",
            "STACK_NAME": stack_name,
            "AWS_DEFAULT_REGION": region,
        },
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout.strip()
    assert bucket.startswith(stack_name) and bucket.endswith(region)
    if len(bucket) > BUCKET:
        yield bucket


def refusal(goal: str, **settings: str) -> str:
    """What a step says of its settings; empty when it goes on, as far as an emulator that nobody
    started.
    """
    given = {"TARGET": "local", "EMULATOR_PORT": "1", **settings}
    step = subprocess.run(
        [
            "make",
            "--no-print-directory",
            goal,
            *(f"{name}={value}" for name, value in given.items()),
        ],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    lines = (line for line in step.stderr.splitlines() if line.startswith("✗ "))
    return next((line for line in lines if "cannot be used" in line), "")


def test_every_name_fits_with_the_longest_settings_in_every_region_but_those_with_a_longer_name():
    usual = {len(region): region for region in regions() if len(region) <= 14}
    for region in usual.values():
        assert not list(
            too_long("s" * LONGEST["STACK_NAME"], "f" * LONGEST["LAMBDA_FUNCTION_NAME"], region)
        ), region


GOALS = [
    "deploy-ecs-cluster",
    "deploy-ecs-cluster-tf",
    "deploy-lambda-aws",
    "deploy-fleet-aws-tf",
    "all-local",
    "all-aws-tf",
]


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("name", LONGEST)
def test_a_setting_that_is_too_long_is_refused_before_anything_is_made(goal, name):
    most = LONGEST[name]
    value = "s" * (most + 1)
    assert refusal(goal, **{name: value}).startswith(
        f"✗ {name}={value} has {most + 1} characters and cannot be used: use 1 to {most} letters"
    )


@pytest.mark.parametrize("goal", ["deploy-target-aws", "deploy-target-aws-tf"])
def test_the_roles_of_a_target_take_a_shorter_name_of_the_function(goal):
    most = LONGEST["LAMBDA_FUNCTION_NAME"] - LESS_FOR_A_TARGET
    assert not refusal(goal, LAMBDA_FUNCTION_NAME="f" * most)
    assert f"use 1 to {most} letters" in refusal(goal, LAMBDA_FUNCTION_NAME="f" * (most + 1))


@pytest.mark.parametrize("region", [region for region in regions() if len(region) > 14])
def test_in_a_region_with_a_longer_name_less_is_taken(region):
    assert "use 1 to 24 letters" in refusal(
        "deploy-ecs-cluster", STACK_NAME="s" * 25, AWS_DEFAULT_REGION=region
    )
    assert not refusal(
        "deploy-ecs-cluster",
        STACK_NAME="s" * 24,
        LAMBDA_FUNCTION_NAME="f" * 37,
        AWS_DEFAULT_REGION=region,
    )
    assert not list(too_long("s" * 24, "f" * 37, region))
    assert "use 1 to 37 letters" in refusal(
        "deploy-ecs-cluster", LAMBDA_FUNCTION_NAME="f" * 38, AWS_DEFAULT_REGION=region
    )


def test_what_was_made_under_a_longer_name_can_still_be_removed(tmp_path):
    assert not refusal("clean", STACK_NAME="s" * 30, BUILD_DIR=str(tmp_path))


def test_terraform_takes_what_the_scripts_take():
    tree = PROJECT / "infraestructure-terraform"
    assert f'{{0,{LONGEST["STACK_NAME"] - 1}}}$", var.stack_name' in (
        tree / "variables.tf"
    ).read_text("utf-8")
    most = {
        path.parent.name: int(found[1])
        for path in tree.glob("modules/*/variables.tf")
        if (found := re.search(r"\{1,(\d+)\}\$\", var\.function_name", path.read_text("utf-8")))
    }
    longest = LONGEST["LAMBDA_FUNCTION_NAME"]
    assert most == {  # The other modules get it from the function's.
        "ecs-updater-lambda": longest,
        "ecs-updater-ledger": longest,
        "ecs-updater-notify": longest,
        "ecs-updater-operations": longest,
        "ecs-updater-target": longest - LESS_FOR_A_TARGET,
    }
