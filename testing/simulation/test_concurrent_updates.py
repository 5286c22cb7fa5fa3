"""Fifty updates of one service at once: one at a time, none lost, the ledger in order, and the last
one wins.
"""

import heapq
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import pytest
from botocore.useragent import UserAgentString

from ecs_updater.errors import LeaseHeldError
from fakes.memory_dynamodb import MemoryDynamodb
from support.fault_runs import GOOD, TIMING
from support.rollout_world import Function

UPDATES = 50
WRITES = (
    "RegisterTaskDefinition",
    "TagResource",
    "UntagResource",
    "UpdateService",
    "PutItem",
    "TransactWriteItems",
)


class Together:
    """Time for threads: it passes when all of them sleep, as far as the next one sleeps, and those
    near it wake with it.
    """

    NEAR = 0.5

    def __init__(self, clock, threads):
        self._clock, self._awake = clock, threads
        self._condition = threading.Condition()
        self._sleepers, self._order = [], count()

    def sleep(self, seconds):
        """Sleeps; fails if nobody ever wakes the thread."""
        woken = threading.Event()
        with self._condition:
            heapq.heappush(self._sleepers, (self._clock.now() + seconds, next(self._order), woken))
            self._decrease()
        assert woken.wait(1800), "nobody woke it"

    def leave(self):
        """A thread has done all that it had to do."""
        with self._condition:
            self._decrease()

    def _decrease(self):
        self._awake -= 1
        if self._awake or not self._sleepers:
            return
        self._clock.advance(self._sleepers[0][0] - self._clock.now())
        while self._sleepers and self._sleepers[0][0] <= self._clock.now() + self.NEAR:
            _, _, woken = heapq.heappop(self._sleepers)
            self._awake += 1
            woken.set()


class Fifty:
    """Fifty callers, each in its own thread, and what they send."""

    def __init__(self, function, monkeypatch, **fields):
        monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")
        self.world = function.world(timing=TIMING)
        self.world.ecs.clock.drive_sdk(monkeypatch)
        self.world.ecs.images.becomes("busybox", GOOD)
        self.world.ecs.before = self.world.dynamodb.before = self._note
        for number in range(UPDATES):
            self.world.ecs.publish(f"app:{number}", GOOD)
        self._time = Together(self.world.ecs.clock, UPDATES)
        self.world.clock = replace(self.world.clock, sleep=self._time.sleep)
        self._fields = fields
        self._all_there = threading.Barrier(UPDATES)
        self.sent = []
        """Thread, operation and body of every request, in the order in which AWS did them."""
        self.errors = []
        with ThreadPoolExecutor(UPDATES) as pool:
            self.outcome_of = list(pool.map(self._update, range(UPDATES)))
        self.world.clock = replace(self.world.clock, sleep=self.world.ecs.clock.sleep)
        self.turns = self._turns()

    def _note(self, request):
        self.sent.append((threading.get_ident(), request.operation, request.body))

    def _update(self, number):
        try:
            self._all_there.wait(600)
            for attempt in range(1000):
                event = {"ecs_image_name": f"app:{number}", "ecs_tag": {"release": str(number)}}
                outcome = self.world.send(request_id=f"request-{number}", **event, **self._fields)
                if not isinstance(outcome.error, LeaseHeldError):
                    return outcome
                self.errors.append(str(outcome.error))
                self._time.sleep(1 + (number * 7 + attempt * 3) % 5)
            raise AssertionError(f"update {number} never had its turn")
        finally:
            self._time.leave()

    def _turns(self):
        """The threads in the order in which they wrote: twice if another one wrote in between."""
        turns = []
        for thread, operation, _ in self.sent:
            if operation in WRITES and (not turns or turns[-1] != thread):
                turns.append(thread)
        return turns

    @property
    def figure(self):
        """What it took."""
        seconds = self.world.ecs.clock.elapsed
        return (
            f"{UPDATES} turns, {len(self.errors)} times refused, {len(self.sent)} "
            f"requests, {seconds:.0f} s"
        )

    def check(self):
        """One at a time, none lost, in order, the last one wins."""
        world = self.world
        # An update writes everything before another one writes.
        assert len(self.turns) == len(set(self.turns)) == UPDATES
        entries = list(
            reversed(world.table.query(world.history[0].service, "UPDATE#", newest_first=True))
        )
        assert len(entries) == UPDATES and {entry["request_id"] for entry in entries} == {
            f"request-{n}" for n in range(UPDATES)
        }
        made = list(world.made)[1:]
        assert [entry["deployment_id"] for entry in entries] == made
        assert [entry["number"] for entry in entries] == sorted(
            {entry["number"] for entry in entries}
        )
        before = [entry["before"]["task_definition_arn"] for entry in entries]
        after = [entry["after"]["task_definition_arn"] for entry in entries]
        assert before[1:] == after[:-1]  # Each was planned from what the one before it made.
        last = entries[-1]["request_id"].removeprefix("request-")
        assert world.state == ({"ecs-dummy-container": f"app:{last}"}, {"release": last})
        assert world.lease_is_free
        return entries


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


def test_fifty_at_once_that_do_not_wait_come_one_at_a_time(function, monkeypatch, figure):
    fifty = Fifty(function, monkeypatch)
    assert {outcome.verdict for outcome in fifty.outcome_of} == {"IN_PROGRESS"}
    fifty.world.pass_time(60)
    fifty.world.reconcile_all()
    entries = fifty.check()
    assert entries[-1]["verdict"] == "SUCCEEDED"
    assert {entry["state"] for entry in entries} == {"ENDED"}
    assert {entry["verdict"] for entry in entries[:-1]} <= {"SUCCEEDED", "SUPERSEDED"}
    assert fifty.errors and all(
        "is held by another update (request_id request-" in text for text in fifty.errors
    )
    figure("fifty at once, not waiting", fifty.figure)


def test_fifty_at_once_that_wait_come_one_at_a_time_and_all_succeed(function, monkeypatch, figure):
    fifty = Fifty(function, monkeypatch, wait_seconds=840)
    assert {outcome.verdict for outcome in fifty.outcome_of} == {"SUCCEEDED"}
    assert {entry["verdict"] for entry in fifty.check()} == {"SUCCEEDED"}
    figure("fifty at once, waiting", fifty.figure)
