"""The worker: each message comes to one end, a service's in their order, and what cannot succeed is
said at once.
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


def test_ten_services_cost_one_describe_services_and_three_calls_each(run):
    run.send(*(run.ecs.event(name) for name in run.ecs.names[:10]))
    assert run.work() == []
    assert run.ecs.buckets.calls == {
        "DescribeServices": 1,
        "DescribeTaskDefinition": 10,
        "RegisterTaskDefinition": 10,
        "UpdateService": 10,
    }
    assert {run.ecs.image(name) for name in run.ecs.names[:10]} == {"registry/app:2"} and len(
        run.queue
    ) == 0


def test_a_service_that_has_what_is_asked_for_costs_one_call_and_nothing_is_written(run):
    run.send(
        *(run.ecs.event(name, "registry/app:1", request_id=name) for name in run.ecs.names[:10])
    )
    run.work()
    assert run.ecs.buckets.calls == {"DescribeServices": 1, "DescribeTaskDefinition": 10}
    assert {run.entry(name).verdict for name in run.ecs.names[:10]} == {"NO_CHANGE"}


def test_nobody_waits_and_the_completer_ends_what_was_begun_ten_with_one_call_and_no_other(run):
    run.send(
        *(run.ecs.event(name, request_id=name, wait_seconds=600) for name in run.ecs.names[:10])
    )
    begin = run.time()
    run.work()
    assert run.time() - begin < 1 and run.complete().open == 10
    run.time.now += 60
    run.ecs.buckets.calls.clear()
    assert len(run.complete().ended) == 10
    assert run.ecs.buckets.calls == {"DescribeServices": 1}
    assert {run.entry(name).verdict for name in run.ecs.names[:10]} == {"SUCCEEDED"}


def test_a_service_whose_update_came_twice_gets_it_once(run):
    run.send(run.ecs.event("web-001", request_id="r"))
    records = run.queue.receive()
    assert run.worker().process(records) == run.worker().process(records) == []
    assert run.ecs.registered == ["web-001:2"] and run.ecs.updates == [("web-001", "web-001:2")]


def test_without_a_request_id_the_messages_own_id_tells_a_second_delivery(run):
    run.send(run.ecs.event("web-001"))
    records = run.queue.receive()
    run.worker().process(records)
    run.worker().process(records)
    assert (
        run.ecs.updates == [("web-001", "web-001:2")]
        and run.entry(records[0]["messageId"]).state == "DEPLOYED"
    )


def test_two_messages_of_one_service_are_worked_off_in_their_order(run):
    run.send(run.ecs.event("web-001", "registry/app:2"), run.ecs.event("web-001", "registry/app:3"))
    assert run.work() == []
    assert [revision for _, revision in run.ecs.updates] == ["web-001:2", "web-001:3"]
    assert run.ecs.image("web-001") == "registry/app:3"


# What cannot succeed


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
def test_what_cannot_succeed_is_in_the_ledger_at_once_with_its_cause_and_does_not_come_again(
    run, fields, cause
):
    run.send(run.ecs.event("web-001", request_id="r") | fields)
    assert run.work() == [] and len(run.queue) == 0 and len(run.letters) == 0
    entry = run.entry("r")
    assert (entry.verdict, entry.is_ended, entry.may_be_repeated) == ("NOT_DEPLOYED", True, False)
    assert cause in (entry.cause or "") and cause in (entry.error_message or "")
    cluster, service = (
        fields.get("ecs_cluster_name", "ECSCluster"),
        fields.get("ecs_service_name", "web-001"),
    )
    assert entry.service.endswith(f":service/{cluster}/{service}")
    assert run.ecs.registered == [] and run.history.unfinished() == []


def test_a_second_delivery_of_what_cannot_succeed_changes_nothing(run):
    run.send(run.ecs.event("nobody", request_id="r"))
    records = run.queue.receive()
    run.worker().process(records)
    first = run.entry("r")
    assert run.worker().process(records) == [] and run.entry("r") == first


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
def test_what_names_no_service_goes_to_the_dead_letters_at_once_and_the_others_are_worked_off(
    run, body, cause
):
    run.send(body, run.ecs.event("web-001"))
    assert run.work() == [] and len(run.queue) == 0
    (letter,) = run.letters.receive()
    assert cause in letter["messageAttributes"]["cause"]["stringValue"] and letter["body"] == body
    assert run.ecs.updates == [("web-001", "web-001:2")]


def test_a_message_that_cannot_be_moved_comes_again(run):
    run.letters.fails = True
    run.send("{")
    assert run.work() == ["message-1"] and len(run.queue) == 1


# What may succeed later


def test_a_registration_that_would_come_too_late_is_left_for_the_next_worker_without_a_token(run):
    run.environment["ECS_RATES"] = "RegisterTaskDefinition=2/0.005"
    run.send(run.ecs.event("web-001"), run.ecs.event("web-002"), run.ecs.event("web-003"))
    assert run.work() == ["message-2", "message-3"]
    assert run.ecs.registered == ["web-001:2"] and run.queue.next_at == run.time() + 30


def test_with_no_time_left_nothing_is_begun(run):
    run.send(run.ecs.event("web-001"))
    assert run.work(seconds=44) == ["message-1"]
    assert run.ecs.updates == [] and run.queue.next_at == run.time()


def test_a_worker_that_was_killed_leaves_nothing_half_done(run):
    run.send(run.ecs.event("web-001", request_id="r"), run.ecs.event("web-002", request_id="s"))
    run.kill_at("UpdateService")
    run.time.now += 1080
    run.queue.come_again()
    assert run.work() == []
    assert run.ecs.registered == ["web-001:2", "web-002:2"]
    assert run.ecs.updates == [("web-001", "web-001:2"), ("web-002", "web-002:2")]


# Batches


def test_after_so_many_failures_what_has_not_begun_is_not_started_and_says_why(run):
    events = [run.ecs.event(name) for name in ("nobody-1", "nobody-2", "web-001", "web-002")]
    ids = run.begin_batch(events, max_failures=2)
    run.work(most=2)
    run.work()
    assert [run.entry(one).verdict for one in ids] == [
        "NOT_DEPLOYED",
        "NOT_DEPLOYED",
        "NOT_STARTED",
        "NOT_STARTED",
    ]
    for one in ids[2:]:
        assert "no further update of the batch starts: 2 failed and max_failures is 2" in (
            run.entry(one).cause or ""
        )
    assert run.ecs.updates == []


def test_a_failure_counts_when_the_completer_ends_it_too(run):
    ids = run.begin_batch([run.ecs.event("web-001")], max_failures=5)
    run.work()
    run.ecs.failing.add("web-001")
    run.time.now += 600
    run.complete()
    assert run.entry(ids[0]).verdict == "FAILED"
    found = run.batches.find("b")
    assert found and found.failures == 1


def test_who_stops_a_batch_stops_what_has_not_begun(run):
    ids = run.begin_batch([run.ecs.event("web-001"), run.ecs.event("web-002")])
    run.work(most=1)
    run.batches.stop("b", "stopped by somebody")
    run.work()
    assert (run.entry(ids[0]).state, run.entry(ids[1]).verdict) == ("DEPLOYED", "NOT_STARTED")
    assert "stopped by somebody" in (run.entry(ids[1]).cause or "")


def test_without_a_ledger_there_is_no_worker(run):
    with pytest.raises(ConfigurationError, match="LEDGER_TABLE is empty"):
        Worker({}, run.boundary, None, run.queue, run.letters, None)
