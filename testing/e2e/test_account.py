"""The pipelines name an account and ask before they change it, and keep resources of others."""

import os
import shutil
from collections.abc import Iterator

import pytest

from support.account import NUMBER, ON_ACCOUNT, Account
from support.make import Result, Workspace

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
        f"✗ this changes {PLACE}: confirm with YES=1, because there is no terminal to ask" in output
    )
    assert account.inventory() == before


@pytest.mark.parametrize("answer", ["n", "", "no", "account"])
def test_on_a_terminal_the_account_is_named_and_anything_but_yes_changes_nothing(
    answer, here, account
):
    before = account.inventory()

    result = answered(here, account, answer)

    assert f"• {PLACE}, as arn:aws:iam::{NUMBER}:root, at {account.endpoint}" in result.output
    assert result.status != 0 and "✗ nothing was changed" in result.output
    assert account.inventory() == before


def test_what_is_deployed_stays_without_consent_and_from_another_region_or_for_another_cluster(
    here, workspace, account
):
    shell = account.shell
    here.make("deploy-ecs-cluster", environment=shell).succeeded()
    before = account.inventory()
    elsewhere = workspace("elsewhere", **ON_ACCOUNT, CLUSTER_NAME="production")

    requested = here.make("clean", environment=shell, YES=None, TARGET=None)
    local = here.make("clean", environment=shell, TARGET="local")
    region = here.make("deploy-ecs-service", environment=shell, AWS_DEFAULT_REGION="us-west-2")
    cluster = elsewhere.make("deploy-ecs-service", environment=shell)

    assert requested.status != 0 and f"✗ this changes {PLACE}" in requested.output
    assert local == Result(0, f"• kept in {here.build}: account\n")
    places = f"deploy to {PLACE}, and this is account {NUMBER}, region us-west-2: "
    assert f"✗ {here.build} was used to {places}" in region.output
    assert (
        "✗ cluster production is not the deployed one, ECSCluster: set CLUSTER_NAME=ECSCluster"
    ) in cluster.output
    assert account.inventory() == before


def test_a_shell_without_credentials_is_refused(workspace):
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

    assert complaint.startswith("the AWS credentials do not work: ") and ". ." not in complaint
    assert complaint.endswith(" Log in, or use TARGET=local for the emulator")


def test_a_stack_of_somebody_else_is_kept_and_named(workspace, account):
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="foreign-vpc", TemplateBody=EMPTY_TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="foreign-vpc", WaiterConfig={"Delay": 1}
    )
    here = workspace("deployer", **ON_ACCOUNT, STACK_NAME="foreign")

    deployed = here.make("deploy-ecs-cluster", environment=account.shell).output
    cleaned = here.make("clean", environment=account.shell)

    assert (
        "✗ stack foreign-vpc belongs to another deployment: it has no tag ecs-updater=foreign. "
        "Use another STACK_NAME"
    ) in deployed
    assert cleaned.status != 0 and "foreign-vpc" in cleaned.output
    assert (
        cloudformation.describe_stacks(StackName="foreign-vpc")["Stacks"][0]["StackStatus"]
        == "CREATE_COMPLETE"
    )
    cloudformation.delete_stack(StackName="foreign-vpc")
    assert here.make("clean", environment=account.shell).status == 0


def test_a_cluster_with_instances_is_made_and_removed(here, account):
    here.make(
        "deploy-ecs-cluster", "deploy-ecs-service", environment=account.shell, LAUNCH_TYPE="EC2"
    ).succeeded()
    (group,) = account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["AutoScalingGroupName"], group["DesiredCapacity"]) == (
        "ecs-updater-ecs-instances",
        1,
    )
    (service,) = account.client("ecs").describe_services(
        cluster="ECSCluster", services=["ecs-dummy-service"]
    )["services"]
    assert service["launchType"] == "EC2"
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"


@pytest.mark.usefixtures("terraform")
def test_terraform_does_not_take_over_the_cluster_the_rule_and_the_alarm_of_somebody_else(
    workspace, account, package
):
    ecs, events, alarms = (account.client(service) for service in ("ecs", "events", "cloudwatch"))
    rule, alarm = "ecs-updater-completer-poll", "ecs-updater-failed-updates"
    foreign = [{"Key": "ecs-updater", "Value": "another"}]
    metric = {
        "Namespace": "foreign",
        "MetricName": "m",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Statistic": "Sum",
        "Threshold": 7.0,
    }
    here = workspace("deployer", **ON_ACCOUNT, CLUSTER_NAME="foreign")

    alarms.put_metric_alarm(
        AlarmName=alarm, ComparisonOperator="GreaterThanThreshold", Tags=foreign, **metric
    )
    said = here.make(
        "deploy-operations-aws-tf", environment=account.shell, LAMBDA_PACKAGE=str(package)
    ).output
    events.put_rule(Name=rule, ScheduleExpression="rate(1 day)", Tags=foreign)
    said += here.make("deploy-ecs-cluster-tf", environment=account.shell).output
    ecs.create_cluster(clusterName="foreign")
    said += here.make("deploy-ecs-cluster-tf", environment=account.shell).output
    cleaned = here.make("clean", environment=account.shell)

    text = "belongs to another deployment: it has no tag ecs-updater=ecs-updater. Use another"
    assert [line for line in said.splitlines() if text in line] == [
        f"✗ alarm {alarm} {text} LAMBDA_FUNCTION_NAME",
        f"✗ rule {rule} {text} LAMBDA_FUNCTION_NAME",
        f"✗ cluster foreign {text} CLUSTER_NAME",
    ]
    assert cleaned.status != 0
    assert all(
        f"kept: {what}" in cleaned.output
        for what in (f"rule {rule}", f"alarm {alarm}", "cluster foreign")
    )
    assert events.describe_rule(Name=rule)["ScheduleExpression"] == "rate(1 day)"
    assert alarms.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["Threshold"] == 7.0
    assert ecs.describe_clusters(clusters=["foreign"])["clusters"][0]["status"] == "ACTIVE"
    events.delete_rule(Name=rule)
    alarms.delete_alarms(AlarmNames=[alarm])
    ecs.delete_cluster(cluster="foreign")
    assert here.make("clean", environment=account.shell).status == 0


def test_a_pipeline_on_an_account_keeps_the_emulator_of_the_same_directory(here, account):
    assert here.make("emulator-up", TARGET="local").status == 0

    result = here.make("all-aws", environment=account.shell, LAMBDA_RUNTIME="nonsense")
    still = here.make("emulator-up", TARGET="local").output
    stopped = here.make("clean", TARGET="local")

    assert result.status != 0 and "LAMBDA_RUNTIME is 'nonsense'" in result.output
    assert still.startswith("• the emulator already runs")
    assert stopped.status == 0, stopped.output


# The events of a stack whose creation failed: the newest first, and the cause
# neither first nor last.
