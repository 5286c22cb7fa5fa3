"""This process as backend: it runs the code of worker and reconciler, with the same ledger."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from aws_lambda_powertools import Logger

from ecs_updater.aws.sqs import Outgoing
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.reconciler import reconcile
from ecs_updater.ledger.batch import Member
from ecs_updater.log import logger
from ecs_updater.worker.message import BATCH
from ecs_updater.worker.run import Worker

from ..batch.state import State, Status, plain_cause
from ..batch.tracker import Row
from ..commands.options import AccountOptions
from ..errors import AwsError
from .account import Account, Ledger, caller
from .aws_errors import aws_errors
from .settings import environment
from .sqs import LedgerBackend

THREADS = 5
# Maximum messages of one run of the worker, which reads their services with one call.
_AT_ONCE = 10

MAX_RECEIVES = 20
"""How often the SQS queue delivers a message."""

# Time until a failed message is delivered again, unless the worker sets another one.
_RETRY_SECONDS = 30.0

# Time limit of one run of the worker: Lambda's.
_RUN_SECONDS = 900.0

RECONCILE_SECONDS = 4.0

_IDLE_SECONDS = 0.2

# How long Ctrl-C waits for writes in progress.
_CLOSE_SECONDS = 5.0


def _silence(log: Logger) -> None:
    """Keeps the function's log off standard output.

    With POWERTOOLS_LOG_LEVEL it goes to standard error.
    """
    log.registered_handler.setStream(sys.stderr)  # type: ignore[attr-defined]  # Powertools declares its StreamHandler as Handler.
    if not os.environ.get("POWERTOOLS_LOG_LEVEL"):
        log.setLevel("CRITICAL")


class _Closed(BaseException):
    """Ends the work of a closed backend's thread."""


class LocalBackend(LedgerBackend):
    """Runs the updates of a batch in threads."""

    awaited = "ECS to complete the deployment"

    def __init__(self, account: Account, ledger: Ledger, batch: str, options: AccountOptions):
        super().__init__(account, ledger, batch, options, "--direct")
        self._ledger = ledger
        self._environment = environment(ledger.name, ledger.arn_prefix)
        _silence(logger)
        self._queue = LocalQueue(batch, caller(), account.clock)
        self._stopped = threading.Event()
        self._errors: list[AwsError] = []
        loops = [self._work] * THREADS + [self._reconcile]
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in loops]
        self._chunk = _AT_ONCE

    def start(self, members: Sequence[Member]) -> None:
        """Queues the updates. The threads continue earlier ones in any case."""
        # Several runs for each thread, so that updates start roughly in the order of the file.
        self._chunk = max(1, min(_AT_ONCE, -(-len(members) // (4 * THREADS))))
        self._queue.put(members)
        for thread in self._threads:
            if not thread.ident:
                thread.start()

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """Returns the status in the ledger. Raises AwsError, that of a thread included."""
        if self._errors:
            raise self._errors.pop(0)
        statuses = dict(super().poll(waiting))
        # Without a ledger no other process starts what this one does not.
        is_lost = self._stopped.is_set() and not self._ledger.is_kept
        for row in waiting:
            status = statuses.get(row.number, row.status)
            cause = self._queue.rejections.get(row.member.request_id)
            if cause and not status.state.is_over:
                statuses[row.number] = replace(status, state=State.FAILED, cause=plain_cause(cause))
            elif is_lost and status.state is State.RETRYING:
                statuses[row.number] = replace(status, state=State.FAILED)
            elif is_lost and status.state is State.QUEUED:
                statuses[row.number] = Status(State.NOT_STARTED, "the command ended before")
        return statuses

    def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Starts nothing further. The first call waits for writes in progress."""
        deadline = time.monotonic() + (0.0 if self._stopped.is_set() else seconds)
        self._stopped.set()
        for thread in self._threads:
            if thread.ident:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while not self._stopped.is_set():
            records = self._queue.take(self._chunk)
            if not records:
                self._stopped.wait(_IDLE_SECONDS)
                continue
            # After an error no message was started: for example, the ledger could not be read.
            failed = [record["messageId"] for record in records]
            receives = [record["attributes"]["ApproximateReceiveCount"] for record in records]
            with self._keeping_errors(may_retry=max(map(int, receives)) < MAX_RECEIVES):
                worker = Worker(
                    self._environment,
                    self._ecs,
                    self._ledger.table,
                    self._queue,
                    self._queue,
                    self._call(),
                    caller_prefix="direct,",
                    retries_denied=False,
                )
                failed = worker.process(records)
            self._queue.finish(records, failed)

    def _reconcile(self) -> None:
        while not self._stopped.wait(RECONCILE_SECONDS):
            with self._keeping_errors():
                table, call = self._ledger.table, self._call()
                reconcile(None, self._environment, self._ecs, table, call, self._batch)

    @contextmanager
    def _keeping_errors(self, *, may_retry: bool = True) -> Iterator[None]:
        """Keeps every error of a thread for `poll`, so that none is lost."""
        try:
            with suppress(_Closed), aws_errors():
                yield
        except AwsError as error:
            is_transient = error.is_transient and may_retry
            self._errors.append(AwsError(str(error), is_transient=is_transient))
        except Exception as error:  # pylint: disable=broad-exception-caught
            defect = f"a defect of ecs-updater: {type(error).__name__}: {error}"
            self._errors.append(AwsError(defect))

    def _call(self) -> Call:
        latest = time.monotonic() + _RUN_SECONDS
        return Call(
            time_left=lambda: latest - time.monotonic(),
            clock=replace(self._clock, sleep=self._sleep),
        )

    def _sleep(self, seconds: float) -> None:
        """Ends the work when the backend closes: while it sleeps, no write is in progress."""
        if self._stopped.wait(seconds):
            raise _Closed


@dataclass
class _Message:
    member: Member
    receives: int = 0
    first_received_at: float = 0.0
    ready_at: float = 0.0
    is_taken: bool = False


class LocalQueue:
    """A queue with its dead-letter queue in memory, with the records of Lambda's SQS events.

    Is thread-safe. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """

    def __init__(self, batch: str, sender: str, clock: Clock):
        self._batch, self._sender, self._clock = batch, sender, clock
        self._messages: dict[str, _Message] = {}
        self._lock = threading.Lock()
        self.rejections: dict[str, str] = {}
        """Cause of each message in the dead-letter queue, by `request_id`."""

    def put(self, members: Sequence[Member]) -> None:
        """Adds a message for each member that has none."""
        with self._lock:
            for member in members:
                self._messages.setdefault(member.request_id, _Message(member))

    def take(self, most: int) -> list[dict[str, Any]]:
        """Returns records for one run of the worker. `finish` must follow."""
        with self._lock:
            now = self._clock.now()
            ready = [
                message
                for message in self._messages.values()
                if not message.is_taken and message.ready_at <= now
            ][:most]
            for message in ready:
                message.is_taken, message.ready_at = True, now + _RETRY_SECONDS
                message.receives += 1
                message.first_received_at = message.first_received_at or self._clock.epoch()
            return [self._record(message) for message in ready]

    def finish(self, records: Sequence[dict[str, Any]], failed: Sequence[str]) -> None:
        """Removes the records, except those whose ids have `failed`: they are delivered again.

        There is no limit of deliveries: the worker rejects a message itself.
        """
        with self._lock:
            for record in records:
                if record["messageId"] in failed:
                    self._messages[record["messageId"]].is_taken = False
                else:
                    del self._messages[record["messageId"]]

    def hide(self, receipt: str, seconds: int) -> None:
        """Delays the next delivery of a message. Called by the worker."""
        with self._lock:
            self._messages[receipt].ready_at = self._clock.now() + seconds

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Stores rejected messages. Called by the worker."""
        for message in messages:
            self.rejections[json.loads(message.body)["request_id"]] = message.attributes["cause"]

    def _record(self, message: _Message) -> dict[str, Any]:
        id_ = message.member.request_id
        return {
            "messageId": id_,
            "receiptHandle": id_,
            "body": json.dumps(message.member.event),
            "attributes": {
                "MessageGroupId": id_,  # Each service has one message only.
                "ApproximateReceiveCount": str(message.receives),
                "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
                "SenderId": self._sender,
            },
            "messageAttributes": {BATCH: {"stringValue": self._batch}},
        }
