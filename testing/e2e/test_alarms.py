"""Each alarm, as deployed on an emulator, goes to ALARM and back and notifies the topic: those of
Lambda by real invocations, the others by PutMetricData with their own namespace and dimensions.

The emulator evaluates alarms at PutMetricData only. It ignores dimensions and missing data, so the
statistic of exactly the alarm's metric is read beside the alarm's state.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.emf import measurements
from support.http import event as request
from support.make import Workspace, until

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

NAME = "watched"
SETTINGS = {
    "STACK_NAME": NAME,
    "LAMBDA_FUNCTION_NAME": NAME,
    "CLUSTER_NAME": "shop",
    "TASK_DEFINITION_NAME": "*",
    "PASSABLE_ROLE_ARNS": "arn:aws:iam::000000000000:role/web-*",
    "RECONCILE_SECONDS": "0",
}
PARTS = ("lambda", "api", "fleet", "push", "codepipeline", "operations")
NOT_HERE = {"AuthorizerDeployed": "true", "NotifyDeployed": "true"}
"""Parts that the emulator, or an API with keys, does not have."""
UPDATE = {"ecs_cluster_name": "shop", "ecs_service_name": "web", "ecs_tag": {}}
REQUEST = request("GET", "/missing")
CALLS: dict[str, tuple[Any, Any]] = {
    "": ({}, UPDATE | {"ecs_image_name": "web:1", "dry_run": True}),
    "-completer": ("no ledger", {}),
    "-api-update": ([], REQUEST),
    "-api-status": ([], REQUEST),
    "-fleet": ({}, {"Records": []}),
    "-push": ({}, {"Records": []}),
    "-codepipeline": ({}, None),
}
"""An event with which each function fails, and one with which it succeeds. A job of CodePipeline
cannot succeed on the emulator.
"""
LEAVES = 5.0
"""Seconds after which a value leaves the time that an alarm looks at."""


@dataclass
class Watched:
    """A deployment with its alarms and a queue that gets what they send."""

    here: Workspace
    queue_url: str = ""
    sent: list[tuple[str, str]] = field(default_factory=list)
    """Name and state of each notification."""

    def __post_init__(self) -> None:
        self.cloudwatch, self.lambda_ = (self.here.client(x) for x in ("cloudwatch", "lambda"))

    def alarms(self) -> dict[str, dict[str, Any]]:
        """The alarms by the ends of their names."""
        pages = self.cloudwatch.get_paginator("describe_alarms").paginate()
        found = [alarm for page in pages for alarm in page["MetricAlarms"]]
        return {alarm["AlarmName"].removeprefix(f"{NAME}-"): alarm for alarm in found}

    def states(self, names: set[str]) -> set[str]:
        """The states of alarms, after they are evaluated."""
        self.cloudwatch.put_metric_data(
            Namespace="test", MetricData=[{"MetricName": "Tick", "Value": 1}]
        )
        return {alarm["StateValue"] for name, alarm in self.alarms().items() if name in names}

    def put(self, alarm: dict[str, Any], value: float, at: datetime | None = None) -> None:
        """Puts a value of the alarm's metric."""
        datum = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"]}
        datum |= {"Value": value, "Timestamp": at or datetime.now(UTC)}
        self.cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])

    def breach(self, alarm: dict[str, Any]) -> None:
        """Puts a value that the alarm reports, and that it soon does not look at any more."""
        is_low = alarm["ComparisonOperator"] == "LessThanThreshold"
        at = datetime.now(UTC) - timedelta(seconds=window(alarm) - LEAVES)
        self.put(alarm, -1000 if is_low else alarm["Threshold"] + 1, at)

    def is_breached(self, alarm: dict[str, Any]) -> bool:
        """Whether the alarm's own metric, with exactly its dimensions, crosses the threshold."""
        statistic, extended = alarm.get("Statistic"), alarm.get("ExtendedStatistic")
        kind = {"ExtendedStatistics": [extended]} if extended else {"Statistics": [statistic]}
        now = datetime.now(UTC)
        points = self.cloudwatch.get_metric_statistics(
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Dimensions=alarm["Dimensions"],
            StartTime=now - timedelta(seconds=2 * window(alarm) + 600),
            EndTime=now + timedelta(seconds=60),
            Period=alarm["Period"],
            **kind,
        )["Datapoints"]
        values = [
            point["ExtendedStatistics"][extended] if extended else point[statistic]
            for point in points
        ]
        if alarm["ComparisonOperator"] == "LessThanThreshold":
            return any(value < alarm["Threshold"] for value in values)
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        return any(value > alarm["Threshold"] for value in values)

    def invoke(self, function: str, event: Any) -> bool:
        """Invokes a function. Returns whether it succeeded."""
        answer = self.lambda_.invoke(FunctionName=f"{NAME}{function}", Payload=json.dumps(event))
        return "FunctionError" not in answer

    def notifications(self) -> list[tuple[str, str]]:
        """Name and state of each notification so far."""
        sqs = self.here.client("sqs")
        while messages := sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                said = json.loads(json.loads(message["Body"])["Message"])
                assert "See docs/operations.md#" in said["AlarmDescription"], said
                name = said["AlarmName"].removeprefix(f"{NAME}-")
                self.sent.append((name, said["NewStateValue"]))
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return self.sent


def window(alarm: dict[str, Any]) -> int:
    """The seconds that an alarm looks at."""
    return int(alarm["Period"] * alarm["EvaluationPeriods"])


@pytest.fixture(scope="module", name="watched")
def _watched(workspace, package) -> Iterator[Watched]:
    """Everything deployed, with all alarms."""
    here = workspace("alarms", **SETTINGS)
    here.make("emulator-up").succeeded()
    ecs, container = here.client("ecs"), {"name": "web", "image": "web:1", "memory": 64}
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="web", containerDefinitions=[container])
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=1)
    sns, sqs = here.client("sns"), here.client("sqs")
    topic = sns.create_topic(Name="on-call")["TopicArn"]
    url = sqs.create_queue(QueueName="on-call")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    steps = [f"deploy-{part}-aws" for part in PARTS]
    here.make(*steps, LAMBDA_PACKAGE=str(package), ALARM_TOPIC_ARN=topic).succeeded()
    cloudformation, stack = here.client("cloudformation"), f"{NAME}-operations"
    (current,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in current["Parameters"]}
    parameters = [
        {"ParameterKey": name, "ParameterValue": value}
        for name, value in (given | NOT_HERE).items()
    ]
    cloudformation.update_stack(StackName=stack, UsePreviousTemplate=True, Parameters=parameters)
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1}
    )
    yield Watched(here, url)
    here.make("clean").succeeded()
    assert not here.left()


@pytest.fixture(scope="module", name="own")
def _own(watched) -> set[str]:
    """The names of the alarms for errors and throttles of the functions that are deployed."""
    kinds = ("errors", "throttles")
    return {f"{name}-{kind}".lstrip("-") for name in CALLS for kind in kinds} & set(
        watched.alarms()
    )


@pytest.fixture(scope="module", name="failed")
def _failed(watched, own) -> set[str]:
    """Lets a call of each function fail, and another one be throttled. Returns `own`."""
    for function, (wrong, _) in CALLS.items():
        name = f"{NAME}{function}"
        settings = watched.lambda_.get_function_configuration(FunctionName=name)["Environment"]
        variables = settings["Variables"]
        configure = watched.lambda_.update_function_configuration
        if function == "-completer":
            without = variables | {"LEDGER_TABLE": ""}
            configure(FunctionName=name, Environment={"Variables": without})
        assert not watched.invoke(function, wrong), name
        if function == "-completer":
            configure(FunctionName=name, Environment={"Variables": variables})
        limit = {"FunctionName": name, "ReservedConcurrentExecutions": 0}
        watched.lambda_.put_function_concurrency(**limit)
        with pytest.raises(ClientError, match="TooManyRequests"):
            watched.invoke(function, wrong)
        watched.lambda_.delete_function_concurrency(FunctionName=name)
    assert len(own) == 2 * len(CALLS)
    return own


def test_failed_and_throttled_calls_of_each_function_set_off_its_alarms(watched, failed):
    until(lambda: watched.states(failed) == {"ALARM"}, "the alarms of the functions")
    assert all(watched.is_breached(watched.alarms()[name]) for name in failed)


def test_every_other_alarm_goes_to_alarm_by_its_own_metric_and_back(watched, own):
    others = {name: alarm for name, alarm in watched.alarms().items() if name not in own}
    assert len(others) >= 15
    for name, alarm in others.items():

        def is_on(name: str = name, alarm: dict[str, Any] = alarm) -> bool:
            watched.breach(alarm)
            return watched.alarms()[name]["StateValue"] == "ALARM"

        until(is_on, f"{name} is ALARM")
        assert watched.is_breached(alarm), name
        if name == "missing-runs":
            watched.invoke("-completer", {})

    def are_off() -> bool:
        for name, alarm in others.items():
            if name != "missing-runs":  # The run of the reconciler ends it.
                watched.put(alarm, 0)
        return watched.states(set(others)) == {"OK"}

    until(are_off, "the alarms are OK", pause=0.5)


def test_after_a_minute_with_successful_calls_the_alarms_of_the_functions_are_off(watched, failed):
    def are_off() -> bool:
        for function, (_, right) in CALLS.items():
            assert right is None or watched.invoke(function, right), function
        return watched.states(failed) == {"OK"}

    until(are_off, "the alarms of the functions are OK", pause=5)


def test_each_alarm_has_notified_the_topic_of_its_begin_and_its_end(watched, failed):
    assert failed
    expected = {(name, state) for name in watched.alarms() for state in ("ALARM", "OK")}
    until(lambda: expected <= set(watched.notifications()), "all notifications")


def test_the_log_of_real_runs_has_the_metrics_that_the_alarms_name(watched):
    event = UPDATE | {"ecs_image_name": "web:2", "wait_seconds": 60}
    assert watched.invoke("", event) and watched.invoke("-completer", {})
    logs = watched.here.client("logs")
    lines = [
        event["message"]
        for group in (NAME, f"{NAME}-completer")
        for page in logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{group}"
        )
        for event in page["events"]
    ]
    found = {measured.metric for measured in measurements(lines)}
    for name, alarm in watched.alarms().items():
        if alarm["Namespace"] == "ecs-updater":
            dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
            if "verdict" in dimensions:  # The emulator's deployments succeed.
                dimensions["verdict"] = "SUCCEEDED"
            metric = alarm["Namespace"], alarm["MetricName"], frozenset(dimensions.items())
            assert metric in found, name
