"""The reconciler and the ledger's open entries: one that is odd stops nobody, and each is looked at
however many there are.
"""

import copy
import json

import pytest

from ecs_updater.context import Call
from ecs_updater.deployments.reconciler import reconcile
from ecs_updater.ledger.entry import State
from ecs_updater_cli.batch.state import State as RowState
from support.fleet_run import FleetRun

KEY = "arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/"
ODD = "web-005"


@pytest.fixture(name="run")
def _run():
    """Ten services with an open entry each, whose rollouts are done."""
    run = FleetRun(10)
    run.send(*(run.ecs.event(name, request_id=name) for name in run.ecs.names))
    assert not run.work()
    run.time.now += 60
    return run


def stored(run, service=ODD):
    """The entry of a service, as the table has it."""
    return next(
        item
        for (pk, sk), item in run.dynamodb.items.items()
        if pk == KEY + service and sk.startswith("UPDATE#")
    )


def without(name):
    """Takes an attribute out of an item."""
    return lambda item: item.pop(name)


def with_value(**attributes):
    """Gives attributes of an item other values, as they travel."""
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
    "an answer that is no JSON": with_value(answer={"S": "{"}),
    "no time": with_value(updated_at={"S": "yesterday"}),
}
UNUSABLE = {
    "an answer without a body": with_value(answer={"S": "{}"}),
    "another service's ARN": with_value(service_arn={"S": "web-006"}),
}


def the_nine_have_succeeded(run):
    """Whether all but the odd one have ended as they should."""
    return {run.entry(name).verdict for name in run.ecs.names if name != ODD} == {"SUCCEEDED"}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_entry_that_cannot_be_read_is_skipped_counted_and_logged_and_its_service_can_be_updated(
    run, kind, caplog
):
    UNREADABLE[kind](stored(run))
    done = run.complete()
    assert len(done.ended) == 9 and the_nine_have_succeeded(run)
    (skipped,) = done.to_json()["skipped"]
    assert f"the entry {KEY}{ODD} UPDATE#" in skipped and "correct or delete" in skipped
    assert [one for one in caplog.records if getattr(one, "entry", None) == KEY + ODD]

    run.send(run.ecs.event(ODD, "registry/app:3", request_id="next"))
    assert run.work() == [] and run.ecs.image(ODD) == "registry/app:3"
    run.time.now += 60
    assert [entry.request_id for entry in run.complete().ended] == ["next"] and run.entry(
        "next"
    ).verdict == "SUCCEEDED"
    run.send(
        {
            "action": "rollback",
            "ecs_cluster_name": "ECSCluster",
            "ecs_service_name": ODD,
            "request_id": "back",
        }
    )
    assert run.work() == [] and run.entry("back").state is State.DEPLOYED


SHOWN = {
    *("an unknown state", "no owner", "no fence", "a number as answer"),
    "an answer that is no JSON",
}
"""What concerns no attribute that the command line reads, or may be of a later version."""


@pytest.mark.parametrize("kind", UNREADABLE)
def test_the_row_of_an_entry_that_cannot_be_read_fails_and_those_of_the_nine_others_succeed(
    run, kind
):
    UNREADABLE[kind](stored(run))
    run.complete()
    statuses = run.statuses([run.ecs.event(name, request_id=name) for name in run.ecs.names])
    found = dict(zip(run.ecs.names, statuses, strict=True))
    odd = found.pop(ODD)
    assert {status.state for status in found.values()} == {RowState.SUCCEEDED}
    if kind in SHOWN:
        assert not odd.state.is_over
    else:
        assert odd.state is RowState.FAILED
        assert f"{KEY}{ODD} UPDATE#" in odd.cause and "correct or delete" in odd.cause


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_entry_with_which_nothing_can_be_done_stops_nobody_either(run, kind):
    UNUSABLE[kind](stored(run))
    run.complete()
    assert the_nine_have_succeeded(run)
    run.send(run.ecs.event(ODD, "registry/app:3", request_id="next"))
    assert run.work() == [] and run.ecs.image(ODD) == "registry/app:3"


@pytest.mark.parametrize(
    "marker",
    ["x", "#", f"{KEY}{ODD}#", "#000000000000007", f"{KEY}{ODD}#seven", f"{KEY}{ODD}#00000000007"],
)
def test_a_marker_that_names_no_entry_stops_nobody(run, marker):
    run.dynamodb._items["OPEN", marker] = {"pk": {"S": "OPEN"}, "sk": {"S": marker}}  # pylint: disable=protected-access
    done = run.complete()
    assert len(done.ended) == 10 and len(done.skipped) <= 1
    run.send(run.ecs.event(ODD, "registry/app:3"))
    assert run.work() == [] and run.ecs.image(ODD) == "registry/app:3"


@pytest.mark.parametrize("lacks", ["serviceArn", "deployments", "status", "events"])
def test_an_odd_answer_of_ecs_about_one_service_stops_no_other(run, lacks, monkeypatch):
    told = run.ecs._told  # pylint: disable=protected-access

    def odd(name):
        return {
            field: value for field, value in told(name).items() if (name, field) != (ODD, lacks)
        }

    monkeypatch.setattr(run.ecs, "_told", odd)
    run.complete()
    assert the_nine_have_succeeded(run)


def test_a_service_for_which_ecs_refuses_the_whole_call_costs_the_others_a_call(run):
    def refused(operation, body):
        if operation == "DescribeServices" and any(ODD in one for one in body["services"]):
            return 400, "InvalidParameterException", "Invalid identifier"
        return None

    run.ecs.before = refused
    run.ecs.buckets.calls.clear()
    done = run.complete()
    assert len(done.ended) == 9 and the_nine_have_succeeded(run) and len(done.skipped) == 1
    assert run.ecs.buckets.calls["DescribeServices"] <= 11


def test_an_entry_that_raises_what_nobody_expects_is_skipped_with_its_key(run, monkeypatch):
    from ecs_updater.deployments.waiter import Waiter  # pylint: disable=import-outside-toplevel

    look = Waiter.poll

    def fail(self, record, *arguments, **options):
        if ODD in record.entry.service:
            raise RecursionError("maximum recursion depth exceeded")
        return look(self, record, *arguments, **options)

    monkeypatch.setattr(Waiter, "poll", fail)
    done = run.complete()
    (skipped,) = done.skipped
    assert len(done.ended) == 9 and skipped.startswith(KEY + ODD) and "RecursionError" in skipped
    run.send(run.ecs.event(ODD, "registry/app:3"))
    assert run.work() == [] and run.ecs.image(ODD) == "registry/app:3"


def test_many_reasons_are_counted_and_the_answer_stays_bounded(run):
    for number in range(1000):
        run.dynamodb._items["OPEN", f"x{number}"] = {"pk": {"S": "OPEN"}, "sk": {"S": f"x{number}"}}  # pylint: disable=protected-access
    done = run.complete()
    skipped = done.to_json()["skipped"]
    assert (
        len(done.skipped) == 1000
        and skipped[-1] == "and 800 more, see the log"
        and len(json.dumps(skipped)) < 100_000
    )
    assert len(done.ended) == 10


# More than one run has time for


def filled(size):
    """A run with so many open entries, one for each service."""
    run = FleetRun(size)
    run.send(run.ecs.event("web-001"))
    run.work()
    first, services = copy.deepcopy(stored(run, "web-001")), run.ecs.names[1:]
    for name in services:
        text = json.dumps(first).replace("web-001", name)
        item = json.loads(text) | {"request_id": {"S": name}}
        marker = f"{KEY}{name}#{int(item['number']['N']):015d}"
        run.dynamodb._items[item["pk"]["S"], item["sk"]["S"]] = item  # pylint: disable=protected-access
        run.dynamodb._items["OPEN", marker] = {  # pylint: disable=protected-access
            "pk": {"S": "OPEN"},
            "sk": {"S": marker},
            "service": item["service"],
            "number": item["number"],
        }
    run.dynamodb.requests.clear()
    run.time.now += 60
    return run


def open_services(run):
    """The services with an open entry."""
    return {
        sk.rpartition("#")[0].rpartition("/")[2] for pk, sk in run.dynamodb.items if pk == "OPEN"
    }


def run_for(run, seconds):
    """One run of the reconciler, which has so much time; each request to the ledger takes a tenth
    of a second.
    """
    end = run.time() + seconds

    def before(_):
        run.time.now += 0.1

    run.dynamodb.before = before
    try:
        call = Call("completer", None, lambda: end - run.time(), run.clock)
        return reconcile({}, run.environment, run.boundary, run.table, call)
    finally:
        run.dynamodb.before = None


def test_each_of_hundreds_of_entries_that_stay_open_is_checked_within_the_runs_needed():
    run = filled(330)
    held = {
        "holder": {"S": "h"},
        "fence": {"N": "1"},
        "since": {"N": "1"},
        "expires_at": {"N": str(run.time() + 10**6)},
    }
    for name in run.ecs.names:
        key = {"pk": {"S": KEY + name}, "sk": {"S": "LEASE"}}
        run.dynamodb._items[KEY + name, "LEASE"] = key | held  # pylint: disable=protected-access
    looked_at = []
    for _ in range(6):
        run.dynamodb.requests.clear()
        assert len(run_for(run, 60).skipped) <= 1
        tried = (
            one.body["Key"]["pk"]["S"]
            for one in run.dynamodb.requests
            if one.operation == "UpdateItem"
        )
        looked_at += [one.rpartition("/")[2] for one in tried]
    assert set(looked_at) == set(run.ecs.names) and max(map(looked_at.count, run.ecs.names)) <= 4


def test_an_entry_that_ends_the_run_each_time_is_passed_by_in_the_next_one():
    run = filled(330)
    poison = {"web-003", "web-099", "web-100", "web-101", "web-250"}

    def killed(operation, body):
        if (
            operation == "DescribeServices"
            and len(body["services"]) == 1
            and body["services"][0].rpartition("/")[2] in poison
        ):
            raise KeyboardInterrupt

    run.ecs.before = killed
    for name in poison:  # So that each of them is asked about alone.
        stored(run, name).update(state={"S": "REGISTERED"}, deployment_id={"S": "x"})
    lease = {"holder": {"S": "h"}, "fence": {"N": "1"}, "since": {"N": "1"}}
    for _ in range(40):
        for name in poison:
            at = {"expires_at": {"N": str(run.time() - 1)}}
            key = {"pk": {"S": KEY + name}, "sk": {"S": "LEASE"}}
            run.dynamodb._items[KEY + name, "LEASE"] = key | lease | at  # pylint: disable=protected-access
        try:
            run_for(run, 900)
        except KeyboardInterrupt:
            pass
        if open_services(run) <= poison:
            return
    raise AssertionError(sorted(open_services(run) - poison))


def test_open_entries_are_read_a_hundred_with_one_call():
    run = filled(330)
    run_for(run, 10_000)
    operations = [one.operation for one in run.dynamodb.requests]
    assert operations.count("BatchGetItem") == 4 and operations.count("GetItem") <= 5
    assert all(
        len(keys["Keys"]) <= 100
        for one in run.dynamodb.requests
        for keys in one.body.get("RequestItems", {}).values()
    )
    assert open_services(run) == set()


def test_few_open_entries_need_no_place_to_go_on_from(run):
    run.dynamodb.requests.clear()
    run.complete()
    assert ("OPEN-CURSOR", "OPEN-CURSOR") not in run.dynamodb.items
    assert [one.operation for one in run.dynamodb.requests[:2]] == ["Query", "BatchGetItem"]
