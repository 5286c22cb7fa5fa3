"""`ecs-updater watch` and `stop`: waits for a batch that has started, and shows it."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime

from ecs_updater.context import REAL_TIME, Clock
from ecs_updater.errors import NotAllowedError

from ..backends.account import Account, StartedBatch
from ..backends.local import LocalBackend
from ..backends.sqs import SqsBackend
from ..batch.state import State
from ..batch.tracker import Tracker
from ..batch.watcher import Backend, BatchResult, View, Watcher
from ..errors import AWS, DETACHED, INPUT, NOT_ALL, SUCCEEDED, AwsError, CommandError
from ..output.lines import JsonView, LineView
from ..output.screen import LiveView
from ..output.terminal import Printer
from .options import AccountOptions, ViewOptions, WatchOptions

# Ctrl-C, or the end of the process that reads the output.
_DETACHING = (KeyboardInterrupt, BrokenPipeError)

_DETACHED = BatchResult(DETACHED, "detached")


def watch(batch: str, direct: bool, options: WatchOptions) -> int:
    """Resumes a batch, with `direct` from this machine. Returns the exit code."""
    account = Account(options.name, options.region, options.profile)
    ledger = account.needed_ledger
    started = ledger.find_batch(batch)
    events = [member.event for member in started.members]
    account.use_targets(events, ledger, reads_only=not direct)
    backend = (
        LocalBackend(account, ledger, batch, options)
        if direct
        else SqsBackend(account, batch, options)
    )
    return wait_for_batch(backend, started, options, Printer(), account.clock, resumes=True)


def stop(batch: str, options: AccountOptions) -> int:
    """Prevents further services of a batch from starting. Returns the exit code."""
    account = Account(options.name, options.region, options.profile)
    account.needed_ledger.stop_batch(batch)
    watch_command = options.command("watch", batch)
    Printer().note(f"batch {batch} starts no further service; {watch_command} shows the others")
    return SUCCEEDED


def wait_for_batch(
    backend: Backend,
    started: StartedBatch,
    options: ViewOptions,
    printer: Printer,
    clock: Clock = REAL_TIME,
    *,
    resumes: bool = False,
) -> int:
    """Shows a batch until all updates are over, the user detaches or AWS cannot be called.

    `resumes`: the batch may have started before, so its state is read first. Returns the exit code.
    """
    begun_at = datetime.fromisoformat(started.batch.begun_at).timestamp()
    tracker = Tracker(started.members, begun_at, backend.id, backend.awaited)
    view = _view(options, printer, clock, backend.hint)
    watcher = Watcher(tracker, backend, view, clock)
    try:
        with closing(backend), closing(view):
            result = _wait(watcher, options.timeout, resumes)
            view.show_result(tracker, result)
            for note in result.notes:
                printer.note(note)
        return result.code
    except _DETACHING:
        # Also during detaching: the user always learns how to resume a started batch.
        result = _unfinished_result(_DETACHED, watcher)
        raise CommandError(result.code, *result.notes) from None


def _wait(watcher: Watcher, timeout: float | None, resumes: bool) -> BatchResult:
    try:
        watcher.view.show_start(watcher.tracker)
        if resumes:
            watcher.poll()
        if watcher.wait(timeout):
            return _final_result(watcher.tracker)
        result = BatchResult(NOT_ALL, "timed out")
    except _DETACHING:
        watcher.view.show_detaching()
        result = _DETACHED
    except AwsError as error:
        result = BatchResult(AWS, "trouble", error.lines)
    try:
        watcher.backend.close()
        watcher.poll()
    except (*_DETACHING, AwsError):
        pass  # The last known state is used.
    return _unfinished_result(result, watcher)


def _unfinished_result(result: BatchResult, watcher: Watcher) -> BatchResult:
    """Returns `result` with a note on the updates that are not over.

    If all are over by now, their states decide. But without a ledger they can be over only
    because AWS could not be called.
    """
    tracker, can_resume = watcher.tracker, watcher.backend.id is not None
    if not tracker.waiting and (tracker.is_good or can_resume or result.code != AWS):
        return replace(_final_result(tracker), notes=result.notes)
    rest = watcher.backend.detach_note(tracker.waiting)
    if result.code != AWS:
        return replace(result, notes=(f"{result.outcome}: {rest}",))
    # Without a ledger the state of the batch is lost with this process.
    note = f"nothing is lost: {rest}" if can_resume else rest
    return replace(result, notes=(*result.notes, note))


def _final_result(tracker: Tracker) -> BatchResult:
    """Returns the result of a batch whose updates are all over."""
    rejected = [row for row in tracker.rows if row.status.error_type == NotAllowedError.__name__]
    not_started = [row for row in tracker.rows if row.state is State.NOT_STARTED]
    if rejected and len(rejected) + len(not_started) == len(tracker.rows):
        return BatchResult(INPUT)  # The worker rejected all updates: none was started.
    return BatchResult(SUCCEEDED if tracker.is_good else NOT_ALL)


def _view(
    options: ViewOptions,
    printer: Printer,
    clock: Clock,
    hint: str,
) -> View:
    if options.as_json:
        return JsonView(printer, clock)
    if options.live and printer.is_terminal:
        return LiveView(printer, clock, hint)
    if options.live:
        printer.note(
            "--live needs a terminal, and standard output is not one: printing a line "
            "for each change instead"
        )
    return LineView(printer, clock)
