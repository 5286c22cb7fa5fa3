"""A malformed message between two good ones: both updates are made, and the message is kept."""

import inspect
import json
import math
import sys
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.fleet_run import FleetRun

BEFORE, SERVICE, AFTER = "web-001", "web-002", "web-003"
EVENT = FleetRun(0).ecs.event(SERVICE)
DEEP = "[" * 989 + "]" * 989


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
    event = EVENT
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
        "arn:aws:ecs:us-east-1:123456789012:service/ECSCluster/web-002",
        "arn:aws:s3:::bucket",
        "arn:",
        "/",
        "web 10",
    ):
        yield f"ecs_service_name {arn}", json.dumps(event | {"ecs_service_name": arn})


BODIES = dict(bodies())


def with_value(value, *path):
    """Returns a change that sets a field of a record, or removes it for ``REMOVED``."""

    def change(record):
        *outer, name = path
        inner = record
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[name] = value
        if value is REMOVED:
            del inner[name]
        return record

    return change


REMOVED = object()
COUNTS = ("ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp")
RECORDS = {
    **{
        f"no {name}": with_value(REMOVED, name)
        for name in ("messageId", "receiptHandle", "body", "attributes", "messageAttributes")
    },
    **{
        f"no {name}": with_value(REMOVED, "attributes", name)
        for name in (*COUNTS, "MessageGroupId", "SenderId")
    },
    **{
        f"{name} {odd!r:.9}": with_value(odd, "attributes", name)
        for name in (*COUNTS, "MessageGroupId")
        for odd in (None, "x", "", [], -1, math.inf, "9" * 5000, "1.5")
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
    """Runs the worker with this message between two good ones.

    Both updates are made, and no message comes back. Returns the run.
    """
    run = FleetRun(3)
    event = EVENT if body is None else "placeholder"
    run.send(run.ecs.event(BEFORE), event, run.ecs.event(AFTER))
    records = run.queue.receive()
    if body is not None:
        records[1]["body"] = body
    records[1] = change(records[1])
    assert not run.worker().process(records)
    assert run.ecs.image(BEFORE) == run.ecs.image(AFTER) == "registry/app:2"
    return run


def check(run, reads=2):
    """Checks that the odd message is an update, a rejection in the ledger, or a dead letter."""
    assert run.ecs.buckets.calls["DescribeServices"] <= reads
    dead = run.dead_letter_queue.receive()
    rejected = [
        item for item in run.dynamodb.items.values() if item.get("verdict") == {"S": "NOT_DEPLOYED"}
    ]
    is_updated = run.ecs.image(SERVICE) == "registry/app:2"
    assert len(dead) + len(rejected) + is_updated == 1
    causes = [record["messageAttributes"]["cause"]["stringValue"] for record in dead]
    assert all(cause.startswith("[ERROR][json_validation]") for cause in causes)
    assert all(item["error_message"]["S"].startswith("[ERROR][") for item in rejected)


@pytest.mark.parametrize("kind", BODIES)
def test_a_malformed_body_does_not_affect_the_messages_beside_it(kind):
    # ECS refuses the call for all three services because of one bad name: then each has its own.
    check(work(BODIES[kind]), reads=4 if "us-east-1" in kind else 2)


@pytest.mark.parametrize("below", range(4, 24))
def test_a_field_that_is_nested_near_pythons_limit_does_not_affect_the_other_messages(below):
    """Where the limit is depends on the caller: the parse succeeds, and a later step fails."""
    depth = sys.getrecursionlimit() - len(inspect.stack(0)) - below
    check(work(text_of(EVENT, surplus="[" * depth + "]" * depth)))


@pytest.mark.parametrize("kind", RECORDS)
def test_an_odd_record_does_not_affect_the_messages_beside_it(kind):
    check(work(change=RECORDS[kind]))


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


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30)
@given(
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3),
    is_odd=st.booleans(),
    value=JSON,
)
def test_no_content_of_a_message_affects_the_messages_beside_it(fields, is_odd, value):
    path = ("attributes", sorted(fields)[0]) if is_odd else ("messageAttributes",)
    run = work(
        json.dumps(EVENT | fields), with_value(value, *path) if is_odd else lambda record: record
    )
    # One call per cluster, and one for a message with a cluster that does not exist.
    assert run.ecs.buckets.calls["DescribeServices"] <= 3


def test_a_message_that_raises_an_unexpected_error_goes_to_the_dead_letter_queue(monkeypatch):
    error = RecursionError("maximum recursion depth exceeded")
    monkeypatch.setattr("ecs_updater.worker.rejection.Rejections.write", Mock(side_effect=error))
    run = work(json.dumps(EVENT | {"surplus": 1}))
    assert "RecursionError" in run.dead_letter()[1]
