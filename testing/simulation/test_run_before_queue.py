"""`run_before` through the queue: the worker starts the task, the reconciler ends the update."""

import io
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ecs_updater.context import Call
from ecs_updater.worker.run import Worker
from ecs_updater_cli.backends.account import Ledger, new_batch
from ecs_updater_cli.backends.sqs import SqsBackend
from ecs_updater_cli.commands.options import AccountOptions, ViewOptions
from ecs_updater_cli.commands.watch import wait_for_batch
from ecs_updater_cli.output.terminal import Printer
from fakes.queue import FifoQueue, message_of
from fakes.simulated_ecs import Image
from fakes.wire import DENIED, SERVER_ERROR, Killed
from support.rollout_world import EVENT, OLD_TAGS

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
MESSAGE = {**EVENT, "run_before": {"command": ["migrate", "--password=hush"]}, "request_id": "q"}
ENDS = {
    0: ("SUCCEEDED", ({"ecs-dummy-container": "app:2"}, {"release": "2"})),
    1: ("FAILED", ({"ecs-dummy-container": "busybox"}, OLD_TAGS)),
}
"""Verdict and service after the task's exit code."""


class QueuedWorld:
    """A world with a queue. Only the test calls worker and reconciler."""

    def __init__(self, world):
        self.world, clock = world, world.clock
        self.queue, self.dead_letter_queue = FifoQueue(clock.now), FifoQueue(clock.now)

    def work(self, times=1):
        """Delivers the messages to the worker. Returns the ids of those to deliver again."""
        messages = self.queue.receive()
        for _ in range(times):
            failed = self._worker().process(messages)
        self.queue.done(messages, failed)
        return failed

    def _worker(self):
        end = self.world.clock.now() + 180
        call = Call("worker", None, lambda: end - self.world.clock.now(), self.world.clock)
        environment = {**self.world.environment, "ECS_ARN_PREFIX": PREFIX}
        queues = self.queue, self.dead_letter_queue
        return Worker(environment, self.world.boundary, self.world.table, *queues, call)

    def go_on(self, seconds):
        """Lets time pass, with worker and reconciler each minute."""
        for _ in range(int(seconds / 60)):
            try:
                self.work()
                self.world.reconcile()
            except Killed:
                pass
            self.world.pass_time(60)

    @property
    def tasks(self):
        """The one-off tasks."""
        return self.world.ecs.world.standalone.all


@pytest.fixture(name="queued")
def _queued(world):
    return QueuedWorld(world)


def exits(queued, code, after=2):
    """The command ends with this exit code."""
    image = Image.exits(code, after=after, starts_after=2, shown_running=True)
    queued.world.ecs.world.standalone.image = image


@pytest.mark.parametrize("code", [0, 1])
def test_the_worker_starts_one_task_and_the_reconciler_ends_the_update(queued, code):
    exits(queued, code)
    queued.queue.send([message_of(MESSAGE)])
    assert queued.work(times=2) == [] and len(queued.tasks) == 1
    assert queued.world.history[0].state == "RUNNING_TASK"
    queued.world.finish(60)
    verdict, state = ENDS[code]
    assert (queued.world.verdicts, queued.world.state) == ([verdict], state)
    again = FifoQueue(queued.world.clock.now)
    again.send([message_of(MESSAGE)])
    queued.queue = again
    assert queued.work() == [] and len(queued.tasks) == len(queued.world.history) == 1
    assert not queued.dead_letter_queue.is_busy


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("has_effect", [False, True])
@pytest.mark.parametrize(
    "operation",
    ["RegisterTaskDefinition", "RunTask", "DescribeTasks", "TagResource", "UpdateService"],
)
def test_a_killed_worker_or_reconciler_makes_no_second_task(queued, operation, has_effect, code):
    exits(queued, code)
    queued.queue.send([message_of(MESSAGE)])
    queued.world.ecs.kill(operation, after_effect=has_effect)
    queued.go_on(1800)
    verdict, state = ENDS[code]
    assert (queued.world.verdicts[0], queued.world.state) == (verdict, state)
    assert len(queued.tasks) == 1 and not queued.dead_letter_queue.is_busy


@pytest.mark.parametrize(
    ("answer", "verdict"), [(DENIED, "NOT_DEPLOYED"), (SERVER_ERROR, "INTERRUPTED")]
)
def test_an_update_whose_task_never_starts_ends_for_good(queued, answer, verdict):
    queued.world.ecs.fail("RunTask", answer, times=9999)
    queued.queue.send([message_of(MESSAGE)])
    queued.go_on(3600)
    last = queued.world.history[0]
    assert (last.verdict, last.may_be_repeated) == (verdict, False)
    assert len(queued.dead_letter_queue) == 1 and not queued.tasks


@pytest.mark.parametrize(
    ("code", "first", "other"),
    [
        (0, "SUCCEEDED   ", "FAILED      "),
        (1, "FAILED      ", "NOT STARTED "),
    ],
)
def test_the_others_of_a_group_wait_for_the_task(queued, code, first, other):
    exits(queued, code, after=100)
    ledger, clock = Ledger(queued.world.table, PREFIX), queued.world.clock
    events = [{key: value for key, value in MESSAGE.items() if key != "request_id"}]
    events.append({**EVENT, "ecs_service_name": "gone"})
    batch = new_batch(events, ["a", "a"], None, clock, {2: 1})
    ledger.save_batch(batch)
    sent = []

    def sleep(seconds):
        sent.append((len(queued.tasks), len(queued.queue)))
        queued.work()
        queued.world.reconcile()
        queued.world.pass_time(max(seconds, 10))

    account = SimpleNamespace(
        ecs=queued.world.boundary,
        clock=clock,
        needed_ledger=ledger,
        needed_queue=queued.queue,
    )
    backend = SqsBackend(account, batch.batch.id, AccountOptions())
    shown = io.StringIO()
    printer = Printer(shown, io.StringIO())
    driven = replace(clock, sleep=sleep)
    assert wait_for_batch(backend, batch, ViewOptions(timeout=900), printer, driven) == 1
    out = shown.getvalue()
    assert f"{first}  ECSCluster/ecs-dummy-service  app:2" in out
    assert f"{other}  ECSCluster/gone" in out and "hush" not in out
    assert sent[:3] == [(0, 1), (1, 0), (1, 0)] and len(queued.tasks) == 1
    assert any(messages for _, messages in sent[3:]) == (code == 0)
