"""The command line with a ledger: a batch through the queue and from this machine, on the simulated
ECS and moto's DynamoDB.
"""

import io
import threading
import time
from types import SimpleNamespace

import pytest

from ecs_updater.context import REAL_TIME, Call
from ecs_updater.deployments.reconciler import reconcile
from ecs_updater.ledger.store import History
from ecs_updater.worker.rejection import Rejections
from ecs_updater.worker.run import Worker
from ecs_updater_cli.backends import local
from ecs_updater_cli.backends.account import Account, Ledger, new_batch
from ecs_updater_cli.backends.local import LocalBackend
from ecs_updater_cli.backends.settings import environment
from ecs_updater_cli.backends.sqs import SqsBackend
from ecs_updater_cli.batch.state import State
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.commands.options import AccountOptions, ViewOptions
from ecs_updater_cli.commands.watch import stop, wait_for_batch
from ecs_updater_cli.errors import CommandError
from ecs_updater_cli.output.terminal import Printer
from fakes.memory_dynamodb import TABLE
from fakes.scripted_batch import shop
from fakes.simulated_ecs import Image
from support.rollout_world import EVENT

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
GONE = {**EVENT, "ecs_service_name": "gone"}


class Passing:
    """Lets the world's time pass beside the real one: half a second every hundredth of one."""

    def __init__(self, world):
        self._world, self._over = world, threading.Event()
        self._thread = threading.Thread(target=self._pass)

    def _pass(self):
        while not self._over.wait(0.01):
            self._world.pass_time(0.5)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


@pytest.fixture(name="world")
def _world(make_world, monkeypatch):
    """A world whose answers come one at a time, for several threads ask at once."""
    world = make_world()
    one_at_a_time = threading.RLock()
    pass_time = world.pass_time

    def passed(seconds):
        with one_at_a_time:
            pass_time(seconds)

    monkeypatch.setattr(world, "pass_time", passed)
    make = world.boundary._client._make_api_call  # pylint: disable=protected-access

    def call(*arguments, **options):
        with one_at_a_time:
            return make(*arguments, **options)

    monkeypatch.setattr(world.boundary._client, "_make_api_call", call)  # pylint: disable=protected-access
    monkeypatch.setattr(local, "RECONCILE_SECONDS", 0.05)
    return world


def begun(world, *events, max_failures=None):
    """A batch of these events, in the ledger."""
    ledger = Ledger(world.table, PREFIX)
    found = new_batch(list(events), [None] * len(events), max_failures, REAL_TIME)
    ledger.save_batch(found)
    assert ledger.find_batch(found.batch.id) == found
    return ledger, found


def direct_of(world, ledger, batch):
    """The backend without a queue."""
    account = SimpleNamespace(ecs=world.boundary, clock=REAL_TIME)
    return LocalBackend(account, ledger, batch.batch.id, AccountOptions())


def test_from_this_machine_it_is_begun_ended_and_in_the_history(world, printer):
    ledger, batch = begun(world, EVENT, GONE)
    backend = direct_of(world, ledger, batch)
    with Passing(world):
        code = wait_for_batch(
            backend,
            batch,
            ViewOptions(),
            printer,
        )
    backend.close(5)
    assert code == 1
    out = printer.console.file.getvalue()
    assert (
        "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2  1 of 1 tasks run ecs-dummy-task:2\n"
        in out
    )
    assert (
        "FAILED        ECSCluster/gone               app:2  ecs_service_name gone not found\n"
        in out
    )
    assert "          looked in cluster ECSCluster in eu-west-1\n" in out, (
        "the hint comes through the ledger"
    )
    entry = History(world.table).find(f"{batch.batch.id}-00001")
    assert (entry.verdict, entry.batch) == (
        "SUCCEEDED",
        batch.batch.id,
    ) and entry.caller.startswith("direct, ecs-updater")


def test_from_this_machine_what_fails_is_rolled_back(world, printer):
    world.ecs.images.publish("app:2", Image.exits(code=3))
    ledger, batch = begun(world, {**EVENT, "rollback_on_failure": True})
    backend = direct_of(world, ledger, batch)
    with Passing(world):
        wait_for_batch(backend, batch, ViewOptions(), printer)
    backend.close(5)
    assert "ROLLED BACK   ECSCluster/ecs-dummy-service  app:2  " in printer.console.file.getvalue()


def test_from_this_machine_the_event_again_is_the_same_failure_and_the_next_wave_does_not_begin(
    world, printer
):
    world.ecs.images.publish("app:2", Image.exits(code=3))
    world.send(wait_seconds=180)
    made = len(world.made)
    ledger = Ledger(world.table, PREFIX)
    batch = new_batch(
        [EVENT, {**EVENT, "ecs_service_name": "next"}], ["first", "second"], None, REAL_TIME
    )
    ledger.save_batch(batch)
    with Passing(world):
        assert (
            wait_for_batch(
                direct_of(world, ledger, batch),
                batch,
                ViewOptions(timeout=300),
                printer,
            )
            == 1
        )
    out = printer.console.file.getvalue()
    assert (
        "FAILED        ECSCluster/ecs-dummy-service  app:2  container "
        "ecs-dummy-container exited with code 3"
    ) in out
    assert "NOT STARTED   ECSCluster/next" in out and len(world.made) == made


def test_from_this_machine_a_row_that_cannot_be_worked_off_fails(world, printer, monkeypatch):
    def fail(*_):
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(Rejections, "write", fail)
    ledger, batch = begun(world, EVENT, GONE)
    backend = direct_of(world, ledger, batch)
    with Passing(world):
        code = wait_for_batch(backend, batch, ViewOptions(), printer)
    backend.close(5)
    out = printer.console.file.getvalue()
    assert code == 1 and "SUCCEEDED     ECSCluster/ecs-dummy-service" in out
    assert (
        "FAILED        ECSCluster/gone               app:2  RecursionError: a defect of ecs-updater"
        in out
    )


def test_from_this_machine_nothing_of_another_batch_is_completed(world, monkeypatch):
    """Its settings are those of the function, and the completer ends it."""
    world.ecs.images.publish("app:2", Image.exits(code=3))
    assert world.send(EVENT, rollback_on_failure=True).verdict == "IN_PROGRESS"
    world.pass_time(300)
    ledger, batch = begun(world, GONE)
    runs = [threading.Event() for _ in range(3)]

    def counted(*arguments):
        reconcile(*arguments)
        next((one for one in runs if not one.is_set()), runs[-1]).set()

    monkeypatch.setattr(local, "reconcile", counted)
    writes = list(world.ecs.writes)
    backend = direct_of(world, ledger, batch)
    backend.start(batch.members)
    assert runs[-1].wait(600)
    backend.close(600)
    assert not world.history[0].is_ended and world.ecs.writes == writes
    world.reconcile_all()
    assert world.history[0].verdict == "ROLLED_BACK"


@pytest.mark.parametrize(
    "operation",
    ["DescribeServices", "DescribeTaskDefinition", "RegisterTaskDefinition", "UpdateService"],
)
def test_credentials_that_expire_end_the_command_with_3_and_the_batch_can_be_taken_up_again(
    world, printer, operation
):
    """Nothing is written into the ledger that would be the update's end."""
    ledger, batch = begun(world, EVENT)
    expired = (
        400,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )
    world.ecs.wire.fail(operation, expired, times=99)
    with Passing(world):
        assert (
            wait_for_batch(
                direct_of(world, ledger, batch),
                batch,
                ViewOptions(timeout=15),
                printer,
            )
            == 3
        )
    error = printer._error.file.getvalue()  # pylint: disable=protected-access
    assert error.startswith("the credentials have expired: log in") and "nothing is lost: " in error
    entry = History(world.table).find(batch.members[0].request_id)
    assert (entry is None or entry.may_be_repeated) and len(world.made) == 1
    world.ecs.wire._plan.clear()  # pylint: disable=protected-access  # Somebody logs in.
    with Passing(world):
        assert (
            wait_for_batch(
                direct_of(world, ledger, batch),
                batch,
                ViewOptions(timeout=15),
                printer,
                resumes=True,
            )
            == 0
        )


def test_who_leaves_begins_nothing_further(world):
    ledger, batch = begun(world, EVENT)
    made = dict(world.made)
    backend = direct_of(world, ledger, batch)
    backend.close(5)
    backend.start(batch.members)
    backend.close(5)  # Its threads have ended by then.
    assert not backend.poll([]) and world.made == made


def test_whoever_comes_back_without_the_queue_tries_again_what_came_to_nothing(world, printer):
    """The next attempt was in the memory of a process that has ended."""
    ledger, batch = begun(world, EVENT)
    world.ecs.wire.throttle("RegisterTaskDefinition", 99, world.clock.now() + 300)
    assert world.send(batch.members[0].event).error
    world.pass_time(300)
    assert History(world.table).find(batch.members[0].request_id).may_be_repeated
    with Passing(world):
        assert (
            wait_for_batch(
                direct_of(world, ledger, batch),
                batch,
                ViewOptions(timeout=300),
                printer,
                resumes=True,
            )
            == 0
        )
    out = printer.console.file.getvalue()
    cause = "new task_definition could not be created Rate exceeded; the service is as it was"
    assert f"RETRYING      ECSCluster/ecs-dummy-service  app:2  {cause}\n" in out
    assert cause in shop()[1][-1][10].cause, "README shows a row that there is"
    assert "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2" in out


def test_whoever_comes_back_without_the_queue_ends_what_has_begun(world, printer):
    ledger, batch = begun(world, EVENT)
    queue = Messages()
    queued_of(world, ledger, batch, queue).start(batch.members)
    assert not worker_of(world, queue).process(queue.records())
    with Passing(world):
        assert (
            wait_for_batch(
                direct_of(world, ledger, batch),
                batch,
                ViewOptions(timeout=300),
                printer,
                resumes=True,
            )
            == 0
        )
    assert "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2" in printer.console.file.getvalue()


class Messages:
    """A queue in memory, as the command sends to it and as Lambda hands its messages over."""

    def __init__(self):
        self.sent = []

    def send(self, messages):
        """Takes messages; one that came before is known by its id."""
        self.sent += [
            one
            for one in messages
            if one.deduplication not in {known.deduplication for known in self.sent}
        ]

    def hide(self, receipt, seconds):
        """No retry is waited for here."""

    def records(self):
        """As Lambda hands them over."""
        return [
            {
                "messageId": one.deduplication,
                "receiptHandle": one.deduplication,
                "body": one.body,
                "attributes": {
                    "MessageGroupId": one.group,
                    "ApproximateReceiveCount": "1",
                    "ApproximateFirstReceiveTimestamp": str(int(time.time() * 1000)),
                    "SenderId": "me",
                },
                "messageAttributes": {
                    name: {"stringValue": value} for name, value in one.attributes.items()
                },
            }
            for one in self.sent
        ]


def queued_of(world, ledger, batch, queue):
    """The backend that is a queue."""
    account = SimpleNamespace(
        ecs=world.boundary, clock=REAL_TIME, needed_ledger=ledger, needed_queue=queue
    )
    return SqsBackend(account, batch.batch.id, AccountOptions())


def worker_of(world, queue):
    """A worker of the function."""
    return Worker(
        environment(TABLE, PREFIX, {}),
        world.boundary,
        world.table,
        queue,
        queue,
        Call(time_left=lambda: 900.0),
    )


def test_through_the_queue_the_worker_begins_it_and_the_ledger_tells(world):
    ledger, batch = begun(world, GONE, EVENT, max_failures=1)
    queue = Messages()
    backend = queued_of(world, ledger, batch, queue)
    backend.start(batch.members)
    backend.start(batch.members)
    assert not worker_of(world, queue).process(queue.records())
    rows = follow_rows(batch)
    status = backend.poll(rows)
    assert [status[number].state for number in (1, 2)] == [State.FAILED, State.NOT_STARTED]
    assert (
        "no further update of the batch starts: 1 failed and max_failures is 1" in status[2].cause
    )


@pytest.mark.parametrize(
    ("image", "verdict"), [(Image.exits(code=3), State.FAILED), (Image.slow(60), State.SUCCEEDED)]
)
def test_through_the_queue_the_event_again_has_the_verdict_of_the_deployment_that_runs(
    world, image, verdict
):
    world.ecs.images.publish("app:2", image)
    world.send()
    world.pass_time(5)
    ledger, batch = begun(world, EVENT)
    queue = Messages()
    backend = queued_of(world, ledger, batch, queue)
    backend.start(batch.members)
    call = Call(time_left=lambda: 900.0, clock=world.clock)
    assert not Worker(
        environment(TABLE, PREFIX, {}), world.boundary, world.table, queue, queue, call
    ).process(queue.records())
    rows = follow_rows(batch)
    assert backend.poll(rows)[1].state is State.DEPLOYING
    world.settle(120)
    assert backend.poll(rows)[1].state is verdict


def test_whoever_stops_watching_in_the_middle_and_comes_back_is_told_every_verdict(world, printer):
    """Nothing depends on who watches: the worker and the completer go on meanwhile."""
    ledger, batch = begun(world, EVENT, GONE)
    queue, made = Messages(), len(world.made)

    backend = queued_of(world, ledger, batch, queue)
    assert wait_for_batch(backend, batch, ViewOptions(timeout=0), printer) == 1
    assert "SUCCEEDED" not in printer.console.file.getvalue()
    assert not worker_of(world, queue).process(queue.records())
    for _ in range(20):
        world.pass_time(30)
        world.reconcile()

    stdout = io.StringIO()
    again = Printer(stdout, io.StringIO())
    assert (
        wait_for_batch(
            backend, ledger.find_batch(batch.batch.id), ViewOptions(), again, resumes=True
        )
        == 1
    )
    out = stdout.getvalue()
    assert (
        "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2" in out
        and "FAILED        ECSCluster/gone" in out
    )
    assert (len(world.made), len(queue.sent)) == (made + 1, 2)


def test_of_a_batch_that_is_stopped_nothing_further_begins(world, monkeypatch, capsys):
    ledger, batch = begun(world, EVENT, GONE)
    made = dict(world.made)
    monkeypatch.setattr(Account, "needed_ledger", ledger)
    options = {"name": "ecs-updater", "region": "eu-west-1", "profile": None}
    assert stop(batch=batch.batch.id, **options) == 0
    watch = f"ecs-updater watch {batch.batch.id} --region eu-west-1"
    assert (
        capsys.readouterr().err
        == f"batch {batch.batch.id} starts no further service; {watch} shows the others\n"
    )
    queue = Messages()
    backend = queued_of(world, ledger, batch, queue)
    backend.start(batch.members)
    assert not worker_of(world, queue).process(queue.records())
    status = backend.poll(follow_rows(batch))
    assert [one.state for one in status.values()] == [State.NOT_STARTED] * 2 and world.made == made
    assert "the batch was stopped with ecs-updater" in status[1].cause


def test_a_batch_that_there_is_not_cannot_be_stopped(world):
    with pytest.raises(CommandError, match="has no batch nope") as result:
        Ledger(world.table, PREFIX).stop_batch("nope")
    assert result.value.code == 2


def follow_rows(batch):
    """The rows of a batch of which nothing is known."""
    return [Row.of(member) for member in batch.members]


def test_a_batch_that_the_ledger_does_not_have_is_exit_code_2(world):
    with pytest.raises(
        CommandError,
        match=f"the ledger {TABLE} has no batch nope: it never existed, or has expired",
    ) as result:
        Ledger(world.table, PREFIX).find_batch("nope")
    assert result.value.code == 2


@pytest.fixture(name="printer")
def _printer():
    """Prints into memory."""
    return Printer(io.StringIO(), io.StringIO())
