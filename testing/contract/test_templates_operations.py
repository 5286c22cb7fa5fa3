"""The template of the alarms and the dashboard: each function and queue of the other templates has
its alarms, each alarm has a metric that exists, and its text leads to a section of the runbook.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ecs_updater import metrics
from ecs_updater.ledger.entry import REACHED_FROM, State
from ecs_updater.model.verdict import Verdict
from support.cloudformation import TEMPLATES, Stack
from support.documents import blocks
from support.emf import measurements
from support.fleet_run import FleetRun
from support.make import PROJECT

TEMPLATE = TEMPLATES["10-operations.yml"]
TOPIC = "arn:aws:sns:eu-west-1:000000000000:on-call"
PARTS = [name for name in TEMPLATE["Parameters"] if name.endswith("Deployed")]
EVERYTHING = dict.fromkeys(PARTS, "true")
RUNBOOK = (PROJECT / "docs" / "operations.md").read_text("utf-8")

Metric = tuple[str, str, frozenset[tuple[str, str]]]


def alarms(**parameters: str) -> dict[str, dict[str, Any]]:
    """The properties of the alarms by their names, without the function's name before them."""
    made = Stack(TEMPLATE, EVERYTHING | parameters).of_type("AWS::CloudWatch::Alarm")
    return {alarm["AlarmName"].removeprefix("ecs-updater-"): alarm for alarm in made}


def metric_of(alarm: dict[str, Any]) -> Metric:
    """Namespace, name and dimensions of an alarm's metric."""
    dimensions = frozenset((each["Name"], each["Value"]) for each in alarm["Dimensions"])
    return alarm["Namespace"], alarm["MetricName"], dimensions


def named(kind: str, name: str) -> set[str]:
    """The names of all resources of a type in the other templates."""
    everything = {"AccountLogRole": "make", "ApiAuth": "jwt"}
    return {
        properties[name]
        for template in TEMPLATES.values()
        for properties in Stack(template, everything).of_type(kind)
    }


def watched(metric: str, dimension: str) -> set[str]:
    """The values of a dimension in the alarms of a metric."""
    return {
        dict(metric_of(alarm)[2])[dimension]
        for alarm in alarms().values()
        if alarm["MetricName"] == metric
    }


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_has_an_alarm_for_its_errors_and_one_for_its_throttles(metric):
    functions = named("AWS::Lambda::Function", "FunctionName")
    assert watched(metric, "FunctionName") == functions
    assert len(functions) >= 8


def test_every_dead_letter_queue_has_an_alarm_and_every_other_queue_one_for_its_oldest_message():
    queues = named("AWS::SQS::Queue", "QueueName")
    dead = {name for name in queues if "dead-letters" in name}
    assert watched("ApproximateNumberOfMessagesVisible", "QueueName") >= dead
    assert watched("ApproximateAgeOfOldestMessage", "QueueName") == queues - dead
    assert len(dead) >= 3


def test_each_alarm_notifies_the_topic_of_begin_and_end_and_none_without_one():
    for alarm in alarms(AlarmTopicArn=TOPIC).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    assert not any("AlarmActions" in alarm or "OKActions" in alarm for alarm in alarms().values())


def test_no_alarm_calculates_and_only_missing_runs_of_the_reconciler_are_an_alarm_without_data():
    for name, alarm in alarms().items():
        assert "Metrics" not in alarm
        wanted = "breaching" if name == "missing-runs" else "notBreaching"
        assert alarm["TreatMissingData"] == wanted


@pytest.mark.parametrize("name", alarms())
def test_the_text_of_each_alarm_leads_to_a_section_of_the_runbook(name):
    description = alarms()[name]["AlarmDescription"]
    found = re.fullmatch(r".+\. See docs/operations\.md#([a-z-]+)", description)
    assert found, description
    section = re.search(
        rf"^### {found[1].replace('-', ' ')}\n(.*?)(?=^##)", RUNBOOK, re.I | re.M | re.S
    )
    assert section, found[1]
    for part in ("**Meaning.**", "**Cause.**", "**Remedy.**"):
        assert part in section[1], f"{found[1]} has no {part}"
    names = re.search(r"^Alarms?: (.*)$", section[1], re.M)
    assert names, found[1]
    assert {f"`{name}`", f"`…{name.rpartition('-')[2]}`"} & set(re.findall("`[^`]+`", names[1]))


def test_the_diagram_has_every_state_and_only_steps_that_an_entry_can_take():
    (diagram,) = (block.text for block in blocks(RUNBOOK) if block.language == "mermaid")
    steps = re.findall(r"([A-Z_]+) --> ([A-Z_]+)", diagram)
    assert all(State(before) in REACHED_FROM[State(after)] for before, after in steps)
    assert {state for step in steps for state in step} == set(State)


def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Metric]:
    """The metrics of runs of worker and reconciler, and of each verdict."""
    run = FleetRun(2)
    run.send(*(run.ecs.event(name, request_id=name) for name in run.ecs.names))
    run.work()
    run.time.now += 60
    run.reconcile().put_metrics()
    ended = run.entry(run.ecs.names[0])
    for verdict in Verdict:
        metrics.count_verdict(type(ended)(**{**vars(ended), "verdict": verdict}))
    metrics.measure_lease_wait(1.0)
    metrics.measure_rate_limit_wait(1.0)
    metrics.count_retry("GetItem")
    metrics.count_rejected_message("m")
    for found in measurements(capsys.readouterr().out.splitlines()):
        yield found.metric


def test_every_metric_of_an_alarm_and_of_the_dashboard_is_one_that_the_functions_write(
    monkeypatch, capsys
):
    monkeypatch.setenv("UPDATER_NAME", "ecs-updater")
    known = set(written(capsys))
    own = {metric_of(alarm) for alarm in alarms().values() if alarm["Namespace"] == "ecs-updater"}
    assert len(own) == 5 and own <= known
    shown = {
        (namespace, name, frozenset(zip(pairs[::2], pairs[1::2], strict=True)))
        for widget in widgets()
        for namespace, name, *pairs in map(without_options, widget["properties"].get("metrics", []))
        if namespace == "ecs-updater"
    }
    assert own <= shown <= known
    names = {name for _, name, _ in known}
    assert names == {name for _, name, _ in shown}
    assert names == set(
        re.findall(r"^\| `([A-Z][A-Za-z]+)` \| (?:count|seconds) \|", RUNBOOK, re.M)
    )


def without_options(metric: list[Any]) -> list[str]:
    """A metric of a widget without its options."""
    return [each for each in metric if isinstance(each, str)]


def widgets(**parameters: str) -> list[dict[str, Any]]:
    """The widgets of the dashboard."""
    stack = Stack(TEMPLATE, EVERYTHING | parameters)
    (dashboard,) = stack.of_type("AWS::CloudWatch::Dashboard")
    found: list[dict[str, Any]] = json.loads(dashboard["DashboardBody"])["widgets"]
    return found


@pytest.mark.parametrize("absent", ["", *PARTS])
def test_the_dashboard_shows_every_alarm_of_the_deployed_parts_and_no_other(absent):
    given = {absent: "false"} if absent else {}
    shown = [
        arn.partition(":alarm:ecs-updater-")[2]
        for widget in widgets(**given)
        if widget["type"] == "alarm"
        for arn in widget["properties"]["alarms"]
    ]
    assert sorted(shown) == sorted(alarms(**given))
    assert (len(shown) < len(alarms())) == bool(absent)


def test_the_metrics_of_aws_on_the_dashboard_are_those_of_the_parts():
    names = named("AWS::Lambda::Function", "FunctionName") | named("AWS::SQS::Queue", "QueueName")
    names |= named("AWS::ApiGateway::RestApi", "Name")
    shown = {
        metric[3]
        for widget in widgets()
        for metric in widget["properties"].get("metrics", [])
        if metric[0] != "ecs-updater"
    }
    assert names <= shown
