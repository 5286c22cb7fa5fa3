"""More open updates than one run of the reconciler has time for: each has its turn, the
longest-waiting first, within ECS's rates, also after kills. `make bench-fleet` runs 10,000.
"""

import pytest
from botocore.useragent import UserAgentString

from ecs_updater.deployments.reconciler import ALL_SERVICES, RATE_SHARE
from ecs_updater.ledger.lease import Holder, Leases
from support import open_updates
from support.open_updates import OpenUpdates, spread

SIZE = 300
SHORT = 41.0
"""Time of a function that polls a bit more than a third of them."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    # The SDK takes longer for it than for most of a request.
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")


@pytest.mark.parametrize("kill_after", [None, 75], ids=["", "with a kill"])
def test_all_are_polled_within_three_runs_and_none_twice_before(kill_after, figure):
    updates = OpenUpdates(SIZE, timeout=SHORT)
    for number in range(3):
        updates.reconcile(kill_after if number == 1 else None)
    assert not updates.never_polled and SIZE <= updates.polls.total() < 2 * SIZE
    still_open = {entry.service.rpartition("/")[2] for entry in updates.run.history.unfinished()}
    assert spread(updates.polls[name] for name in still_open) <= 1
    assert len(still_open) < 0.8 * SIZE
    assert not +updates.run.ecs.buckets.throttled
    figure(f"{SIZE} open updates", f"{updates.polls.total()} polls in three runs of {SHORT:.0f} s")


def test_calls_without_latency_stay_within_a_share_of_ecs_rates(monkeypatch):
    monkeypatch.setattr(open_updates, "ECS_SECONDS", 0)
    monkeypatch.setattr(open_updates, "DYNAMODB_SECONDS", 0)
    updates = OpenUpdates(200)
    start = updates.run.time()
    run = updates.reconcile()
    buckets = updates.run.ecs.buckets
    assert len(run.ended) + run.open == 200 and not +buckets.throttled
    lists = buckets.calls["ListTasks"] + buckets.calls["DescribeTasks"]
    assert lists > 100 and run.ended[-1].ended_at > run.ended[0].ended_at
    # A bucket of 100 tokens, to which 20 are added per second.
    last = max(float(item["waits_since"]["N"]) for item in updates.markers)
    assert last - start >= (lists - 100 * RATE_SHARE) / (20 * RATE_SHARE) - 2


def test_a_second_run_over_all_services_makes_no_call_of_ecs():
    updates = OpenUpdates(3)
    leases = Leases(updates.run.table, clock=updates.run.time)
    first = Holder.of("reconciler first")
    leases.acquire(ALL_SERVICES, first)
    run = updates.reconcile()
    assert run.skipped == ["all services: another run goes on"] and not updates.polls
    assert not updates.run.ecs.buckets.calls
    # After a kill the lease expires.
    assert len(updates.reconcile().ended) == 1
    event = {
        "detail-type": "ECS Deployment State Change",
        "resources": [updates.run.history.unfinished()[0].service_arn],
    }
    leases.acquire(ALL_SERVICES, first)
    run = updates.reconcile(event=event)
    assert run.open + len(run.ended) == 1, "an event of ECS does not wait for the run"
