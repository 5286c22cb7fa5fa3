"""The handler of direct invocations and its log: any JSON value is answered with a response or an
error of the contract and one line of the log. Neither has a secret.
"""

import json
import os
import traceback
from collections import Counter
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from ecs_updater.deployments import planner
from ecs_updater.errors import CallerFault, EcsUpdaterError, InternalError, InvalidEventError
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import CONNECTION_RESET, DENIED, REFUSED, SERVICE_ARN, THROTTLED
from support.fleet_run import FleetRun

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA0SECRET0SECRET0",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t/s3cr3t+s3cr3t",
    "AWS_SESSION_TOKEN": "t0k3n/t0k3n/t0k3n",
    "DATABASE_PASSWORD": "p4ssw0rd-p4ssw0rd",
}


@pytest.fixture(name="error_of")
def _error_of(invoke, ecs_fake, event):
    """Invokes the handler; returns the error."""

    def run(fake=ecs_fake, whole_event=None, **fields):
        with pytest.raises(EcsUpdaterError) as raised:
            invoke(fake, event(**fields) if whole_event is None else whole_event)
        return raised.value

    return run


def test_an_update_is_one_line_of_the_log_with_its_calls_and_retries(invoke, log, ecs_fake, event):
    ecs_fake.fail("DescribeServices", THROTTLED, THROTTLED)
    body = invoke(ecs_fake, event())["body"]
    (line,) = log()
    expected = {
        "level": "INFO",
        "action": "update",
        "request_id": "request-1",
        "lambda_request_id": "request-1",
        "ecs_cluster_name": "ECSCluster",
        "ecs_service_name": "ecs-dummy-service",
        "service_arn": SERVICE_ARN,
        "changed": True,
        "changes": body["changes"],
        "deployment": body["deployment"],
        "aws_calls": Counter(ecs_fake.operations),
    }
    assert expected.items() <= line.items() and line["aws_calls"]["DescribeServices"] == 3
    assert isinstance(line["duration_ms"], int) and line["duration_ms"] >= 0


@pytest.mark.parametrize(
    "fault, level, error_type",
    [(REFUSED, "WARNING", "ServiceUpdateRefusedError"), (DENIED, "ERROR", "ServiceUpdateError")],
)
def test_a_failed_update_is_one_line_of_the_log(error_of, log, ecs_fake, fault, level, error_type):
    ecs_fake.fail("UpdateService", fault)
    error = error_of()
    (line,) = log()
    assert (line["level"], line["message"], line["error_type"]) == (level, str(error), error_type)
    assert (line["request_id"], line["ecs_service_name"]) == ("request-1", "ecs-dummy-service")
    assert line["aws_calls"]["UpdateService"] == 1 and line["aws_calls"]["TagResource"] == 2
    assert "exception" not in line


def test_the_environment_configures_the_handler(invoke, ecs_fake, monkeypatch):
    environment = {
        "CLUSTER_NAME": "ECSCluster",
        "SERVICE_NAME": "ecs-dummy-service",
        "IMAGE": "busybox:2",
        "TASK_DEF": "",
    }
    monkeypatch.setattr(os, "environ", os.environ | environment)
    assert invoke(ecs_fake, {})["body"]["AFTER"]["serviceImage"] == "busybox:2"


def test_all_violations_and_the_needed_fields_are_in_the_log(error_of, log):
    error = error_of(ecs_tag=None, dry_run="x")
    (line,) = log()
    assert (line["level"], line["message"]) == ("WARNING", str(error))
    assert sorted(line["violations"]) == [
        "'ecs_tag' is a required property",
        "dry_run: 'x' is not of type 'boolean'",
    ]
    assert line["needed"] == (
        "[ERROR][json_validation] Needed: ecs_cluster_name, ecs_service_name, "
        "ecs_image_name, ecs_tag"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"ecs_tag": {"k": "v" * 5_000_000}},
        {"ecs_tag": {f"k{n}": "v" for n in range(51)}},
        {"ecs_tag": {"AWS:x": "y"}},
        {"ecs_tag": {"key\n": "v"}},
        {"ecs_tag": {"\ud800": "\udfff"}},
        {"ecs_cluster_name": "../$(id)"},
        {"ecs_cluster_name": "c" * 5_000_000},
        {"ecs_service_name": "\ud800\x1b[2J"},
        {"ecs_service_name": "arn:aws:ecs:eu-west-1:123456789012:service/other/s"},
        {"ecs_image_name": ""},
        {"ecs_image_name": "UPPER CASE\n" * 100_000},
        {"ecs_container_images": {"x": "\ud800"}},
        {"request_id": "x"},
    ],
    ids=range(13),
)
def test_a_bad_event_is_the_callers_fault_without_a_request_and_the_log_is_short(
    error_of, log, ecs_fake, fields
):
    error = error_of(**fields)
    assert isinstance(error, CallerFault) and len(str(error)) < 400 and str(error).isprintable()
    assert not ecs_fake.requests
    assert len(json.dumps(log())) < 30_000


def test_the_log_of_an_invocation_has_nothing_of_the_earlier_one(
    invoke, error_of, log, ecs_fake, event
):
    invoke(ecs_fake, event())
    error_of(whole_event=[])
    assert not any("ecs_cluster_name" in line for line in log()[1:])


def test_a_defect_becomes_an_internal_error_with_its_traceback_in_the_log(
    error_of, log, monkeypatch
):
    monkeypatch.setattr(planner, "make_plan", Mock(side_effect=ZeroDivisionError("the details")))
    error = error_of()
    assert isinstance(error, InternalError)
    assert str(error) == (
        "[ERROR][internal] ZeroDivisionError: a defect of ecs-updater, the "
        "function's log has the details"
    )
    (line,) = log()
    assert (
        "ZeroDivisionError: the details" in line["exception"] and line["request_id"] == "request-1"
    )


@pytest.mark.parametrize(
    "operation", ["DescribeServices", "RegisterTaskDefinition", "TagResource", "UpdateService"]
)
def test_the_traceback_that_lambda_returns_ends_at_the_handler(error_of, ecs_fake, operation):
    ecs_fake.fail(operation, *[CONNECTION_RESET] * 99)
    error = error_of()
    shown = "".join(traceback.format_exception(error))
    assert "botocore" not in shown and "service.py" not in shown
    assert error.__cause__ is None


@pytest.mark.parametrize(
    "operation",
    ["DescribeServices", "RegisterTaskDefinition", "TagResource", "UpdateService", None],
)
@pytest.mark.parametrize(
    "fault", [DENIED, REFUSED, CONNECTION_RESET], ids=["denied", "refused", "reset"]
)
def test_no_secret_of_environment_or_container_is_in_a_message_or_the_log(
    invoke, error_of, log, event, monkeypatch, operation, fault
):
    monkeypatch.setattr(os, "environ", os.environ | SECRETS)
    secret = {"name": "PASSWORD", "value": "c0nt41n3r-s3cr3t"}
    fake = SimulatedEcs(
        containers=[{"name": "app", "image": "busybox", "environment": [secret], "future": "f"}]
    )
    if operation:
        fake.fail(operation, *[fault] * 99)
        text = str(error_of(fake))
    else:
        text = json.dumps(invoke(fake, event()))
    text += json.dumps(log())
    assert "request-1" in text
    assert [value for value in [*SECRETS.values(), secret["value"]] if value in text] == []


@pytest.mark.parametrize("operation", ["DescribeServices", "UpdateService"])
def test_a_credential_in_a_refusal_of_aws_is_in_neither_message_nor_log(
    error_of, log, ecs_fake, operation
):
    refusal = (
        "The request signature we calculated does not match the signature you provided. The "
        "Canonical String should "
        "have been 'POST\n/\n\nhost:ecs\nx-amz-date:20240101T000000Z\n"
        f"x-amz-security-token:{SECRETS['AWS_SESSION_TOKEN']}\n'"
    )
    ecs_fake.fail(operation, (403, "InvalidSignatureException", refusal))
    text = str(error_of()) + json.dumps(log())
    assert "InvalidSignatureException" in text or "does not match the signature" in text
    assert SECRETS["AWS_SESSION_TOKEN"] not in text


def test_the_handler_updates_a_target_and_refuses_an_account_without_one_before_any_call(
    handler, monkeypatch, log
):
    run = FleetRun(1, {"shop": 1})
    monkeypatch.setattr(handler, "ECS", run.boundary)
    context = SimpleNamespace(aws_request_id="request-1")
    event = run.ecs.event("web-001")
    body = handler.lambda_handler({**event, "target": "shop"}, context)["body"]
    assert body["AFTER"]["clusterArn"] == "arn:aws:ecs:eu-central-1:222222222222:cluster/ECSCluster"
    assert log()[-1]["target"] == "shop" and log()[-1]["aws_calls"]["UpdateService"] == 1

    before = sum(run.accounts.calls.values()) + len(run.fleets["shop"].requests)
    other = "arn:aws:ecs:eu-west-1:999999999999:cluster/ECSCluster"
    with pytest.raises(InvalidEventError, match="has no target"):
        handler.lambda_handler({**event, "ecs_cluster_name": other}, context)
    after = sum(run.accounts.calls.values()) + len(run.fleets["shop"].requests)
    assert before == after and not run.ecs.requests and log()[-1]["aws_calls"] == {}
