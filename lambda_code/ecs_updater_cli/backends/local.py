"""This process in place of the queue's worker and of the completer: the same code, the same ledger,
the same pace.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from aws_lambda_powertools import Logger

from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.reconciler import complete
from ecs_updater.ledger.batch import Member
from ecs_updater.log import logger
from ecs_updater.worker.run import Worker

from ..batch.row import Row
from ..batch.state import State, Status, TaskCounts, plain_cause
from ..errors import AwsError, told
from .account import Ledger
from .batches import caller
from .local_queue import MOST_RECEIVES, LocalQueue
from .sqs import LedgerPoller

THREADS = 5
_AT_ONCE = 10
"""The most messages of one run of the worker, which reads their services with one call."""

_SECONDS = 900.0
"""For how long one run of the worker may take: as long as the function."""

COMPLETE_EVERY = 4.0
_IDLE_SECONDS = 0.2


class LocalBackend:
    """A batch whose updates are begun and ended from here."""

    def __init__(  # pylint: disable=too-many-arguments,too-many-positional-arguments
        self,
        ecs: Ecs,
        ledger: Ledger,
        environment: Mapping[str, str],
        status: LedgerPoller,
        batch: str,
        clock: Clock,
    ):
        """``clock``: its ``epoch`` is that of other machines, too; the rest of it is this
        thread's.
        """
        self._ecs, self._ledger, self._environment, self._seen, self._batch = (
            ecs,
            ledger,
            environment,
            status,
            batch,
        )
        self._clock = clock
        quiet(logger)
        self._queue = LocalQueue(batch, caller(), clock)
        self._stopped = threading.Event()
        self._troubles: list[AwsError] = []
        self._threads = [
            threading.Thread(target=self._work_off, daemon=True) for _ in range(THREADS)
        ]
        self._threads.append(threading.Thread(target=self._complete, daemon=True))
        self._chunk = _AT_ONCE

    def begin(self, members: Sequence[Member]) -> None:
        """Lets the threads have them; without any, lets what was begun come to its end."""
        # Several runs for each thread, so that they are begun about in the order of the file.
        self._chunk = max(1, min(_AT_ONCE, -(-len(members) // (4 * THREADS))))
        self._queue.put(members)
        for thread in self._threads:
            if not thread.ident:
                thread.start()

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """What the ledger tells. Raises Trouble, also that of a thread."""
        if self._troubles:
            raise self._troubles.pop(0)
        status = dict(self._seen.poll(waiting))
        for row in waiting:
            known, cause = (
                status.get(row.number, row.status),
                self._queue.letters.get(row.request_id),
            )
            if cause and not known.state.is_over:
                status[row.number] = replace(known, state=State.FAILED, cause=plain_cause(cause))
        return status

    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """See ``FromLedger``."""
        return self._seen.counts(waiting)

    def leave(self, seconds: float) -> None:
        """Begins nothing further, and gives what is being written so many seconds to be written."""
        self._stopped.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _work_off(self) -> None:
        while not self._stopped.is_set():
            records = self._queue.take(self._chunk)
            if not records:
                self._stopped.wait(_IDLE_SECONDS)
                continue
            failed = [record["messageId"] for record in records]
            try:
                with self._told():
                    worker = Worker(
                        *(
                            self._environment,
                            self._ecs,
                            self._ledger.table,
                            self._queue,
                            self._queue,
                            self._call(),
                        ),
                        caller_prefix="direct,",
                        retries_denied=False,
                    )
                    failed = worker.process(records)
            except AwsError as trouble:
                # Before any of them was looked at, such as when the ledger gave no token: all come
                # again.
                is_last = any(self._queue.receives(record) >= MOST_RECEIVES for record in records)
                self._troubles.append(
                    AwsError(str(trouble), is_transient=trouble.is_transient and not is_last)
                )
            finally:
                self._queue.settle(records, failed)

    def _complete(self) -> None:
        while not self._stopped.wait(COMPLETE_EVERY):
            try:
                with self._told():
                    complete(
                        None,
                        self._environment,
                        self._ecs,
                        self._ledger.table,
                        self._call(),
                        self._batch,
                    )
            except AwsError as trouble:
                self._troubles.append(trouble)

    @staticmethod
    @contextmanager
    def _told() -> Iterator[None]:
        """A thread tells of everything that goes wrong in it, or the batch would go on without it,
        and nobody know why.
        """
        try:
            with told():
                yield
        except AwsError:
            raise
        except Exception as error:
            raise AwsError(f"a defect of ecs-updater: {type(error).__name__}: {error}") from error

    def _call(self) -> Call:
        end = time.monotonic() + _SECONDS
        return Call(
            time_left=lambda: end - time.monotonic(), clock=replace(self._clock, sleep=self._sleep)
        )

    def _sleep(self, seconds: float) -> None:
        """Ends the thread when the command is left: who waits, for a token or for a lease, is not
        in the middle of a write.
        """
        if self._stopped.wait(seconds):
            raise SystemExit


def quiet(log: Logger) -> None:
    """Keeps the function's log off what a person reads; with POWERTOOLS_LOG_LEVEL it goes to
    standard error.
    """
    log.registered_handler.setStream(sys.stderr)  # type: ignore[attr-defined]  # Powertools declares its StreamHandler as Handler.
    if not os.environ.get("POWERTOOLS_LOG_LEVEL"):
        log.setLevel("CRITICAL")
