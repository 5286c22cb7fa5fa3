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
from fakes.queue import FifoQueue
from fakes.scripted_batch import shop
from fakes.simulated_ecs import Image, configuration_of
from support.repeating import repeating
from support.rollout_world import EVENT

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
GONE = {**EVENT, "ecs_service_name": "gone"}
BAD = Image.exits(code=3)


@pytest.fixture(name="printer")
def _printer():
    """Prints into memory."""
    return Printer(io.StringIO(), io.StringIO())


@pytest.fixture(name="world")
def _world(make_world, monkeypatch):
    """A world for several threads, whose calls are answered one at a time."""
    world = make_world()
    client = world.boundary._client  # pylint: disable=protected-access
    lock = threading.RLock()

    def locked(function):
        def call(*arguments, **options):
            with lock:
                return function(*arguments, **options)

        return call

    monkeypatch.setattr(world, "pass_time", locked(world.pass_time))
    monkeypatch.setattr(client, "_make_api_call", locked(client._make_api_call))  # pylint: disable=protected-access
    monkeypatch.setattr(local, "RECONCILE_SECONDS", 0.05)
    return world


def begun(world, *events, waves=None, max_failures=None, after_task_of=None):
    """A batch of these events, in the ledger."""
    ledger = Ledger(world.table, PREFIX)
    waves = waves or [None] * len(events)
    found = new_batch(list(events), waves, max_failures, REAL_TIME, after_task_of)
    ledger.save_batch(found)
    assert ledger.find_batch(found.batch.id).batch == found.batch
    return ledger, found


def local_of(world, ledger, batch):
    """The local backend of a batch."""
    account = SimpleNamespace(ecs=world.boundary, clock=REAL_TIME)
    return LocalBackend(account, ledger, batch.batch.id, AccountOptions())


def deploy_locally(world, ledger, batch, printer, timeout=300, resumes=False):
    """Deploys a batch with the local backend. Returns exit code and output."""
    backend = local_of(world, ledger, batch)
    # Half a simulated second every hundredth of a real one.
    with repeating(lambda: world.pass_time(0.5), 0.01):
        code = wait_for_batch(
            backend, batch, ViewOptions(timeout=timeout), printer, resumes=resumes
        )
    backend.close(5)
    return code, printer.console.file.getvalue()


def test_the_local_backend_deploys_and_writes_the_history(world, printer):
    ledger, batch = begun(world, EVENT, GONE)
    code, out = deploy_locally(world, ledger, batch, printer)
    assert code == 1
    for line in (
        "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2  1 of 1 tasks run ecs-dummy-task:2\n",
        "FAILED        ECSCluster/gone               app:2  ecs_service_name gone not found\n",
        "          looked in cluster ECSCluster in eu-west-1\n",  # The hint, from the ledger.
    ):
        assert line in out
    entry = History(world.table).find(f"{batch.batch.id}-00001")
    assert (entry.verdict, entry.batch) == ("SUCCEEDED", batch.batch.id)
    assert entry.caller.startswith("direct, ecs-updater")


def test_the_local_backend_ends_at_the_stage_that_the_event_names(world, printer):
    world.ecs.service.configure(configuration_of("BLUE_GREEN", bake=60))
    ledger, batch = begun(world, {**EVENT, "wait_until": "BAKE_TIME"})
    code, out = deploy_locally(world, ledger, batch, printer)
    assert code == 0 and "STAGE REACHED  ECSCluster/ecs-dummy-service  app:2  stage BAKE" in out
    assert "1 service in " in out and "1 stage reached" in out


@pytest.mark.parametrize("image", [Image.good(), BAD])
def test_neither_the_local_backend_nor_its_ledger_shows_a_value_that_may_be_a_secret(
    world, printer, image
):
    world.ecs.images.becomes("busybox", image)
    event = {name: value for name, value in EVENT.items() if name != "ecs_image_name"}
    event |= {"ecs_environment": {"TOKEN": "sentinel"}, "ecs_command": ["sentinel"]}
    ledger, batch = begun(world, event, {**event, "ecs_service_name": "gone"})
    code, out = deploy_locally(world, ledger, batch, printer)
    stored = str(world.dynamodb.items)
    assert code == 1 and "sentinel" not in out + stored and "(set)" in stored
    assert "SUCCEEDED" in out or "exited with code 3" in out
    # A batch that is taken up again has no such values to deploy.
    resumed = ledger.find_batch(batch.batch.id)
    assert deploy_locally(world, ledger, resumed, printer, resumes=True)[0] == 1
    assert "sentinel" in str(world.ecs.service.primary.revision.task_definition)


def test_the_local_backend_rolls_back_what_fails(world, printer):
    world.ecs.images.publish("app:2", BAD)
    ledger, batch = begun(world, {**EVENT, "rollback_on_failure": True})
    _, out = deploy_locally(world, ledger, batch, printer)
    assert "ROLLED BACK   ECSCluster/ecs-dummy-service  app:2  " in out


def test_a_failure_again_with_the_local_backend_keeps_the_next_wave_from_beginning(world, printer):
    world.ecs.images.publish("app:2", BAD)
    world.send(wait_seconds=180)
    made = len(world.made)
    events = [EVENT, {**EVENT, "ecs_service_name": "next"}]
    ledger, batch = begun(world, *events, waves=["first", "second"])
    code, out = deploy_locally(world, ledger, batch, printer)
    cause = "container ecs-dummy-container exited with code 3"
    assert code == 1 and f"FAILED        ECSCluster/ecs-dummy-service  app:2  {cause}" in out
    assert "NOT STARTED   ECSCluster/next" in out and len(world.made) == made


NOT_FOUND = "ecs_service_name gone not found"
HELD = "ECSCluster/ecs-dummy-service, whose run_before comes first, did not succeed"


@pytest.mark.parametrize(
    ("exit_code", "first", "other"),
    [(0, "SUCCEEDED   ", ("FAILED      ", NOT_FOUND)), (1, "FAILED      ", ("NOT STARTED ", HELD))],
)
def test_the_others_of_a_group_wait_for_the_task_of_the_first(
    world, printer, exit_code, first, other
):
    task = Image.exits(exit_code, after=2, starts_after=2, shown_running=True)
    world.ecs.world.standalone.image = task
    event = {**EVENT, "run_before": {"command": ["migrate"]}}
    ledger, batch = begun(world, event, GONE, after_task_of={2: 1})
    _, out = deploy_locally(world, ledger, batch, printer)
    assert f"{first}  ECSCluster/ecs-dummy-service  app:2  " in out
    assert f"{other[0]}  ECSCluster/gone               app:2  {other[1]}" in out
    assert len(world.ecs.world.standalone.all) == 1


def test_a_row_that_the_local_backend_cannot_process_fails(world, printer, monkeypatch):
    def fail(*_):
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(Rejections, "write", fail)
    ledger, batch = begun(world, EVENT, GONE)
    code, out = deploy_locally(world, ledger, batch, printer)
    assert code == 1 and "SUCCEEDED     ECSCluster/ecs-dummy-service" in out
    cause = "RecursionError: a defect of ecs-updater"
    assert f"FAILED        ECSCluster/gone               app:2  {cause}" in out


def test_the_local_backend_reconciles_nothing_of_another_batch(world, monkeypatch):
    """The other batch has the settings of the function, and its reconciler ends it."""
    world.ecs.images.publish("app:2", BAD)
    assert world.send(EVENT, rollback_on_failure=True).verdict == "IN_PROGRESS"
    world.pass_time(300)
    ledger, batch = begun(world, GONE)
    runs = threading.Semaphore(0)

    def counted(*arguments):
        reconcile(*arguments)
        runs.release()

    monkeypatch.setattr(local, "reconcile", counted)
    writes = list(world.ecs.writes)
    backend = local_of(world, ledger, batch)
    backend.start(batch.members)
    assert all(runs.acquire(timeout=600) for _ in range(3))  # pylint: disable=consider-using-with
    backend.close(600)
    assert not world.history[0].is_ended and world.ecs.writes == writes
    world.reconcile_all()
    assert world.verdicts[0] == "ROLLED_BACK"


@pytest.mark.parametrize(
    "operation",
    ["DescribeServices", "DescribeTaskDefinition", "RegisterTaskDefinition", "UpdateService"],
)
def test_credentials_that_expire_end_the_command_with_3_and_the_batch_can_be_taken_up_again(
    world, printer, operation
):
    """The ledger gets no end of the update."""
    ledger, batch = begun(world, EVENT)
    message = "The security token included in the request is expired"
    world.ecs.fail(operation, (400, "ExpiredTokenException", message), times=99)
    assert deploy_locally(world, ledger, batch, printer, timeout=15)[0] == 3
    error = printer._error.getvalue()  # pylint: disable=protected-access
    assert error.startswith("the credentials have expired: log in") and "nothing is lost: " in error
    entry = History(world.table).find(batch.members[0].request_id)
    assert (entry is None or entry.may_be_repeated) and len(world.made) == 1
    world.ecs.stop_failing()  # Somebody logs in.
    assert deploy_locally(world, ledger, batch, printer, timeout=15, resumes=True)[0] == 0


def test_after_close_nothing_further_begins(world):
    ledger, batch = begun(world, EVENT)
    made = dict(world.made)
    backend = local_of(world, ledger, batch)
    backend.close(5)
    backend.start(batch.members)
    backend.close(5)  # Its threads have ended by then.
    assert not backend.poll([]) and world.made == made


def test_a_resumed_local_batch_tries_again_what_was_not_deployed(world, printer):
    """The next attempt was in the memory of a process that has ended."""
    ledger, batch = begun(world, EVENT)
    world.ecs.throttle("RegisterTaskDefinition", 99, 300)
    assert world.send(batch.members[0].event).error
    world.pass_time(300)
    assert History(world.table).find(batch.members[0].request_id).may_be_repeated
    code, out = deploy_locally(world, ledger, batch, printer, resumes=True)
    cause = "new task_definition could not be created Rate exceeded; the service is as it was"
    assert code == 0 and f"RETRYING      ECSCluster/ecs-dummy-service  app:2  {cause}\n" in out
    assert cause in shop()[1][-1][10].cause, "the documents show a row that exists"
    assert "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2" in out


def test_a_resumed_local_batch_ends_what_has_begun(world, printer):
    ledger, batch = begun(world, EVENT)
    queued_of(world, ledger, batch)
    code, out = deploy_locally(world, ledger, batch, printer, resumes=True)
    assert code == 0 and "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2" in out


def sqs_of(world, ledger, batch, queue):
    """The SQS backend of a batch."""
    account = SimpleNamespace(
        ecs=world.boundary, clock=REAL_TIME, needed_ledger=ledger, needed_queue=queue
    )
    return SqsBackend(account, batch.batch.id, AccountOptions())


def work_off(world, queue, clock=REAL_TIME):
    """Processes all messages as the worker does."""
    call = Call(time_left=lambda: 900.0, clock=clock)
    worker = Worker(environment(TABLE, PREFIX, {}), world.boundary, world.table, queue, queue, call)
    assert not worker.process(queue.receive())


def queued_of(world, ledger, batch, clock=REAL_TIME):
    """Sends a batch twice, which is once to the queue, and processes it. Returns the backend."""
    queue = FifoQueue(time.time)
    backend = sqs_of(world, ledger, batch, queue)
    backend.start(batch.members)
    backend.start(batch.members)
    work_off(world, queue, clock)
    return backend


def test_the_worker_begins_what_the_sqs_backend_sends_and_the_ledger_has_its_states(world):
    ledger, batch = begun(world, GONE, EVENT, max_failures=1)
    status = queued_of(world, ledger, batch).poll(rows_of(batch))
    assert [status[number].state for number in (1, 2)] == [State.FAILED, State.NOT_STARTED]
    cause = "no further update of the batch starts: 1 failed and max_failures is 1"
    assert cause in status[2].cause


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
    backend, rows = queued_of(world, ledger, batch, world.clock), rows_of(batch)
    assert backend.poll(rows)[1].state is State.DEPLOYING
    world.finish(120)
    assert backend.poll(rows)[1].state is verdict


def test_a_watcher_that_comes_back_gets_every_verdict(world, printer):
    """The worker and the reconciler go on without it."""
    ledger, batch = begun(world, EVENT, GONE)
    queue, made = FifoQueue(time.time), len(world.made)

    backend = sqs_of(world, ledger, batch, queue)
    assert wait_for_batch(backend, batch, ViewOptions(timeout=0), printer) == 1
    assert "SUCCEEDED" not in printer.console.file.getvalue()
    work_off(world, queue)
    for _ in range(20):
        world.pass_time(30)
        world.reconcile()
    stdout = io.StringIO()
    again = Printer(stdout, io.StringIO())
    found = ledger.find_batch(batch.batch.id)
    assert wait_for_batch(backend, found, ViewOptions(), again, resumes=True) == 1
    out = stdout.getvalue()
    assert "SUCCEEDED     ECSCluster/ecs-dummy-service  app:2" in out
    assert "FAILED        ECSCluster/gone" in out
    assert (len(world.made), len(queue)) == (made + 1, 2)


def test_of_a_batch_that_is_stopped_nothing_further_begins(world, monkeypatch, capsys):
    ledger, batch = begun(world, EVENT, GONE)
    made = dict(world.made)
    monkeypatch.setattr(Account, "needed_ledger", ledger)
    assert stop(batch.batch.id, AccountOptions(region="eu-west-1")) == 0
    watch = f"ecs-updater watch {batch.batch.id} --region eu-west-1"
    assert (
        capsys.readouterr().err
        == f"batch {batch.batch.id} starts no further service; {watch} shows the others\n"
    )
    status = queued_of(world, ledger, batch).poll(rows_of(batch))
    assert [row.state for row in status.values()] == [State.NOT_STARTED] * 2 and world.made == made
    assert "the batch was stopped with ecs-updater" in status[1].cause


def rows_of(batch):
    """The rows of a batch without a status."""
    return [Row(member) for member in batch.members]


@pytest.mark.parametrize("method", ["stop_batch", "find_batch"])
def test_a_batch_that_the_ledger_does_not_have_is_exit_code_2(world, method):
    reason = f"the ledger {TABLE} has no batch nope: it never existed, or has expired"
    with pytest.raises(CommandError, match=reason) as result:
        getattr(Ledger(world.table, PREFIX), method)("nope")
    assert result.value.code == 2
