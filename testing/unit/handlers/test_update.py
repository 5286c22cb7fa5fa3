"""The direct door and the log: any JSON value in, an answer or one of our errors out, one line of
log, no secret in either.
"""

import json
import traceback

import pytest

from ecs_updater.deployments import planner
from ecs_updater.errors import CallerFault, EcsUpdaterError, InternalError
from fakes.fake_ecs import CONNECTION_RESET, DENIED, REFUSED, SERVICE_ARN, THROTTLED, FakeEcs

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA0SECRET0SECRET0",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t/s3cr3t+s3cr3t",
    "AWS_SESSION_TOKEN": "t0k3n/t0k3n/t0k3n",
    "DATABASE_PASSWORD": "p4ssw0rd-p4ssw0rd",
}


def error_of(invoke, fake, event):
    """The error that the invocation ends with."""
    with pytest.raises(EcsUpdaterError) as raised:
        invoke(fake, event)
    return raised.value


def test_one_line_tells_of_an_update(invoke, log, ecs_fake, event):
    body = invoke(ecs_fake, event())["body"]
    (line,) = log()
    assert line["level"] == "INFO" and line["request_id"] == "request-1"
    assert (line["ecs_cluster_name"], line["ecs_service_name"]) == (
        "ECSCluster",
        "ecs-dummy-service",
    )
    assert line["service_arn"] == SERVICE_ARN
    assert (line["changed"], line["changes"], line["deployment"]) == (
        True,
        body["changes"],
        body["deployment"],
    )
    assert line["aws_calls"] == dict.fromkeys(sorted(ecs_fake.operations), 1)
    assert isinstance(line["duration_ms"], int) and line["duration_ms"] >= 0


def test_retries_are_counted_in_the_log(invoke, log, ecs_fake, event):
    ecs_fake.fail("DescribeServices", THROTTLED, THROTTLED)
    invoke(ecs_fake, event())
    assert log()[0]["aws_calls"]["DescribeServices"] == 3


@pytest.mark.parametrize(
    "fault, level, error_type",
    [(REFUSED, "WARNING", "ServiceUpdateRefusedError"), (DENIED, "ERROR", "ServiceUpdateError")],
)
def test_one_line_tells_of_an_update_that_failed(
    invoke, log, ecs_fake, event, fault, level, error_type
):
    ecs_fake.fail("UpdateService", fault)
    error = error_of(invoke, ecs_fake, event())
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
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert invoke(ecs_fake, {})["body"]["AFTER"]["serviceImage"] == "busybox:2"


def test_all_violations_and_the_needed_fields_are_in_the_log(invoke, log, ecs_fake, event):
    error = error_of(invoke, ecs_fake, event(ecs_tag=None, dry_run="x"))
    messages = [line["message"] for line in log()]
    assert sorted(messages[:2]) == [
        "[ERROR][json_validation] 'ecs_tag' is a required property",
        "[ERROR][json_validation] dry_run: 'x' is not of type 'boolean'",
    ]
    assert messages[2:] == [
        (
            "[ERROR][json_validation] Needed: ecs_cluster_name, ecs_service_name, "
            "ecs_image_name, ecs_tag"
        ),
        str(error),
    ]
    assert {line["request_id"] for line in log()} == {"request-1"}


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
def test_a_bad_event_is_the_callers_fault_found_without_a_request_and_the_log_stays_short(
    invoke, log, ecs_fake, event, fields
):
    error = error_of(invoke, ecs_fake, event(**fields))
    assert isinstance(error, CallerFault) and len(str(error)) < 400 and str(error).isprintable()
    assert not ecs_fake.requests
    assert len(json.dumps(log())) < 30_000


def test_one_invocation_leaves_nothing_in_the_log_of_the_next(invoke, log, ecs_fake, event):
    invoke(ecs_fake, event())
    error_of(invoke, ecs_fake, [])
    assert not any("ecs_cluster_name" in line for line in log()[1:])


def test_a_defect_becomes_an_internal_error_and_its_traceback_stays_in_the_log(
    invoke, log, ecs_fake, event, monkeypatch
):
    def defect(*_):
        raise ZeroDivisionError("the details")

    monkeypatch.setattr(planner, "make_plan", defect)
    error = error_of(invoke, ecs_fake, event())
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
def test_what_lambda_shows_of_an_error_has_no_frame_of_ours_below_the_handler_and_none_of_aws(
    invoke, ecs_fake, event, operation
):
    ecs_fake.fail(operation, *[CONNECTION_RESET] * 99)
    error = error_of(invoke, ecs_fake, event())
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
    invoke, log, event, monkeypatch, operation, fault
):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    secret = {"name": "PASSWORD", "value": "c0nt41n3r-s3cr3t"}
    fake = FakeEcs([{"name": "app", "image": "busybox", "environment": [secret], "future": "f"}])
    if operation:
        fake.fail(operation, *[fault] * 99)
        told = str(error_of(invoke, fake, event()))
    else:
        told = json.dumps(invoke(fake, event()))
    told += json.dumps(log())
    assert "request-1" in told
    assert [value for value in [*SECRETS.values(), secret["value"]] if value in told] == []


@pytest.mark.parametrize("operation", ["DescribeServices", "UpdateService"])
def test_a_credential_that_aws_repeats_in_its_refusal_is_in_neither_message_nor_log(
    invoke, log, ecs_fake, event, operation
):
    refusal = (
        "The request signature we calculated does not match the signature you provided. The "
        "Canonical String should "
        "have been 'POST\n/\n\nhost:ecs\nx-amz-date:20240101T000000Z\n"
        f"x-amz-security-token:{SECRETS['AWS_SESSION_TOKEN']}\n'"
    )
    ecs_fake.fail(operation, (403, "InvalidSignatureException", refusal))
    told = str(error_of(invoke, ecs_fake, event())) + json.dumps(log())
    assert "InvalidSignatureException" in told or "does not match the signature" in told
    assert SECRETS["AWS_SESSION_TOKEN"] not in told
