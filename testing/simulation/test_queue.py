"""Many services through the queue, on a clock that only sleeping moves: nothing lost, nothing
twice, each service in its order.

And with everything going wrong: workers killed in the middle, messages delivered twice, a ledger
that throttles, messages that nobody can read. Every service ends with one verdict, and that one is
true.
"""

import random
from collections import Counter, defaultdict
from types import SimpleNamespace

import botocore.endpoint
import pytest

from fakes.memory_dynamodb import THROTTLED
from support.fleet_run import FleetRun
from support.sampling import sample

WORKERS = 5


def finish(run):
    """Lets the rollouts end, and reconciles them."""
    for _ in range(20):
        run.time.now += 200
        done = run.reconcile()
        assert not done.skipped
        if not done.open:
            return
    raise AssertionError("something stays open")


def figures_of(run, size, begin):
    """Calls per service, and seconds."""
    calls = run.ecs.buckets.calls
    return (
        f"{run.time() - begin:.0f} s, {calls.total() / size:.2f} ECS calls per service, "
        f"{run.ecs.buckets.throttled.total()} throttled"
    )


@pytest.mark.parametrize("size", [30, 100])
def test_all_images_change_at_the_rate_that_ecs_allows_and_none_is_throttled_lost_or_done_twice(
    size, figure
):
    run = FleetRun(size)
    begin = run.time()
    ids = run.begin_batch([run.ecs.event(name) for name in run.ecs.names])
    run.work_together(WORKERS)
    seconds = run.time() - begin
    figure(
        f"fleet of {size}: all images change",
        figures_of(run, size, begin) + f" (floor {size - 20} s)",
    )

    assert size - 20 <= seconds <= max(1.15 * (size - 20), size - 17)
    assert run.ecs.buckets.throttled.total() == 0
    assert Counter(name for name, _ in run.ecs.updates) == dict.fromkeys(run.ecs.names, 1)
    assert Counter(run.ecs.registered) == {f"{name}:2": 1 for name in run.ecs.names}
    finish(run)
    assert {run.entry(id_).verdict for id_ in ids} == {"SUCCEEDED"}
    assert run.ecs.buckets.calls.total() <= 6 * size


def test_what_is_there_already_makes_no_revision_and_takes_seconds(figure):
    run = FleetRun(100)
    begin = run.time()
    ids = run.begin_batch(
        [
            run.ecs.event(name, f"registry/app:{1 + (index < 20)}")
            for index, name in enumerate(run.ecs.names)
        ]
    )
    run.work_together(WORKERS)
    figure("fleet of 100: 20 images change", figures_of(run, 100, begin))
    assert run.time() - begin < 10
    assert len(run.ecs.registered) == 20 and run.ecs.buckets.throttled.total() == 0
    finish(run)
    assert Counter(run.entry(id_).verdict for id_ in ids) == {"SUCCEEDED": 20, "NO_CHANGE": 80}


def test_several_updates_of_each_service_are_done_in_their_order():
    run = FleetRun(20)
    for number in range(2, 6):
        run.begin_batch(
            [run.ecs.event(name, f"registry/app:{number}") for name in run.ecs.names], f"b{number}"
        )
    run.work_together(WORKERS)
    by_service = defaultdict(list)
    for name, revision in run.ecs.updates:
        by_service[name].append(revision)
    assert by_service == {
        name: [f"{name}:{number}" for number in range(2, 6)] for name in run.ecs.names
    }
    assert {run.ecs.image(name) for name in run.ecs.names} == {"registry/app:5"}


class Trouble:
    """What goes wrong, by chance; ``happened`` counts it."""

    def __init__(self, seed):
        self._chance = random.Random(seed).random
        self.happened = Counter()

    def ecs(self, request):
        """The worker dies before a call of ECS."""
        if self._chance() < 0.01:
            self.happened["worker killed"] += 1
            raise KeyboardInterrupt(request.operation)

    def dynamodb(self, request):
        """The worker dies before or after a call of the ledger, or the ledger throttles it."""
        del request
        if self._chance() < 0.01:
            self.happened["worker killed"] += 1
            return KeyboardInterrupt("dynamodb"), self._chance() < 0.5
        if self._chance() < 0.02:
            self.happened["ledger throttled"] += 1
            return THROTTLED, False
        return None

    def is_delivered_again(self):
        """Whether the queue does not hear that a message is done with: first it never does."""
        again = not self.happened["delivered again"] or self._chance() < 0.5
        self.happened["delivered again"] += again
        return again


def work_with(run, trouble):
    """Works until the queue is empty."""
    run.ecs.before, run.dynamodb.before = trouble.ecs, trouble.dynamodb
    turns = 0
    while run.queue.is_busy:
        assert (turns := turns + 1) < 1000, "it never ends"
        records = run.queue.receive()
        try:
            failed = run.worker().process(records)
        except KeyboardInterrupt:
            run.time.now += 200
            run.queue.come_again()  # Nobody answered for these.
            continue
        if trouble.is_delivered_again():
            run.queue.come_again()
        else:
            run.queue.done(records, failed)
        run.time.now = max(run.time.now, min(run.queue.next_at, run.time.now + 400))
    run.ecs.before = run.dynamodb.before = None


@pytest.mark.parametrize("seed", sample(range(8), every=4))
def test_with_any_fault_every_service_ends_with_one_right_verdict(seed, figure, monkeypatch):
    run, trouble = FleetRun(30), Trouble(seed)
    # The SDK waits there, too.
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=run.time.sleep))
    failing = ("web-003", "web-023")
    run.ecs.fail_services(*failing)
    names = [*run.ecs.names, "nobody-1", "nobody-2"]
    ids = run.begin_batch([run.ecs.event(name) for name in names])
    run.send("{", batch="b")
    work_with(run, trouble)
    finish(run)

    happened = ", ".join(f"{count} {what}" for what, count in sorted(trouble.happened.items()))
    figure(f"fleet of 32 with faults, seed {seed}", happened)
    assert (
        trouble.happened["worker killed"]
        and trouble.happened["delivered again"]
        and trouble.happened["ledger throttled"]
    )
    expected = dict.fromkeys(run.ecs.names, "SUCCEEDED") | dict.fromkeys(failing, "FAILED")
    expected |= {"nobody-1": "NOT_DEPLOYED", "nobody-2": "NOT_DEPLOYED"}
    assert {name: run.entry(id_).verdict for name, id_ in zip(names, ids, strict=True)} == expected
    assert {run.ecs.image(name) for name in run.ecs.names} == {"registry/app:2"}
    assert Counter(name for name, _ in run.ecs.updates) == dict.fromkeys(run.ecs.names, 1)
    assert not run.history.unfinished() and len(run.dead_letter_queue.receive()) == 1
    assert run.batches.find("b").failures == 4
