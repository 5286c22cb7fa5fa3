"""Services, a queue, a ledger and the worker on one clock that only sleeping moves."""

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any

from ecs_updater.aws import dynamodb
from ecs_updater.aws.dynamodb import Table
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.reconciler import Reconciliation, reconcile
from ecs_updater.ledger.batch import Batch, Batches, Member, members_of
from ecs_updater.ledger.entry import Entry
from ecs_updater.ledger.store import History
from ecs_updater.worker.run import Worker
from ecs_updater_cli.backends.account import Ledger
from ecs_updater_cli.backends.sqs import LedgerBackend
from ecs_updater_cli.batch.state import Status
from ecs_updater_cli.batch.tracker import Row
from ecs_updater_cli.commands.options import AccountOptions
from fakes.accounts import Accounts, prefix_of
from fakes.fleet import Fleet
from fakes.memory_dynamodb import TABLE, MemoryDynamodb
from fakes.queue import FifoQueue, message_of
from fakes.wire import PREFIX, Request

from .interleaving import Interleaving

START = 1_800_000_000.0
TIMEOUT = 180.0


class SharedTime:
    """Seconds since the epoch. Only sleeping moves them: of several threads, when all of them
    sleep.
    """

    def __init__(self) -> None:
        self.now = START
        self._turns = Interleaving(0, self, self._advance)

    def __call__(self) -> float:
        return self.now

    def _advance(self, seconds: float) -> None:
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Sleeps."""
        self._turns.wait(seconds)

    def run(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Runs tasks, each in a thread, to their ends. Raises the first failure of one."""
        for number, task in enumerate(tasks):
            self._turns.start(f"task {number}", task)
        self._turns.run()


class FleetRun:
    """Many services with queue and ledger. Only the test calls worker and reconciler."""

    def __init__(
        self, size: int, targets: Mapping[str, int] = MappingProxyType({}), **options: Any
    ):
        """``targets``: the number of services by target. ``options``: see ``fakes.fleet.Fleet``."""
        self.time = SharedTime()
        self.clock = Clock(self.time, self.time.sleep, lambda: 0.5, self.time)
        self.ecs = Fleet(size, self.time, **options)
        self.fleets = {
            name: Fleet(number, self.time, prefix_of(index), **options)
            for index, (name, number) in enumerate(targets.items())
        }
        """The services in targets."""
        self.accounts = Accounts(self.clock, self.ecs, self.fleets)
        self.boundary = self.accounts.boundary() if targets else self.ecs.boundary()
        self.dynamodb = MemoryDynamodb()
        self.table = Table(TABLE, self.dynamodb.client(dynamodb._CONFIG))  # pylint: disable=protected-access
        self.queue, self.dead_letter_queue = FifoQueue(self.time), FifoQueue(self.time)
        self.environment = {"LEDGER_TABLE": TABLE, "ECS_ARN_PREFIX": PREFIX}
        self.history = History(self.table, clock=self.time)
        self.batches = Batches(self.table, retention_days=90, clock=self.time)

    def send(self, *events: Any, batch: str | None = None) -> None:
        """Puts events on the queue, in this order."""
        self.queue.send([message_of(event, batch=batch) for event in events])

    def begin_batch(
        self, events: Sequence[Mapping[str, Any]], batch_id: str = "b", **fields: Any
    ) -> list[str]:
        """Writes a batch and sends its messages as the command line does. Returns request ids."""
        members = list(members_of(batch_id, events, [None] * len(events)))
        self.batches.begin(
            Batch(batch_id, "2027-01-15T08:00:00.000Z", len(members), **fields), members
        )
        self.send(*(dict(member.event) for member in members), batch=batch_id)
        return [member.request_id for member in members]

    def work(self, most: int = 10, seconds: float = TIMEOUT) -> list[str]:
        """Invokes the worker once with at most `most` messages. Returns the failed ids."""
        records = self.queue.receive(most)
        failed = self.worker(seconds).process(records)
        self.queue.done(records, failed)
        return failed

    def kill_at(self, operation: str, fleet: Fleet | None = None) -> None:
        """Invokes the worker once, and kills it when it calls `operation`, by default at home."""
        ecs = fleet or self.ecs

        def kill(request: Request) -> None:
            if request.operation == operation:
                raise KeyboardInterrupt  # Nothing catches it.

        ecs.before = kill
        try:
            self.work()
        except KeyboardInterrupt:
            return
        finally:
            ecs.before = None
        raise AssertionError(f"the worker did not call {operation}")

    def worker(self, seconds: float = TIMEOUT, **options: Any) -> Worker:
        """A worker with so much time left."""
        end = self.time() + seconds
        call = Call(
            "invocation",
            time_left=lambda: end - self.time(),
            clock=self.clock,
            lambda_request_id="invocation of the worker",
        )
        queues = self.queue, self.dead_letter_queue
        return Worker(self.environment, self.boundary, self.table, *queues, call, **options)  # type: ignore[arg-type]

    def work_all(self) -> None:
        """Invokes the worker until the queue is empty."""
        while self.queue.is_busy:
            self.time.now = max(self.time.now, self.queue.next_at)
            self.work()

    def work_together(self, workers: int, once: Callable[[], None] = lambda: None) -> None:
        """Runs workers in parallel until the queue is empty. Calls `once` before each turn."""

        def turns() -> None:
            while self.queue.is_busy:
                once()
                records = self.queue.receive()
                if records:
                    self.queue.done(records, self.worker().process(records))
                else:
                    self.time.sleep(1)

        self.time.run([turns] * workers)

    def reconcile(self) -> Reconciliation:
        """Runs the reconciler once."""
        return reconcile(
            {},
            self.environment,
            self.boundary,
            self.table,
            Call("reconciler", None, lambda: 900.0, self.clock),
        )

    def entry(self, request_id: str) -> Entry:
        """The entry of a request, which must exist."""
        found = self.history.find(request_id)
        assert found, request_id
        return found

    def statuses(self, events: Sequence[Any]) -> list[Status]:
        """What a command that watches these events shows of each; all have a ``request_id``."""
        account: Any = SimpleNamespace(ecs=self.boundary, clock=self.clock)
        backend = LedgerBackend(account, Ledger(self.table, PREFIX), "b", AccountOptions())
        rows = [
            Row(Member(number, event["request_id"], event))
            for number, event in enumerate(events, 1)
        ]
        return [status for _, status in sorted(backend.poll(rows).items())]

    def dead_letter(self) -> tuple[Any, str]:
        """Body and cause of the only message in the dead-letter queue."""
        (record,) = self.dead_letter_queue.receive()
        return json.loads(record["body"]), record["messageAttributes"]["cause"]["stringValue"]
