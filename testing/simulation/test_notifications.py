"""Each verdict is sent once it is final, whatever fails, with one id: an event to the bus and a
message to the topic.
"""

import json
from dataclasses import replace
from importlib import resources

import pytest
from botocore.useragent import UserAgentString
from jsonschema import Draft4Validator

from ecs_updater.aws.dynamodb import Put
from ecs_updater.context import Call
from ecs_updater.deployments.notifier import REPEATABLE_SECONDS, Notifier
from ecs_updater.deployments.reconciler import Reconciliation
from ecs_updater.errors import LeaseHeldError
from ecs_updater.ledger.entry import iso, notify_item, to_item
from ecs_updater.ledger.lease import LEASE_SECONDS, Holder, Leases
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.wire import DENIED, SERVICE_ARN, THROTTLED
from support.fault_runs import BAD, GOOD, TIMING
from support.rollout_world import Function
from support.sampling import sample
from support.trouble import FAILURES, KILLS, Reach, Trouble
from support.verdict_run import VerdictRun

SCHEMA = Draft4Validator(
    json.loads(resources.files("ecs_updater").joinpath("schemas/verdict-event.json").read_text())
)
OTHER = SERVICE_ARN.replace("dummy-service", "other-service")
READS = ("Describe", "List", "Get", "Query", "BatchGet")


@pytest.fixture(name="run")
def _run(make_world):
    """A world with a bus and a topic."""
    return VerdictRun(make_world())


def add_verdicts(run, count, first=1000):
    """Stores ended updates with these numbers whose verdicts are not sent."""
    if not run.world.history:
        run.world.update(2)
        run.world.dynamodb.delete("NOTIFY", *run.markers)
    ended = run.world.history[0]
    for number in range(first, first + count):
        entry = replace(ended, number=number, request_id=f"more-{number}")
        run.world.table.put(Put(to_item(entry)))
        run.world.table.put(Put(notify_item(entry)))


def test_the_event_of_a_verdict_has_what_changed_and_is_valid(run):
    answer = run.world.update(2, request_id="first", rollback_on_failure=True)
    assert answer.verdict == "SUCCEEDED" and not run.bus.entries
    assert run.reconcile().notified == 1
    (entry,), (detail,) = run.bus.entries, run.bus.details
    SCHEMA.validate(detail)
    assert entry["Source"] == "ecs-updater" and entry["DetailType"] == "ECS Update Verdict"
    assert entry["Resources"] == [SERVICE_ARN]
    assert iso(entry["Time"]) == detail["endedAt"]
    expected = {
        "version": "1",
        "requestId": "first",
        "action": "update",
        "verdict": "SUCCEEDED",
        "cluster": "ECSCluster",
        "service": "ecs-dummy-service",
        "account": "123456789012",
        "region": "eu-west-1",
        "image": {
            "before": {"ecs-dummy-container": "busybox"},
            "after": {"ecs-dummy-container": "app:2"},
        },
        "changed": True,
        "caller": "test",
    }
    assert {name: detail[name] for name in expected} == expected
    names = {side: arn.rpartition("/")[2] for side, arn in detail["taskDefinition"].items()}
    assert names == {"before": "ecs-dummy-task:1", "after": "ecs-dummy-task:2"}
    assert detail["durationSeconds"] > 0 and "errorType" not in detail
    assert run.reconcile().notified == 0 and not run.markers
    assert len(run.bus.entries) == len(run.topic.events) == 1


@pytest.mark.parametrize(
    ("fields", "image", "verdicts"),
    [
        ({"ecs_image_name": "busybox", "ecs_tag": None}, GOOD, ["NO_CHANGE"]),
        ({"wait_seconds": 0}, GOOD, ["SUCCEEDED"]),
        ({"wait_seconds": 0, "rollback_on_failure": True}, BAD, ["ROLLED_BACK"]),
    ],
)
def test_a_run_sends_the_verdicts_that_it_finds_itself(run, fields, image, verdicts):
    run.world.ecs.publish("app:2", image)
    tags = {"ecs_tag": dict(run.world.ecs.service.tags)} if "ecs_tag" in fields else {}
    run.world.send(**{**fields, **tags})
    for _ in range(8):
        run.world.pass_time(60)
        run.reconcile()
    assert run.bus.verdicts == verdicts
    for detail in run.bus.details:
        SCHEMA.validate(detail)
        assert (detail.get("errorType") is None) == (image is GOOD)


def test_a_run_for_one_service_sends_the_verdicts_of_all(run):
    run.world.update(2)
    event = {"detail-type": "ECS Deployment State Change", "resources": [OTHER]}
    assert run.reconcile(event).notified == 1


def test_without_channels_the_markers_go(run):
    run.world.update(2)
    assert run.markers
    run.channels = ()
    assert run.reconcile().skipped == [] and not run.markers


def test_a_failing_bus_stops_neither_the_reconciliation_nor_the_topic(run):
    run.bus.fail("PutEvents", DENIED, times=99)
    run.world.update(2)
    run.world.update(3, wait_seconds=0)
    run.world.pass_time(60)
    done = run.reconcile()
    assert [entry.verdict for entry in done.ended] == ["SUCCEEDED"] and done.notified == 0
    assert len(done.skipped) == 1 and "not authorized" in done.skipped[0]
    assert len(run.topic.events) == 2 and not run.bus.entries
    run.reconcile()
    assert len(run.topic.events) == 2  # Only the bus is left.
    run.bus.stop_failing()
    assert run.reconcile().notified == 2 and not run.markers
    assert len(run.topic.events) == len(run.bus.entries) == 2


def test_a_failing_topic_does_not_repeat_events(run):
    run.topic.is_there = False
    run.world.update(2)
    for _ in range(3):
        assert run.reconcile().notified == 0
    assert len(run.bus.entries) == 1
    run.topic.is_there = True
    assert run.reconcile().notified == 1 and len(run.bus.entries) == 1 and not run.markers


def test_after_a_failure_of_bus_and_topic_both_get_the_verdict(run):
    run.topic.is_there = False
    run.bus.fail("PutEvents", DENIED, times=9)
    run.world.update(2)
    assert run.reconcile().notified == 0
    run.topic.is_there = True
    run.bus.stop_failing()
    assert run.reconcile().notified == 1 and not run.markers
    assert len(run.topic.events) == len(run.bus.entries) == 1


def test_a_failing_bus_is_called_once_in_a_run(run):
    add_verdicts(run, 150)
    run.channels = run.channels[:1]
    run.bus.fail("PutEvents", DENIED, times=99)
    before = len(run.world.dynamodb.requests)
    assert run.reconcile().notified == 0 and len(run.bus.requests) == 1
    operations = [each.operation for each in run.world.dynamodb.requests[before:]]
    assert operations.count("BatchGetItem") == 1  # The other verdicts are not read.
    run.channels += (run.topic,)
    assert run.reconcile().notified == 0 and len(run.bus.requests) == 2
    assert len(run.topic.events) == 150


def test_a_failing_table_stops_no_reconciliation(run):
    run.world.update(2)
    run.world.dynamodb.fail("Query", DENIED, times=9)
    call = Call("run", None, lambda: 300.0, run.world.clock)
    result = Reconciliation()
    notifier = Notifier(run.world.table, run.channels, run.world.boundary.targets, call, result)
    notifier.send()
    (reason,) = result.skipped
    assert reason.startswith("verdicts: ") and "not authorized" in reason


def test_an_event_that_the_bus_does_not_take_stays_and_the_others_go(run):
    run.world.update(2, 3, 4)
    run.bus.refuses = lambda detail: detail["requestId"] == "invocation-2"
    done = run.reconcile()
    assert (done.notified, len(done.skipped), len(run.markers)) == (2, 1, 1)
    assert "InternalFailure: not now" in done.skipped[0]
    run.bus.refuses = lambda _: False
    assert run.reconcile().notified == 1 and not run.markers
    requests = [detail["requestId"] for detail in run.bus.details]
    assert requests == ["invocation-1", "invocation-3", "invocation-2"]


def test_a_transient_failure_is_sent_after_an_hour_unless_it_was_repeated(run):
    for request_id in ("repeated", "left"):
        run.world.ecs.fail("UpdateService", THROTTLED, times=9)
        assert run.world.send(request_id=request_id).verdict == "ServiceUpdateError"
        run.world.ecs.stop_failing()
    assert run.reconcile().notified == 0
    assert run.world.send(request_id="repeated", wait_seconds=60).verdict == "SUCCEEDED"
    assert run.reconcile().notified == 1 and run.bus.verdicts == ["SUCCEEDED"]
    run.world.pass_time(REPEATABLE_SECONDS - 120)
    assert run.reconcile().notified == 0
    run.world.pass_time(120)
    assert run.reconcile().notified == 1 and not run.markers
    assert run.bus.verdicts == ["SUCCEEDED", "NOT_DEPLOYED"]
    assert [detail["requestId"] for detail in run.bus.details] == ["repeated", "left"]


def test_while_another_run_sends_this_one_waits_and_leaves_the_verdicts_to_it(run):
    run.world.update(2)
    leases = Leases(run.world.table, clock=run.world.clock.epoch, sleep=run.world.clock.sleep)
    holder = Holder.of("another run")
    leases.acquire("NOTIFIER", holder)
    assert run.reconcile().notified == 0 and run.markers and not run.bus.entries
    leases.release("NOTIFIER", holder)
    assert run.reconcile().notified == 1


def test_a_run_with_little_time_does_not_wait_for_another(run):
    run.world.update(2)
    leases = Leases(run.world.table, clock=run.world.clock.epoch, sleep=run.world.clock.sleep)
    leases.acquire("NOTIFIER", Holder.of("another run"))
    begun = run.world.clock.now()
    assert run.reconcile(seconds=20.0).notified == 0
    assert run.world.clock.now() - begun < 1


def test_a_run_keeps_the_others_away_until_all_is_sent(run):
    """The other one ends early, and its verdict is sent, too."""
    add_verdicts(run, 30)
    leases = Leases(run.world.table, clock=run.world.clock.epoch, sleep=run.world.clock.sleep)

    def slow(_, send):
        run.world.pass_time(LEASE_SECONDS * 0.6)
        with pytest.raises(LeaseHeldError):
            leases.acquire("NOTIFIER", Holder.of("another run"))
        if not run.bus.entries:
            add_verdicts(run, 1, first=1)
        return send()

    run.bus.around = slow
    assert run.reconcile(seconds=900.0).notified == 31 and not run.markers
    assert len({detail["id"] for detail in run.bus.details}) == 31


def test_a_marker_that_names_no_entry_stops_no_other(run):
    run.world.update(2)
    run.world.table.put(Put({"pk": "NOTIFY", "sk": "nonsense"}))
    done = run.reconcile()
    assert done.notified == 1 and list(run.markers) == ["nonsense"]
    assert "the item NOTIFY nonsense names no entry" in done.skipped[0]


def test_a_marker_of_a_deleted_entry_goes_and_one_of_an_unreadable_entry_stays(run):
    run.world.update(2, 3)
    items = run.world.dynamodb.items
    first, second = sorted(key for key in items if key[1].startswith("UPDATE#"))
    run.world.dynamodb.delete(*first)
    items[second]["state"] = {"S": "PAUSED"}
    done = run.reconcile()
    assert done.notified == 0 and len(done.skipped) == 1 and "cannot be read" in done.skipped[0]
    assert list(run.markers) == [f"{SERVICE_ARN}#{second[1].rpartition('#')[2]}"]


def test_many_verdicts_go_in_calls_of_ten_and_the_next_run_sends_what_one_has_no_time_for(run):
    add_verdicts(run, 250)
    run.bus.around = lambda _, send: (run.world.pass_time(2), send())[1]
    done = run.reconcile(seconds=47.0)
    assert 0 < done.notified < 250 and "no time left" in done.skipped[0]
    assert len(run.markers) == 250 - done.notified
    assert done.notified + run.reconcile().notified == 250 and not run.markers
    assert len(run.bus.requests) == 25 == len(run.bus.entries) / 10
    assert len({detail["id"] for detail in run.bus.details}) == 250


# Faults and kills


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


@pytest.fixture(name="begin")
def _begin(function, monkeypatch):
    """Begins runs with one verdict that waits and one that the reconciler finds."""
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")

    def begin():
        world = function.world(timing=TIMING, time_out=1)
        world.ecs.clock.drive_sdk(monkeypatch)
        world.update(2, image=GOOD, request_id="first")
        world.update(3, image=GOOD, request_id="second", wait_seconds=0)
        world.pass_time(60)
        return VerdictRun(world)

    return begin


def troubles(requests):
    """Every request fails in every way, and the process is killed there."""
    for at, (_, operation) in enumerate(requests):
        for kind in FAILURES + KILLS:
            if not kind.after_effect or not operation.startswith(READS):
                yield Trouble(at, kind, Reach.ONCE)
                yield Trouble(at, kind, Reach.CALL)
                yield Trouble(at, kind, Reach.OUTAGE)


def test_after_any_fault_or_kill_each_verdict_arrives_and_always_with_its_one_id(begin, figure):
    run = begin()
    assert run.outcome().answer["notified"] == 2
    requests = list(run.world.process.sent)
    assert ("events", "PutEvents") in requests
    runs = repeated = 0
    for trouble in sample(troubles(requests)):
        run = begin()
        run.world.at_next = trouble
        outcome = run.outcome()
        assert outcome.was_killed == trouble.kind.kills, (str(trouble), outcome.text)
        for _ in range(3):
            run.world.pass_time(LEASE_SECONDS + 1)
            done = run.reconcile()
        assert not done.skipped and not run.markers, str(trouble)
        by_request = {name: set() for name in ("first", "second")}
        for detail in run.bus.details:
            SCHEMA.validate(detail)
            by_request[detail["requestId"]].add((detail["id"], detail["verdict"]))
        assert [len(ids) for ids in by_request.values()] == [1, 1], str(trouble)
        assert {verdict for ids in by_request.values() for _, verdict in ids} == {"SUCCEEDED"}
        has_reached_the_bus = trouble.at >= requests.index(("events", "PutEvents"))
        assert len(run.bus.entries) == 2 or has_reached_the_bus, str(trouble)
        runs += 1
        repeated += len(run.bus.entries) > 2
    figure("faults: verdicts", f"{len(requests)} requests, {runs} runs, {repeated} sent again")
