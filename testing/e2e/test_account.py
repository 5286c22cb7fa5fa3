"""What stands between the pipelines and an account: it is named and asked about, and what was not
made here is left alone.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator

import boto3
import pytest

from support.account import NUMBER, ON_ACCOUNT, Account
from support.make import PROJECT, TOOLS, Result, Workspace
from support.shell import another_program

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

PLACE = f"account {NUMBER}, region eu-west-1"
EMPTY_TEMPLATE = "Resources: {Handle: {Type: 'AWS::CloudFormation::WaitConditionHandle'}}"


@pytest.fixture(scope="module", name="account")
def _account(workspace) -> Iterator[Account]:
    """An emulator that stands in for an account."""
    account = Account(workspace("account"))
    yield account
    account.end()


@pytest.fixture(name="here")
def _here(workspace, account) -> Iterator[Workspace]:
    """A build directory from which nothing was deployed; at the end nothing is in the account that
    was not there before.
    """
    before = account.inventory()
    here = workspace("deployer", **ON_ACCOUNT)
    yield here
    after = account.inventory()
    has_deployed = after != before or (here.build / "account").exists()
    assert (
        here.make(
            "clean", environment=account.shell, TARGET="aws" if has_deployed else "local"
        ).status
        == 0
    )
    assert (account.inventory() if has_deployed else after) == before
    assert not here.left()


def client(account: Account, service: str):
    """An SDK client of the account."""
    return boto3.client(service, endpoint_url=account.endpoint)


def answered(here: Workspace, account: Account, answer: str) -> Result:
    """Runs `make deploy-ecs-cluster` on a terminal on which somebody answers its question."""
    keyboard, terminal = os.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    run = here.start("deploy-ecs-cluster", environment=account.shell, stdin=terminal, YES=None)
    os.close(terminal)
    result = run.result()
    os.close(keyboard)
    return result


CHANGES = [
    *("all-aws", "all-aws-tf", "deploy-ecs-cluster", "deploy-ecs-cluster-tf"),
    *("run-lambda-test-aws", "run-api-test", "run-fleet-test"),
]


@pytest.mark.parametrize("target", CHANGES)
def test_without_a_terminal_an_account_is_not_changed_unless_one_says_so(target, here, account):
    before = account.inventory()

    output = here.make(target, environment=account.shell, YES=None).output

    assert (
        f"✗ this changes {PLACE}: YES=1 says that it may, since there is no terminal to ask on"
        in output
    )
    assert account.inventory() == before


@pytest.mark.parametrize("target", ["api-key", "api-url"])
def test_who_only_reads_is_not_asked_and_leaves_nothing(target, here, account):
    output = here.make(target, environment=account.shell | {"ONLY_READS": ""}, YES=None).output

    assert (
        f"• {PLACE}, as " in output
        and "✗ there is no API of ecs-updater: make deploy-api-aws\n" in output
    )
    assert not (here.build / "account").exists()


def test_a_shell_cannot_say_that_a_run_only_reads(here, account):
    output = here.make(
        "deploy-ecs-cluster", environment=account.shell | {"ONLY_READS": "yes"}, YES=None
    ).output

    assert f"✗ this changes {PLACE}" in output


@pytest.mark.parametrize("answer", ["n", "", "no", "account"])
def test_on_a_terminal_the_account_is_named_and_anything_but_yes_changes_nothing(
    answer, here, account
):
    before = account.inventory()

    result = answered(here, account, answer)

    assert f"• {PLACE}, as arn:aws:iam::{NUMBER}:root, at {account.endpoint}" in result.output
    assert result.status != 0 and "✗ nothing was changed" in result.output
    assert account.inventory() == before


def test_on_a_terminal_a_yes_is_enough_for_all_that_follows(here, account):
    result = answered(here, account, "y")

    assert result.status == 0, result.output
    assert "deploying stack ecs-updater-ecs" in result.output


def test_clean_asks_too(here, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0
    before = account.inventory()

    result = here.make("clean", environment=account.shell, YES=None, TARGET=None)

    assert result.status != 0 and f"✗ this changes {PLACE}" in result.output
    assert account.inventory() == before


def test_clean_alone_goes_to_no_account_to_which_nothing_was_deployed(here):
    with another_program() as program:
        result = here.make("clean", environment={"AWS_ENDPOINT_URL": program.url}, TARGET=None)

    assert result == Result(0, "")
    assert not program.received


def test_a_local_clean_leaves_what_is_known_of_an_account(here, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0
    before = account.inventory()

    result = here.make("clean", environment=account.shell, TARGET="local")

    assert result == Result(0, f"• left alone in {here.build}: account\n")
    assert account.inventory() == before


def test_another_region_than_that_of_the_deployment_is_refused(here, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0

    output = here.make(
        "deploy-ecs-service", environment=account.shell, AWS_DEFAULT_REGION="us-west-2"
    ).output

    places = f"is in {PLACE}, and this is account {NUMBER}, region us-west-2: "
    assert f"✗ what {here.build} has deployed {places}" in output


def test_the_region_is_the_settings_whatever_the_shell_prefers(here, account):
    result = here.make(
        "deploy-ecs-cluster", environment=account.shell | {"AWS_REGION": "us-west-2"}
    )

    assert f"• {PLACE}" in result.output
    assert client(account, "cloudformation").describe_stacks(StackName="ecs-updater-ecs")["Stacks"]


def test_a_shell_without_credentials_is_told_so(workspace):
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    empty = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}

    complaint = (
        workspace("nobody", **ON_ACCOUNT)
        .make("deploy-ecs-cluster", environment=nowhere | empty)
        .complaint()
    )

    assert complaint.startswith("AWS does not know who you are: ")
    assert complaint.endswith(" Log in, or take TARGET=local for the emulator")


def test_a_stack_of_somebody_else_is_left_alone_and_named(workspace, account):
    cloudformation = client(account, "cloudformation")
    cloudformation.create_stack(StackName="theirs-vpc", TemplateBody=EMPTY_TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="theirs-vpc", WaiterConfig={"Delay": 1}
    )
    here = workspace("deployer", **ON_ACCOUNT, STACK_NAME="theirs")

    deployed = here.make("deploy-ecs-cluster", environment=account.shell).output
    cleaned = here.make("clean", environment=account.shell)

    assert (
        "✗ stack theirs-vpc was not made here, for it has no tag ecs-updater=theirs: "
        "take another STACK_NAME"
    ) in deployed
    assert cleaned.status != 0 and "theirs-vpc" in cleaned.output
    assert (
        cloudformation.describe_stacks(StackName="theirs-vpc")["Stacks"][0]["StackStatus"]
        == "CREATE_COMPLETE"
    )
    cloudformation.delete_stack(StackName="theirs-vpc")
    assert here.make("clean", environment=account.shell).status == 0


def test_the_service_of_a_cluster_of_somebody_else_is_left_alone(here, workspace, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0
    elsewhere = workspace("elsewhere", **ON_ACCOUNT, CLUSTER_NAME="production")

    output = elsewhere.make("deploy-ecs-service", environment=account.shell).output

    assert (
        "✗ cluster production is not the one that was made here, ECSCluster: its "
        "services are left alone"
    ) in output


def test_a_cluster_with_instances_is_made_and_removed(here, account):
    result = here.make(
        "deploy-ecs-cluster", "deploy-ecs-service", environment=account.shell, LAUNCH_TYPE="EC2"
    )

    assert result.status == 0, result.output
    (group,) = client(account, "autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["AutoScalingGroupName"], group["DesiredCapacity"]) == (
        "ecs-updater-ecs-instances",
        1,
    )
    (service,) = client(account, "ecs").describe_services(
        cluster="ECSCluster", services=["ecs-dummy-service"]
    )["services"]
    assert service["launchType"] == "EC2"
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"


def test_another_launch_type_than_that_of_the_cluster_is_refused(here, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0

    output = here.make("deploy-ecs-service", environment=account.shell, LAUNCH_TYPE="EC2").output

    assert (
        "✗ LAUNCH_TYPE=EC2, but cluster ECSCluster was made for FARGATE: give "
        "that, or make clean first"
    ) in output


def test_other_names_than_those_of_the_deployment_are_refused(here, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0

    output = here.make("clean", environment=account.shell, STACK_NAME="another").output

    assert (
        f"✗ what {here.build} has deployed has other names: give STACK_NAME=ecs-updater "
        "CLUSTER_NAME=ECSCluster "
    ) in output


@pytest.mark.usefixtures("terraform")
def test_terraform_does_not_take_over_the_cluster_the_rule_and_the_alarm_of_somebody_else(
    workspace, account, package
):
    ecs, events, watch = (client(account, service) for service in ("ecs", "events", "cloudwatch"))
    rule, alarm = "ecs-updater-completer-poll", "ecs-updater-fleet-dead-letters"
    theirs = [{"Key": "ecs-updater", "Value": "another"}]
    metric = {
        "Namespace": "theirs",
        "MetricName": "m",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Statistic": "Sum",
        "Threshold": 7.0,
    }
    here = workspace("deployer", **ON_ACCOUNT, CLUSTER_NAME="theirs")

    watch.put_metric_alarm(
        AlarmName=alarm, ComparisonOperator="GreaterThanThreshold", Tags=theirs, **metric
    )
    said = here.make(
        "deploy-fleet-aws-tf", environment=account.shell, LAMBDA_PACKAGE=str(package)
    ).output
    events.put_rule(Name=rule, ScheduleExpression="rate(1 day)", Tags=theirs)
    said += here.make("deploy-ecs-cluster-tf", environment=account.shell).output
    ecs.create_cluster(clusterName="theirs")
    said += here.make("deploy-ecs-cluster-tf", environment=account.shell).output
    cleaned = here.make("clean", environment=account.shell)

    told = "was not made here, for it has no tag ecs-updater=ecs-updater: take another"
    assert [line for line in said.splitlines() if told in line] == [
        f"✗ alarm {alarm} {told} LAMBDA_FUNCTION_NAME",
        f"✗ rule {rule} {told} LAMBDA_FUNCTION_NAME",
        f"✗ cluster theirs {told} CLUSTER_NAME",
    ]
    assert cleaned.status != 0
    assert all(
        f"left alone: {what}" in cleaned.output
        for what in (f"rule {rule}", f"alarm {alarm}", "cluster theirs")
    )
    assert events.describe_rule(Name=rule)["ScheduleExpression"] == "rate(1 day)"
    assert watch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["Threshold"] == 7.0
    assert ecs.describe_clusters(clusters=["theirs"])["clusters"][0]["status"] == "ACTIVE"
    events.delete_rule(Name=rule)
    watch.delete_alarms(AlarmNames=[alarm])
    ecs.delete_cluster(cluster="theirs")
    assert here.make("clean", environment=account.shell).status == 0


@pytest.mark.usefixtures("terraform")
def test_terraform_lets_go_of_the_role_for_logs_that_somebody_else_has_set_since(
    here, account, package
):
    gateway = client(account, "apigateway")
    others = {
        "op": "replace",
        "path": "/cloudwatchRoleArn",
        "value": f"arn:aws:iam::{NUMBER}:role/of-others",
    }
    deployed = here.make(
        "deploy-api-aws-tf", environment=account.shell, LAMBDA_PACKAGE=str(package)
    )
    made = gateway.get_account()["cloudwatchRoleArn"]
    gateway.update_account(patchOperations=[others])

    cleaned = here.make("clean", environment=account.shell)
    after = gateway.get_account()["cloudwatchRoleArn"]
    gateway.update_account(patchOperations=[others | {"value": ""}])

    assert deployed.status == 0 and cleaned.status == 0, deployed.output + cleaned.output
    assert "• removing role ecs-updater-api-logs-eu-west-1\n" in cleaned.output
    assert (made, after) == (
        f"arn:aws:iam::{NUMBER}:role/ecs-updater-api-logs-eu-west-1",
        others["value"],
    )


@pytest.mark.usefixtures("terraform")
def test_a_shared_state_of_terraform_is_used_and_emptied_from_any_directory(
    workspace, account, tmp_path
):
    """The backend is a file here; what is done with it does not depend on that."""
    project = tmp_path / "project"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, project / name)
    state = tmp_path / "shared.tfstate"
    override = f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n'
    (project / "infraestructure-terraform" / "backend_override.tf").write_text(override, "utf-8")
    before = account.inventory()

    deployed = workspace("one", project, **ON_ACCOUNT).make(
        "deploy-ecs-cluster-tf", environment=account.shell
    )
    cleaned = workspace("another", project, **ON_ACCOUNT).make("clean", environment=account.shell)

    assert deployed.status == 0 and cleaned.status == 0, deployed.output + cleaned.output
    assert account.inventory() == before
    assert json.loads(state.read_text("utf-8"))["resources"] == []


def test_a_revision_is_not_added_to_the_family_of_somebody_else(here, account):
    ecs = client(account, "ecs")
    containers = [{"name": "app", "image": "busybox", "memory": 64}]
    theirs = ecs.register_task_definition(family="ecs-dummy-task", containerDefinitions=containers)[
        "taskDefinition"
    ]
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0

    output = here.make("deploy-ecs-service", environment=account.shell).output
    revisions = ecs.list_task_definitions(familyPrefix="ecs-dummy-task")["taskDefinitionArns"]
    ecs.deregister_task_definition(taskDefinition=theirs["taskDefinitionArn"])
    ecs.delete_task_definitions(taskDefinitions=[theirs["taskDefinitionArn"]])

    assert (
        "✗ task definition ecs-dummy-task was not made here, for its newest revision "
        "has no tag ecs-updater="
    ) in output
    assert revisions == [theirs["taskDefinitionArn"]]


def test_a_bucket_that_a_kill_left_without_a_tag_is_used_and_removed(here, account, package):
    s3, name = client(account, "s3"), f"ecs-updater-artifacts-{NUMBER}-eu-west-1"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    steps = ["deploy-ecs-cluster", "deploy-lambda-aws"]

    result = here.make(*steps, environment=account.shell, LAMBDA_PACKAGE=str(package))

    assert result.status == 0 and "making bucket" not in result.output, result.output
    assert {"Key": "ecs-updater", "Value": "ecs-updater"} in s3.get_bucket_tagging(Bucket=name)[
        "TagSet"
    ]


def test_a_stack_that_was_only_announced_is_filled(here, account):
    cloudformation = client(account, "cloudformation")
    cloudformation.create_change_set(
        StackName="ecs-updater-vpc",
        ChangeSetName="announced",
        ChangeSetType="CREATE",
        TemplateBody=EMPTY_TEMPLATE,
    )

    result = here.make("deploy-ecs-cluster", environment=account.shell)

    assert result.status == 0, result.output


def test_what_the_cli_warns_of_is_no_part_of_its_answer(here, account, tmp_path):
    cli = tmp_path / "aws"
    cli.write_text(
        f'#!/bin/sh\necho "a warning: old" >&2\nexec {TOOLS}/aws/bin/aws "$@"\n', "utf-8"
    )
    cli.chmod(0o755)

    result = here.make(
        "deploy-ecs-cluster", "deploy-ecs-service", environment=account.shell, AWS_CLI=str(cli)
    )

    assert result.status == 0 and f"• {PLACE}, as " in result.output, result.output


def test_a_pipeline_on_an_account_leaves_the_emulator_of_the_same_directory_alone(here, account):
    assert here.make("emulator-up", TARGET="local").status == 0

    result = here.make("all-aws", environment=account.shell, LAMBDA_RUNTIME="nonsense")
    still = here.make("emulator-up", TARGET="local").output
    stopped = here.make("clean", TARGET="local")

    assert result.status != 0 and "LAMBDA_RUNTIME is 'nonsense'" in result.output
    assert still.startswith("• the emulator already runs")
    assert stopped.status == 0, stopped.output


# What CloudFormation says of a stack whose creation failed: the newest event first, and the cause
# neither first nor last.
EVENTS = [
    ("ecs-updater-vpc", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", ""),
    ("RouteTable", "AWS::EC2::RouteTable", "CREATE_FAILED", "Resource creation cancelled"),
    (
        "SubnetA",
        "AWS::EC2::Subnet",
        "CREATE_FAILED",
        "The CIDR '10.42.0.0/24' conflicts with another subnet",
    ),
    ("Vpc", "AWS::EC2::VPC", "CREATE_COMPLETE", ""),
    ("ecs-updater-vpc", "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", "User Initiated"),
    ("SubnetB", "AWS::EC2::Subnet", "CREATE_FAILED", "The failure of an operation before this one"),
]
CLI = """\
#!/usr/bin/env bash
case "$*" in
  *get-caller-identity*) printf '123456789012\\tarn:aws:iam::123456789012:user/someone\\n' ;;
  *describe-stacks*)
    echo "An error occurred ({refusal}) when calling the DescribeStacks operation" >&2
    exit 255 ;;
  *describe-stack-events*) printf '{events}' ;;
  *"cloudformation deploy"*) echo "{says}" >&2; exit 255 ;;
  *) exit 255 ;;
esac
"""


@pytest.mark.parametrize(
    "says, refusal, expected",
    [
        (
            "Failed to create/update the stack. Run the following command",
            "ValidationError: Stack with id ecs-updater-vpc does not exist",
            (
                "could not be deployed: SubnetA (AWS::EC2::Subnet): The CIDR '10.42.0.0/24' "
                "conflicts with another subnet"
            ),
        ),
        (
            "Failed to create the changeset: Waiter failed. Reason: Y",
            "ValidationError: Stack with id ecs-updater-vpc does not exist",
            "could not be deployed: Failed to create the changeset: Waiter failed. Reason: Y",
        ),
        (
            "",
            "AccessDenied",
            (
                "cannot be read: An error occurred (AccessDenied) when calling the "
                "DescribeStacks operation"
            ),
        ),
    ],
    ids=["a resource", "a change set", "not allowed to look"],
)
def test_a_stack_that_could_not_be_deployed_is_named_with_what_failed_first(
    says, refusal, expected, workspace, tmp_path
):
    cli = tmp_path / "aws"
    events = "\\n".join("\\t".join(event) for event in EVENTS).replace("'", r"'\''")
    cli.write_text(CLI.format(events=events, says=says, refusal=refusal), "utf-8")
    cli.chmod(0o755)

    output = workspace("failing", **ON_ACCOUNT, AWS_CLI=str(cli)).make("deploy-ecs-cluster").output

    assert f"✗ stack ecs-updater-vpc {expected}\n" in output
