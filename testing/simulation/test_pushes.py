"""Bursts of pushes to many services stay inside ECS's rates. The newest version wins,
and nothing happens twice, in any order of the pushes and after any kill.
"""

import random
from collections import Counter, defaultdict
from types import SimpleNamespace

import botocore.endpoint
import pytest

from fakes.memory_dynamodb import DENIED, THROTTLED
from support.push_run import PushedFleet, digest_of, push_event, record_of
from support.sampling import IS_ALL, sample

VISIBILITY = 1080.0
"""Seconds until a message without an answer is delivered again."""


def deployed(fleet):
    """The tags that each service was given, in their order."""
    tags = defaultdict(list)
    for name, revision in fleet.ecs.updates:
        found = fleet.ecs.world.task_definition(revision)
        tags[name].append(found["containerDefinitions"][0]["image"].rpartition(":")[2])
    return tags


def versions(tags):
    """Versions as numbers."""
    return [tuple(map(int, tag.split("."))) for tag in tags]


def test_a_burst_of_pushes_to_many_services_stays_inside_the_rates_and_the_newest_wins(figure):
    size = 500 if IS_ALL else 200
    fleet = PushedFleet(size)
    for index, name in enumerate(fleet.ecs.names):
        fleet.set_policy(name, ("semver:1.4.x", "prefix:1.4.", "semver:2.x", "^")[index % 4])
    tags = [f"1.4.{number}" for number in range(2, 201)]
    pushes = [push_event(tag, fleet.time() + index) for index, tag in enumerate(tags)]
    fleet.time.now += 260
    begin, chance = fleet.time(), random.Random(0)
    chance.shuffle(pushes)
    records = [record_of(event) for event in pushes]
    # Two batches at once, and the newest push while the workers run.
    newest = record_of(push_event("1.4.201", begin))
    fleet.time.run([lambda: fleet.handle(*records[:110]), lambda: fleet.handle(*records[90:])])
    late = [[newest, *records[:50]]]

    def deliver_late():
        if late and fleet.time() - begin > 60:
            assert not fleet.handle(*late.pop()).failed

    fleet.work_together(5, deliver_late)
    calls, throttled = fleet.ecs.buckets.calls, fleet.ecs.buckets.throttled
    figure(
        f"{size} services, 200 pushes",
        f"{fleet.time() - begin:.0f} s, {calls.total()} ECS calls, {throttled.total()} throttled, "
        f"{len(fleet.ecs.updates)} updates",
    )
    assert throttled.total() == 0
    ends = Counter(fleet.tags_of_images())
    assert ends == {"1.4.201": size / 2, "1.4.1": size / 2}
    for given in deployed(fleet).values():
        assert versions(given) == sorted(set(versions(given)))
    # Before the newest push, ECS's rate allowed the first services only.
    assert size / 2 < len(fleet.ecs.updates) <= size / 2 + 100


class Trouble:
    """Kills and lost deliveries, by chance; ``happened`` counts them."""

    def __init__(self, fleet, seed):
        self.random, self.happened = random.Random(seed), Counter()
        self._fleet, self._send = fleet, fleet.queue.send

    def begin(self):
        """From now on it happens."""
        self._fleet.ecs.before, self._fleet.dynamodb.before = self._ecs, self._dynamodb
        self._fleet.queue.send = self._queue

    def end(self):
        """From now on nothing happens."""
        self._fleet.ecs.before = self._fleet.dynamodb.before = None
        self._fleet.queue.send = self._send

    def _is(self, what, share):
        happens = self.random.random() < share
        self.happened[what] += happens
        return happens

    def _ecs(self, request):
        if self._is("killed at ECS", 0.01):
            raise KeyboardInterrupt(request.operation)

    def _dynamodb(self, request):
        if self._is("killed at the ledger", 0.01):
            return KeyboardInterrupt(request.operation), self.random.random() < 0.5
        return (THROTTLED, False) if self._is("ledger throttled", 0.02) else None

    def _queue(self, messages):
        if self._is("killed before the message", 0.1):
            raise KeyboardInterrupt("before")
        self._send(messages)
        if self._is("killed after the message", 0.1):
            raise KeyboardInterrupt("after")


def run_with_trouble(fleet, trouble, pushes):
    """Delivers pushes in any order, some twice, and works, until all is done."""
    waiting = [(fleet.time() + trouble.random.random() * 300, record_of(push)) for push in pushes]
    waiting += [(at + 400, record) for at, record in waiting if trouble.random.random() < 0.3]
    trouble.begin()
    for _ in range(3000):
        if not waiting and not fleet.queue.is_busy:
            break
        if len(waiting) + trouble.happened.total() > 200:
            trouble.end()
        fleet.time.now += 7
        due = [item for item in waiting if item[0] <= fleet.time()][:3]
        waiting = [item for item in waiting if item not in due]
        records = fleet.queue.receive()
        try:
            failed = fleet.handle(*(record for _, record in due)).failed if due else []
        except KeyboardInterrupt:
            failed = [record["messageId"] for _, record in due]
        waiting += [
            (fleet.time() + VISIBILITY, record)
            for _, record in due
            if record["messageId"] in failed
        ]
        try:
            fleet.queue.done(records, fleet.worker().process(records))
        except KeyboardInterrupt:
            fleet.time.now += 200
            fleet.queue.come_again()
    else:
        raise AssertionError("it never ends")
    trouble.end()
    for _ in range(20):
        fleet.time.now += 200
        if not fleet.reconcile().open:
            return
    raise AssertionError("something stays open")


@pytest.mark.parametrize("seed", sample(range(6), every=3))
def test_in_any_order_and_with_any_kill_the_newest_version_wins_and_nothing_happens_twice(
    seed, figure, monkeypatch
):
    fleet = PushedFleet(8)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=fleet.time.sleep))
    trouble = Trouble(fleet, seed)
    pushes = [push_event(f"1.4.{number}", fleet.time() + number) for number in range(2, 12)]
    run_with_trouble(fleet, trouble, pushes)
    figure(
        f"pushes with kills, seed {seed}",
        ", ".join(f"{n} {w}" for w, n in trouble.happened.items()),
    )
    assert set(fleet.tags_of_images()) == {"1.4.11"}
    for given in deployed(fleet).values():
        assert versions(given) == sorted(set(versions(given)))
    assert not fleet.history.unfinished() and not fleet.dead_letter_queue.is_busy


@pytest.mark.parametrize("seed", sample(range(4), every=2))
def test_a_moved_tag_is_deployed_once_for_each_digest_at_most(seed, monkeypatch):
    fleet = PushedFleet(4, "digest:1.4.1")
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=fleet.time.sleep))
    trouble = Trouble(fleet, seed)
    pushes = [
        push_event("1.4.1", fleet.time() + number, digest_of(f"{number}")) for number in range(6)
    ]
    run_with_trouble(fleet, trouble, pushes)
    last = {fleet.accepted.last(fleet.ecs.service_of(name).arn).push for name in fleet.ecs.names}
    assert {push.digest for push in last} == {digest_of("5")}
    times = Counter(name for name, _ in fleet.ecs.updates)
    assert all(1 <= times[name] <= 6 for name in fleet.ecs.names)
    for name in fleet.ecs.names:
        entries = fleet.history.latest(fleet.ecs.service_of(name).arn, 50)
        assert len({entry.request_id for entry in entries}) == len(entries) == times[name]


def test_an_older_push_that_is_queued_behind_a_newer_one_is_left_out():
    fleet = PushedFleet(1)
    for tag in ("1.4.3", "1.4.2"):
        fleet.push(tag)
    assert len(fleet.queue) == 1
    fleet.push("1.4.4")
    assert len(fleet.queue) == 2
    fleet.work_all()
    assert deployed(fleet) == {"web-001": ["1.4.4"]}


def test_a_message_whose_push_cannot_be_compared_comes_back():
    fleet = PushedFleet(1)
    fleet.push("1.4.2")
    fleet.dynamodb.fail("GetItem", DENIED)
    assert len(fleet.work()) == 1 and not fleet.dead_letter_queue.is_busy
    fleet.work_all()
    assert deployed(fleet) == {"web-001": ["1.4.2"]}


def test_an_update_between_two_pushes_is_not_undone_by_the_older_one():
    fleet = PushedFleet(1)
    fleet.push("1.4.2")
    fleet.work_all()
    fleet.send(fleet.ecs.event("web-001", fleet.ecs.image("web-001").replace("1.4.2", "1.4.9")))
    fleet.work_all()
    for tag in ("1.4.3", "1.4.2", "1.4.10"):
        fleet.push(tag)
        fleet.work_all()
    assert deployed(fleet) == {"web-001": ["1.4.2", "1.4.9", "1.4.10"]}


def test_a_rolled_back_version_is_not_tried_again_and_the_next_one_is():
    fleet = PushedFleet(1)
    fleet.push("1.4.2")
    fleet.work_all()
    fleet.time.now += 600
    fleet.reconcile()
    names = {"ecs_cluster_name": "ECSCluster", "ecs_service_name": "web-001"}
    fleet.send({"action": "rollback", **names, "request_id": "rollback"})
    fleet.work_all()
    assert fleet.tags_of_images() == ["1.4.1"]
    for tag in ("1.4.2", "1.4.3"):
        fleet.push(tag)
        fleet.work_all()
    assert deployed(fleet)["web-001"] == ["1.4.2", "1.4.1", "1.4.3"]


def test_the_tags_of_an_ordinary_update_leave_the_policy():
    fleet = PushedFleet(1)
    fleet.send(fleet.ecs.event("web-001", ecs_tag={"team": "b"}))
    fleet.work_all()
    assert fleet.ecs.service_of("web-001").tags == {
        "team": "b",
        "ecs-updater:policy": "semver:1.4.x",
    }
