"""What stands between the pipelines and an account: it is named and asked about, and what was not made here is left alone."""

import os
import shutil
from collections.abc import Iterator

import boto3
import pytest
from support.account import NUMBER, ON_ACCOUNT, Account
from support.make import Result, Workspace
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
    """A build directory from which nothing was deployed; at the end nothing is in the account that was not there before."""
    before = account.inventory()
    here = workspace("deployer", **ON_ACCOUNT)
    yield here
    assert here.make("clean", environment=account.shell).status == 0
    assert account.inventory() == before
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


@pytest.mark.parametrize("target", ["all-aws", "all-aws-tf", "deploy-ecs-cluster", "deploy-ecs-cluster-tf", "run-lambda-test-aws"])
def test_without_a_terminal_an_account_is_not_changed_unless_one_says_so(target, here, account):
    before = account.inventory()

    output = here.make(target, environment=account.shell, YES=None).output

    assert f"✗ this changes {PLACE}: YES=1 says that it may, since there is no terminal to ask on" in output
    assert account.inventory() == before


@pytest.mark.parametrize("answer", ["n", "", "no", "account"])
def test_on_a_terminal_the_account_is_named_and_anything_but_yes_changes_nothing(answer, here, account):
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

    output = here.make("deploy-ecs-service", environment=account.shell, AWS_DEFAULT_REGION="us-west-2").output

    places = f"is in account and region {NUMBER} eu-west-1, and this is {NUMBER} us-west-2: "
    assert f"✗ what {here.build} has deployed {places}" in output


def test_the_region_is_the_settings_whatever_the_shell_prefers(here, account):
    result = here.make("deploy-ecs-cluster", environment=account.shell | {"AWS_REGION": "us-west-2"})

    assert f"• {PLACE}" in result.output
    assert client(account, "cloudformation").describe_stacks(StackName="ecs-updater-ecs")["Stacks"]


def test_a_shell_without_credentials_is_told_so(workspace):
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    empty = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}

    complaint = workspace("nobody", **ON_ACCOUNT).make("deploy-ecs-cluster", environment=nowhere | empty).complaint()

    assert complaint.startswith("AWS does not know who you are: ")
    assert complaint.endswith(" Log in, or take TARGET=local for the emulator")


def test_a_stack_of_somebody_else_is_left_alone_and_named(workspace, account):
    cloudformation = client(account, "cloudformation")
    cloudformation.create_stack(StackName="theirs-vpc", TemplateBody=EMPTY_TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="theirs-vpc", WaiterConfig={"Delay": 1})
    here = workspace("deployer", **ON_ACCOUNT, STACK_NAME="theirs")

    deployed = here.make("deploy-ecs-cluster", environment=account.shell).output
    cleaned = here.make("clean", environment=account.shell)

    assert "✗ stack theirs-vpc was not made here, for it has no tag ecs-updater=theirs: take another STACK_NAME" in deployed
    assert cleaned.status != 0 and "theirs-vpc" in cleaned.output
    assert cloudformation.describe_stacks(StackName="theirs-vpc")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    cloudformation.delete_stack(StackName="theirs-vpc")
    assert here.make("clean", environment=account.shell).status == 0


def test_the_service_of_a_cluster_of_somebody_else_is_left_alone(here, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0

    output = here.make("deploy-ecs-service", environment=account.shell, CLUSTER_NAME="production").output

    assert "✗ cluster production is not the one that was made here, ECSCluster: its services are left alone" in output


def test_a_cluster_with_instances_is_made_and_removed(here, account):
    result = here.make("deploy-ecs-cluster", "deploy-ecs-service", environment=account.shell, LAUNCH_TYPE="EC2")

    assert result.status == 0, result.output
    (group,) = client(account, "autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["AutoScalingGroupName"], group["DesiredCapacity"]) == ("ecs-updater-ecs-instances", 1)
    (service,) = client(account, "ecs").describe_services(cluster="ECSCluster", services=["ecs-dummy-service"])["services"]
    assert service["launchType"] == "EC2"
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"


def test_a_launch_type_that_is_none_is_named(here, account):
    assert here.make("deploy-ecs-cluster", environment=account.shell).status == 0

    output = here.make("deploy-ecs-service", environment=account.shell, LAUNCH_TYPE="LAMBDA").output

    assert "✗ LAUNCH_TYPE=LAMBDA is no launch type: FARGATE or EC2" in output


# What CloudFormation says of a stack whose creation failed: the newest event first, and the cause neither first nor last.
EVENTS = [
    ("ecs-updater-vpc", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", ""),
    ("RouteTable", "AWS::EC2::RouteTable", "CREATE_FAILED", "Resource creation cancelled"),
    ("SubnetA", "AWS::EC2::Subnet", "CREATE_FAILED", "The CIDR '10.42.0.0/24' conflicts with another subnet"),
    ("Vpc", "AWS::EC2::VPC", "CREATE_COMPLETE", ""),
    ("ecs-updater-vpc", "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", "User Initiated"),
    ("SubnetB", "AWS::EC2::Subnet", "CREATE_FAILED", "The failure of an operation before this one"),
]
CLI = """\
#!/usr/bin/env bash
case "$*" in
  *get-caller-identity*) printf '123456789012\\tarn:aws:iam::123456789012:user/someone\\n' ;;
  *validate-template*) ;;
  *describe-stack-events*) printf '{events}' ;;
  *"cloudformation deploy"*) echo "Failed to create/update the stack. Run the following command" >&2; exit 255 ;;
  *) exit 255 ;;
esac
"""


def test_a_stack_that_could_not_be_deployed_is_named_with_the_first_resource_that_failed(workspace, tmp_path):
    cli = tmp_path / "aws"
    cli.write_text(CLI.format(events="\\n".join("\\t".join(event) for event in EVENTS).replace("'", r"'\''")), "utf-8")
    cli.chmod(0o755)

    output = workspace("failing", **ON_ACCOUNT, AWS_CLI=str(cli)).make("deploy-ecs-cluster").output

    cause = "SubnetA (AWS::EC2::Subnet): The CIDR '10.42.0.0/24' conflicts with another subnet"
    assert f"✗ stack ecs-updater-vpc could not be deployed: {cause}\n" in output
