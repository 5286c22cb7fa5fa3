"""The reconciler and the ledger's open entries: a broken one stops no other, and each is polled,
however many there are.
"""

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from ecs_updater.context import Call
from ecs_updater.deployments.reconciler import reconcile
from ecs_updater.deployments.waiter import Waiter
from ecs_updater.ledger.entry import State
from ecs_updater_cli.batch.state import State as RowState
from support.fleet_run import START, FleetRun

KEY = "arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/"
ODD = "web-002"


@pytest.fixture(name="run")
def _run():
    """Three services with an open entry each, whose rollouts have ended."""
    run = FleetRun(3)
    run.send(*(run.ecs.event(name, request_id=name) for name in run.ecs.names))
    assert not run.work()
    run.time.now += 60
    return run


def stored(run, service=ODD):
    """Returns the item of a service's entry."""
    return next(
        item
        for (pk, sk), item in run.dynamodb.items.items()
        if pk == KEY + service and sk.startswith("UPDATE#")
    )


def without(name):
    """Returns a change that removes an attribute of an item."""
    return lambda item: item.pop(name)


def with_value(**attributes):
    """Returns a change that sets attributes of an item, in the form of the wire."""
    return lambda item: item.update(attributes)


UNREADABLE = {
    "an unknown state": with_value(state={"S": "PAUSED"}),
    "a number as the state": with_value(state={"N": "7"}),
    **{
        f"no {name}": without(name)
        for name in (
            "state",
            "before",
            "after",
            "service",
            "owner",
            "fence",
            "number",
            "cluster_arn",
        )
    },
    **{
        f"a number as {name}": with_value(**{name: {"N": "7"}})
        for name in ("before", "after", "service_arn", "answer")
    },
    "a number as images": with_value(after={"M": {"images": {"N": "7"}}}),
    "a number as a tag": with_value(before={"M": {"tags": {"M": {"a": {"N": "7"}}}}}),
    "a text as rollback": with_value(rollback={"S": "x"}, state={"S": "ROLLING_BACK"}),
    "a rollback to nothing": with_value(rollback={"M": {}}, state={"S": "ROLLING_BACK"}),
    "an answer that is not JSON": with_value(answer={"S": "{"}),
    "no time": with_value(updated_at={"S": "yesterday"}),
}
UNUSABLE = {
    "an answer without a body": with_value(answer={"S": "{}"}),
    "another service's ARN": with_value(service_arn={"S": "web-003"}),
}


def check_others(run):
    """Checks that all other updates have succeeded, and that the odd service can be updated."""
    assert {run.entry(name).verdict for name in run.ecs.names if name != ODD} == {"SUCCEEDED"}
    run.send(run.ecs.event(ODD, "registry/app:3", request_id="next"))
    assert run.work() == [] and run.ecs.image(ODD) == "registry/app:3"


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_entry_is_skipped_and_logged_and_its_service_can_be_updated(
    run, kind, caplog
):
    UNREADABLE[kind](stored(run))
    done = run.reconcile()
    (skipped,) = done.to_json()["skipped"]
    assert len(done.ended) == 2
    assert f"the entry {KEY}{ODD} UPDATE#" in skipped and "correct or delete" in skipped
    assert KEY + ODD in [getattr(record, "entry", None) for record in caplog.records]

    check_others(run)
    run.time.now += 60
    assert [entry.request_id for entry in run.reconcile().ended] == ["next"]
    assert run.entry("next").verdict == "SUCCEEDED"
    rollback = {"action": "rollback", "ecs_cluster_name": "ECSCluster", "ecs_service_name": ODD}
    run.send(rollback | {"request_id": "back"})
    assert run.work() == [] and run.entry("back").state is State.DEPLOYED


SHOWN = {
    *("an unknown state", "no owner", "no fence", "a number as answer"),
    "an answer that is not JSON",
}
"""Entries with an error that the command line does not read, or that may be of a later version."""


@pytest.mark.parametrize("kind", UNREADABLE)
def test_the_row_of_an_unreadable_entry_fails_and_the_other_rows_succeed(run, kind):
    UNREADABLE[kind](stored(run))
    run.reconcile()
    statuses = run.statuses([run.ecs.event(name, request_id=name) for name in run.ecs.names])
    odd = statuses.pop(run.ecs.names.index(ODD))
    assert {status.state for status in statuses} == {RowState.SUCCEEDED}
    if kind in SHOWN:
        assert not odd.state.is_over
    else:
        assert odd.state is RowState.FAILED
        assert f"{KEY}{ODD} UPDATE#" in odd.cause and "correct or delete" in odd.cause


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_entry_stops_no_other(run, kind):
    UNUSABLE[kind](stored(run))
    run.reconcile()
    check_others(run)


def mark(run, marker, **attributes):
    """Adds a marker of an open entry to the table."""
    item = {"pk": {"S": "OPEN"}, "sk": {"S": marker}} | attributes
    run.dynamodb._items["OPEN", marker] = item  # pylint: disable=protected-access


def lease(run, name, expires_at):
    """Gives the lease of a service to another holder."""
    run.dynamodb._items[KEY + name, "LEASE"] = {  # pylint: disable=protected-access
        "pk": {"S": KEY + name},
        "sk": {"S": "LEASE"},
        "holder": {"S": "h"},
        "fence": {"N": "1"},
        "since": {"N": "1"},
        "expires_at": {"N": str(expires_at)},
    }


@pytest.mark.parametrize(
    "marker",
    ["x", "#", f"{KEY}{ODD}#", "#000000000000007", f"{KEY}{ODD}#seven", f"{KEY}{ODD}#00000000007"],
)
def test_a_marker_without_an_entry_stops_no_other(run, marker):
    mark(run, marker)
    done = run.reconcile()
    assert len(done.ended) == 3 and len(done.skipped) <= 1
    check_others(run)


@pytest.mark.parametrize("field", ["serviceArn", "deployments", "status", "events"])
def test_an_answer_of_ecs_without_a_field_of_one_service_stops_no_other(run, field):
    shown = run.ecs.service_of(ODD).shown
    shown[field] = None
    run.reconcile()
    del shown[field]
    check_others(run)


def test_after_a_refused_call_about_all_services_each_costs_one_call(run):
    refusal = 400, "InvalidParameterException", "Invalid identifier"
    run.ecs.before = lambda request: (
        (refusal, False)
        if request.operation == "DescribeServices" and ODD in str(request.body)
        else None
    )
    run.ecs.buckets.calls.clear()
    done = run.reconcile()
    assert len(done.ended) == 2 and len(done.skipped) == 1
    assert run.ecs.buckets.calls["DescribeServices"] <= 4
    run.ecs.before = None
    check_others(run)


def test_an_entry_that_raises_an_unexpected_error_is_skipped_with_its_key(run, monkeypatch):
    poll = Waiter.poll

    def fail(self, journal, *arguments, **options):
        if ODD in journal.entry.service:
            raise RecursionError("maximum recursion depth exceeded")
        return poll(self, journal, *arguments, **options)

    monkeypatch.setattr(Waiter, "poll", fail)
    done = run.reconcile()
    (skipped,) = done.skipped
    assert len(done.ended) == 2 and skipped.startswith(KEY + ODD) and "RecursionError" in skipped
    check_others(run)


def test_the_response_to_many_skipped_entries_is_bounded(run):
    for number in range(1000):
        mark(run, f"x{number}")
    done = run.reconcile()
    skipped = done.to_json()["skipped"]
    assert len(done.skipped) == 1000 and skipped[-1] == "and 900 more, see the log"
    assert len(json.dumps(skipped)) < 100_000 and len(done.ended) == 3


def test_the_response_of_a_run_that_ends_and_skips_thousands_fits_one_line_of_the_log(run):
    done = run.reconcile()
    entry = replace(done.ended[0], service=f"{KEY}{'s' * 255}", cause="c" * 2000)
    done.ended = [entry] * 10_000
    done.skipped = [f"{entry.service}: {'r' * 2000}"] * 10_000
    answer = done.to_json()
    assert answer["endedNotListed"] == 9_900 and answer["skipped"][-1].startswith("and 9900 more")
    assert len(json.dumps(answer)) < 240_000


# More entries than one run has time for


@pytest.fixture(name="large")
def _large():
    """330 services with an open entry each."""
    run = FleetRun(330)
    run.send(run.ecs.event("web-001"))
    run.work()
    first = json.dumps(stored(run, "web-001"))
    for name in run.ecs.names[1:]:
        item = json.loads(first.replace("web-001", name)) | {"request_id": {"S": name}}
        run.dynamodb._items[item["pk"]["S"], item["sk"]["S"]] = item  # pylint: disable=protected-access
        marker = f"{KEY}{name}#{int(item['number']['N']):015d}"
        mark(run, marker, service=item["service"], number=item["number"])
    run.dynamodb.requests.clear()
    run.time.now += 60
    return run


def open_services(run):
    """Returns the services with an open entry."""
    return {
        sk.rpartition("#")[0].rpartition("/")[2] for pk, sk in run.dynamodb.items if pk == "OPEN"
    }


def reconcile_for(run, seconds, monkeypatch):
    """Runs the reconciler for this time. Each request to the ledger takes a tenth of a second."""
    end = run.time() + seconds

    def before(_):
        run.time.now += 0.1

    call = Call("reconciler", None, lambda: end - run.time(), run.clock)
    with monkeypatch.context() as patch:
        patch.setattr(run.dynamodb, "before", before)
        return reconcile({}, run.environment, run.boundary, run.table, call)


def test_each_of_hundreds_of_entries_that_stay_open_is_polled_within_six_runs(large, monkeypatch):
    for name in large.ecs.names:
        lease(large, name, large.time() + 10**6)
    polled = []
    for _ in range(6):
        large.dynamodb.requests.clear()
        assert len(reconcile_for(large, 60, monkeypatch).skipped) <= 1
        polled += [
            request.body["Key"]["pk"]["S"].rpartition("/")[2]
            for request in large.dynamodb.requests
            if request.operation == "UpdateItem" and request.body["Key"]["pk"]["S"] != "OPEN"
        ]
    counts = set(map(polled.count, large.ecs.names))
    assert min(counts) > 1 and max(counts) == min(counts) + 1, "each has its turn"


def test_an_entry_that_ends_the_run_each_time_is_skipped_by_the_next_one(large, monkeypatch):
    poison = {"web-003", "web-099", "web-100", "web-101", "web-250"}

    def killed(request):
        names = {service.rpartition("/")[2] for service in request.body.get("services", [])}
        if request.operation == "DescribeServices" and len(names) == 1 and names <= poison:
            raise KeyboardInterrupt

    large.ecs.before = killed
    for name in poison:  # So that each of them is read separately.
        stored(large, name).update(state={"S": "REGISTERED"}, deployment_id={"S": "x"})
    for _ in range(40):
        for name in poison:
            lease(large, name, large.time() - 1)
        with suppress(KeyboardInterrupt):
            reconcile_for(large, 900, monkeypatch)
        if open_services(large) <= poison:
            break
    assert open_services(large) <= poison


def test_a_hundred_open_entries_are_read_with_one_call(large, monkeypatch):
    reconcile_for(large, 10_000, monkeypatch)
    operations = [request.operation for request in large.dynamodb.requests]
    assert operations.count("BatchGetItem") == 4 and operations.count("GetItem") <= 5
    assert all(
        len(keys["Keys"]) <= 100
        for request in large.dynamodb.requests
        for keys in request.body.get("RequestItems", {}).values()
    )
    assert open_services(large) == set()


def test_few_open_entries_need_two_reads(run):
    run.dynamodb.requests.clear()
    run.reconcile()
    operations = [request.operation for request in run.dynamodb.requests[1:4]]
    assert operations == ["Query", "BatchGetItem", "UpdateItem"]


def test_an_entry_waits_from_its_begin_and_then_from_its_latest_poll(run):
    assert waits_since(run) == dict.fromkeys(run.ecs.names, START)
    for name in run.ecs.names:
        lease(run, name, run.time() + 600)
    run.reconcile()
    assert waits_since(run) == dict.fromkeys(run.ecs.names, START + 60)


def test_a_poll_of_an_entry_that_has_ended_makes_no_marker(run):
    entry = run.entry(ODD)
    run.reconcile()
    run.history.begin_poll([entry])
    assert open_services(run) == set()


@pytest.mark.parametrize("kind", [None, {"S": "yesterday"}, {"BOOL": True}])
def test_a_marker_of_an_earlier_version_comes_first(run, kind):
    polled = []
    run.ecs.before = lambda request: polled.extend(request.body.get("services", []))
    markers = [item for (pk, _), item in run.dynamodb.items.items() if pk == "OPEN"]
    for marker in markers:
        marker["waits_since"] = {"N": str(START)}
    (odd,) = (marker for marker in markers if ODD in marker["sk"]["S"])
    odd |= {"waits_since": kind}
    if kind is None:
        del odd["waits_since"]
    assert len(run.reconcile().ended) == 3
    assert polled[0].endswith(ODD) and len(polled) == 3


def waits_since(run):
    """Returns the time since which each open service waits."""
    return {
        sk.rpartition("#")[0].rpartition("/")[2]: float(item["waits_since"]["N"])
        for (pk, sk), item in run.dynamodb.items.items()
        if pk == "OPEN"
    }
