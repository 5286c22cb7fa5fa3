"""The worker: each message has one outcome, a service's messages keep their order, and what cannot
succeed is rejected at once.
"""

import json

import pytest

from ecs_updater.errors import ConfigurationError
from ecs_updater.worker.run import Worker
from support.fleet_run import FleetRun

NAMELESS = {"ecs_service_name": "c", "ecs_image_name": "x", "ecs_tag": {}}


@pytest.fixture(name="run")
def _run():
    return FleetRun(12)


@pytest.fixture(name="ten")
def _ten(run):
    """Sends an update of each of ten services; returns their names, the ids of the requests."""

    def send(*arguments, **fields):
        names = run.ecs.names[:10]
        run.send(*(run.ecs.event(name, *arguments, request_id=name, **fields) for name in names))
        return names

    return send


def test_ten_services_cost_one_describe_services_and_three_calls_each(run, ten):
    names = ten()
    assert run.work() == []
    assert run.ecs.buckets.calls == {
        "DescribeServices": 1,
        "DescribeTaskDefinition": 10,
        "RegisterTaskDefinition": 10,
        "UpdateService": 10,
    }
    assert {run.ecs.image(name) for name in names} == {"registry/app:2"}
    assert len(run.queue) == 0


def test_a_service_in_the_requested_state_costs_one_call(run, ten):
    names = ten("registry/app:1")
    run.work()
    assert run.ecs.buckets.calls == {"DescribeServices": 1, "DescribeTaskDefinition": 10}
    assert {run.entry(name).verdict for name in names} == {"NO_CHANGE"}


def test_the_worker_does_not_wait_and_the_reconciler_ends_ten_updates_with_one_call(run, ten):
    names, begin = ten(wait_seconds=600), run.time()
    run.work()
    assert run.time() - begin < 1 and run.reconcile().open == 10
    run.time.now += 60
    run.ecs.buckets.calls.clear()
    assert len(run.reconcile().ended) == 10
    assert run.ecs.buckets.calls == {"DescribeServices": 1}
    assert {run.entry(name).verdict for name in names} == {"SUCCEEDED"}


@pytest.mark.parametrize("fields", [{"request_id": "r"}, {}])
def test_a_message_that_is_delivered_twice_is_one_update(run, fields):
    run.send(run.ecs.event("web-001", **fields))
    records = run.queue.receive()
    assert run.worker().process(records) == run.worker().process(records) == []
    assert run.ecs.registered == ["web-001:2"] and run.ecs.updates == [("web-001", "web-001:2")]
    request_id = fields.get("request_id", records[0]["messageId"])
    assert run.entry(request_id).state == "DEPLOYED"


# Permanent errors


@pytest.mark.parametrize(
    "fields, cause",
    [
        (
            {"ecs_service_name": "nobody"},
            "[ERROR][ecs_service_read] ecs_service_name nobody not found",
        ),
        (
            {"ecs_cluster_name": "nowhere"},
            "[ERROR][ecs_service_read] ecs_cluster_name nowhere not found",
        ),
        ({"ecs_container_name": "other"}, "other"),
        (
            {"ecs_image_name": ":x"},
            "[ERROR][ecs_service_update] new task_definition could not be created",
        ),
        (
            {"ecs_tag": 7},
            "[ERROR][json_validation] wrong input event format: ecs_tag: 7 is not of type 'object'",
        ),
        ({"surplus": 7}, "[ERROR][json_validation]"),
        ({"action": "rollback"}, "[ERROR][json_validation]"),
    ],
)
def test_an_update_that_cannot_succeed_is_rejected_at_once_with_its_cause_in_the_ledger(
    run, fields, cause
):
    event = run.ecs.event("web-001", request_id="r") | fields
    run.send(event)
    records = run.queue.receive()
    assert run.worker().process(records) == [] and len(run.dead_letter_queue) == 0
    entry = run.entry("r")
    assert (entry.verdict, entry.is_ended, entry.may_be_repeated) == ("NOT_DEPLOYED", True, False)
    assert cause in (entry.cause or "") and cause in (entry.error_message or "")
    name = f"{event['ecs_cluster_name']}/{event['ecs_service_name']}"
    assert entry.service.endswith(f":service/{name}")
    assert run.ecs.registered == [] and run.history.unfinished() == []
    # A second delivery changes nothing.
    assert run.worker().process(records) == [] and run.entry("r") == entry


@pytest.mark.parametrize(
    "body, cause",
    [
        ("{", "the message is not valid JSON"),
        ("[1]", "the message is not a JSON object but of type list"),
        (json.dumps({"ecs_image_name": "x"}), "'ecs_cluster_name' is a required property"),
        (json.dumps({**NAMELESS, "ecs_cluster_name": "a/b"}), "neither the name"),
        (json.dumps({**NAMELESS, "ecs_cluster_name": 7}), "7 is not of type"),
        ("[" * 100_000, "the message is not valid JSON"),
        (
            json.dumps(NAMELESS)[:-1] + ', "ecs_image_name": "a", "ecs_image_name": "b"}',
            "the key 'ecs_image_name' twice",
        ),
        (
            json.dumps(NAMELESS)[:-1] + ', "ecs_tag": {"a": "1", "a": "1"}}',
            "the message has the key 'a' twice in one object",
        ),
    ],
)
def test_a_message_that_names_no_service_goes_to_the_dead_letter_queue_and_delays_no_other(
    run, body, cause
):
    run.send(body, run.ecs.event("web-001"))
    assert run.work() == [] and len(run.queue) == 0
    (record,) = run.dead_letter_queue.receive()
    assert cause in record["messageAttributes"]["cause"]["stringValue"] and record["body"] == body
    assert run.ecs.updates == [("web-001", "web-001:2")]


def test_a_message_that_the_dead_letter_queue_does_not_take_comes_back(run):
    run.dead_letter_queue.fails = True
    run.send("{")
    assert run.work() == ["message-1"] and len(run.queue) == 1


# Errors that may pass


def test_a_registration_after_the_end_of_the_function_is_left_to_the_next_worker(run):
    run.environment["ECS_RATES"] = "RegisterTaskDefinition=2/0.005"
    run.send(run.ecs.event("web-001"), run.ecs.event("web-002"), run.ecs.event("web-003"))
    assert run.work() == ["message-2", "message-3"]
    assert run.ecs.registered == ["web-001:2"] and run.queue.next_at == run.time() + 30


def test_the_updates_of_a_killed_worker_are_completed(run):
    run.send(run.ecs.event("web-001", request_id="r"), run.ecs.event("web-002", request_id="s"))
    run.kill_at("UpdateService")
    run.time.now += 1080
    run.queue.come_again()
    assert run.work() == []
    assert run.ecs.registered == ["web-001:2", "web-002:2"]
    assert run.ecs.updates == [("web-001", "web-001:2"), ("web-002", "web-002:2")]


def test_without_a_ledger_there_is_no_worker(run):
    with pytest.raises(ConfigurationError, match="LEDGER_TABLE is empty"):
        Worker({}, run.boundary, None, run.queue, run.dead_letter_queue, None)
