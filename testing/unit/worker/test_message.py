"""One malformed message of any kind beside nine good ones: the nine are done, and the one is lost
nowhere.
"""

import inspect
import json
import math
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.fleet_run import FleetRun

GOOD = [f"web-{number:03d}" for number in range(1, 10)]
SERVICE, DEEP = "web-010", "[" * 989 + "]" * 989


def text_of(event, **raw):
    """The event as a message has it, with some fields as raw text of JSON."""
    fields = [
        f"{json.dumps(name)}: {json.dumps(value)}"
        for name, value in event.items()
        if name not in raw
    ]
    fields += [f"{json.dumps(name)}: {text}" for name, text in raw.items()]
    return f"{{{', '.join(fields)}}}"


def bodies():
    """Texts by what is wrong with them."""
    event = FleetRun(0).ecs.event(SERVICE)
    yield from {
        "empty": "",
        "no JSON": "{",
        "a string": '"text"',
        "an array": "[]",
        "an array of events": json.dumps([event]),
        "null": "null",
        "a number": "7",
        "a boolean": "true",
        "an empty object": "{}",
        "a byte order mark": "\ufeff{}",
        "half a character": "\ud800",
        "5,000 deep": "[" * 5000,
        "200,000 deep": "[" * 200_000,
        "989 deep": DEEP,
        "989 objects deep": '{"a":' * 989 + "1" + "}" * 989,
        "a key twice": '{"ecs_image_name": "registry/app:2", ' + json.dumps(event)[1:],
    }.items()
    odd = {
        "989 deep": DEEP,
        "900 objects deep": '{"a":' * 900 + "1" + "}" * 900,
        "60 deep": "[" * 60 + "]" * 60,
        "NaN": "NaN",
        "Infinity": "-Infinity",
        "5,000 digits": "9" * 5000,
        "4,000 digits": "9" * 4000,
        "1e999": "1e999",
        "null": "null",
        "half a character": '"\\ud800"',
        "a list": "[1]",
        "a newline": '"a\\nb"',
        "200,000 characters": json.dumps("x" * 200_000),
    }
    for name in ("ecs_service_name", "ecs_tag", "request_id", "surplus"):
        yield from (
            (f"{name}: {what}", text_of(event, **{name: text})) for what, text in odd.items()
        )
    yield from (
        (f"action: {what}", text_of(event, action=odd[what]))
        for what in ("989 deep", "null", "a list")
    )
    for name in ("ecs_service_name", "ecs_cluster_name", "ecs_image_name", "ecs_tag"):
        yield (
            f"without {name}",
            json.dumps({key: value for key, value in event.items() if key != name}),
        )
    yield "a tag that is half a character", text_of(event, ecs_tag='{"\\ud800": "\\udfff"}')
    for arn in (
        "arn:aws:ecs:us-east-1:123456789012:service/ECSCluster/web-010",
        "arn:aws:s3:::bucket",
        "arn:",
        "/",
        "web 10",
    ):
        yield f"ecs_service_name {arn}", json.dumps(event | {"ecs_service_name": arn})


BODIES = dict(bodies())


def without(*path):
    """Takes a field out of a record."""

    def change(record):
        *outer, name = path
        inner = record
        for one in outer:
            inner = inner[one]
        del inner[name]
        return record

    return change


def with_value(value, *path):
    """Gives a field of a record another value."""

    def change(record):
        *outer, name = path
        inner = record
        for one in outer:
            inner = inner.setdefault(one, {})
        inner[name] = value
        return record

    return change


ODD_VALUES = (None, "x", "", [], -1, math.inf, "9" * 5000, "1.5")
COUNTS = ("ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp")
RECORDS = {
    **{
        f"no {name}": without(name)
        for name in ("messageId", "receiptHandle", "body", "attributes", "messageAttributes")
    },
    **{
        f"no {name}": without("attributes", name)
        for name in (*COUNTS, "MessageGroupId", "SenderId")
    },
    **{
        f"{name} {odd!r:.9}": with_value(odd, "attributes", name)
        for name in (*COUNTS, "MessageGroupId")
        for odd in ODD_VALUES
    },
    **{
        f"{name} {odd!r}": with_value(odd, name)
        for name in ("body", "attributes", "messageAttributes")
        for odd in (None, 7, "x")
    },
    **{
        f"a batch {value!r:.9}": with_value({"stringValue": value}, "messageAttributes", "batch")
        for value in (7, [], "b" * 3000)
    },
    "a batch that is bytes": with_value({"binaryValue": "eA=="}, "messageAttributes", "batch"),
    "a batch that is text": with_value("b", "messageAttributes", "batch"),
    **{
        f"the record is {value!r}": lambda record, value=value: value
        for value in (None, 7, "text", [], {})
    },
}


def work(body=None, change=lambda record: record):
    """The worker with nine good messages and this one in the middle; the run, and the ids of those
    that come again.
    """
    run = FleetRun(10)
    event = run.ecs.event(SERVICE)
    events = [run.ecs.event(name) for name in GOOD]
    run.send(*events[:4], event if body is None else "placeholder", *events[4:])
    records = run.queue.receive()
    if body is not None:
        records[4]["body"] = body
    records[4] = change(records[4])
    return run, run.worker().process(records)


def check(run, failed, reads=2):
    """The nine are done, and the one is done, refused in the ledger, or in the dead-letter
    queue.
    """
    assert {run.ecs.image(name) for name in GOOD} == {"registry/app:2"} and not failed
    assert run.ecs.buckets.calls["DescribeServices"] <= reads
    letters = run.dead_letter_queue.receive()
    refused = [
        item for item in run.dynamodb.items.values() if item.get("verdict") == {"S": "NOT_DEPLOYED"}
    ]
    is_done = run.ecs.image(SERVICE) == "registry/app:2"
    assert len(letters) + len(refused) + is_done == 1
    for letter in letters:
        assert letter["messageAttributes"]["cause"]["stringValue"].startswith(
            "[ERROR][json_validation]"
        )
    for item in refused:
        assert item["error_message"]["S"].startswith("[ERROR][")


@pytest.mark.parametrize("kind", BODIES)
def test_a_malformed_body_beside_nine_good_messages_costs_them_nothing(kind):
    # A name that only ECS can refuse makes it refuse the call for all ten: then each has one of its
    # own.
    check(*work(BODIES[kind]), reads=11 if "us-east-1" in kind else 2)


@pytest.mark.parametrize("below", range(4, 24))
def test_a_field_that_is_nested_about_as_deep_as_python_can_read_costs_the_others_nothing(below):
    """Where Python's limit is met depends on who calls: reading goes well, and what comes after it
    does not.
    """
    depth = sys.getrecursionlimit() - len(inspect.stack(0)) - below
    check(*work(text_of(FleetRun(0).ecs.event(SERVICE), surplus="[" * depth + "]" * depth)))


@pytest.mark.parametrize("kind", RECORDS)
def test_an_odd_record_beside_nine_good_messages_costs_them_nothing(kind):
    check(*work(change=RECORDS[kind]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = (
    "ecs_service_name",
    "ecs_cluster_name",
    "ecs_image_name",
    "ecs_tag",
    "request_id",
    "action",
    "dry_run",
    "wait_seconds",
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3),
    is_odd=st.booleans(),
    value=JSON,
)
def test_whatever_a_message_says_the_nine_others_are_done(fields, is_odd, value):
    event = FleetRun(0).ecs.event(SERVICE) | fields
    path = ("attributes", sorted(fields)[0]) if is_odd else ("messageAttributes",)
    run, failed = work(
        json.dumps(event), with_value(value, *path) if is_odd else lambda record: record
    )
    assert {run.ecs.image(name) for name in GOOD} == {"registry/app:2"} and not failed
    # One per cluster, and one by the message of a cluster that does not exist.
    assert run.ecs.buckets.calls["DescribeServices"] <= 3


def test_a_message_that_raises_the_unexpected_is_a_dead_letter_and_the_others_are_done(monkeypatch):
    def fail(_self, event, *_):
        if event["ecs_service_name"] == SERVICE:
            raise RecursionError("maximum recursion depth exceeded")
        raise AssertionError

    monkeypatch.setattr("ecs_updater.worker.rejection.Rejections.write", fail)
    run, failed = work(json.dumps(FleetRun(0).ecs.event(SERVICE, surplus=1)))
    assert {run.ecs.image(name) for name in GOOD} == {"registry/app:2"} and not failed
    assert "RecursionError" in run.dead_letter()[1]
