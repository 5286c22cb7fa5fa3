"""Waits for a batch, shows it, and says how to resume it when the command detaches."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from ecs_updater.context import REAL_TIME, Clock
from ecs_updater.errors import NotAllowedError

from ..backends.account import StartedBatch
from ..backends.factory import OpenBackend
from ..batch.state import State
from ..batch.tracker import Tracker
from ..batch.watcher import BatchResult, View, Watcher
from ..batch.waves import Waves, waves_of
from ..errors import AWS, DETACHED, INPUT, NOT_ALL, SUCCEEDED, AwsError, CommandError
from ..output.lines import JsonView, LineView
from ..output.live import LiveView
from ..output.terminal import Printer
from .options import ViewOptions

# Ctrl-C, or the end of the process that reads the output.
_DETACHING = (KeyboardInterrupt, BrokenPipeError)

_DETACHED = BatchResult(DETACHED, "detached")


def wait_for_batch(
    backend: OpenBackend,
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
    waves = Waves(waves_of({member.number: member.group for member in started.members}))
    begun_at = datetime.fromisoformat(started.batch.begun_at).timestamp()
    tracker = Tracker(started.members, begun_at, backend.id)
    view = _view(options, printer, clock, waves, backend.hint)
    watcher = Watcher(tracker, backend.backend, waves, view, clock)
    detacher = Detacher(backend, tracker, waves)
    try:
        with closing(detacher), closing(view):
            result = _wait(watcher, view, tracker, options.timeout, resumes, detacher)
            view.show_result(tracker, result)
        return result.code
    except _DETACHING:
        # Also during detaching: the user always learns how to resume a started batch.
        result = detacher.result(_DETACHED)
        raise CommandError(result.code, *result.notes) from None


def _wait(
    watcher: Watcher,
    view: View,
    tracker: Tracker,
    timeout: float | None,
    resumes: bool,
    detacher: "Detacher",
) -> BatchResult:
    try:
        view.show_start(tracker)
        if resumes:
            watcher.poll()
        if watcher.wait(timeout):
            return _final_result(tracker)
        result = BatchResult(NOT_ALL, "timed out")
    except _DETACHING:
        view.show_detaching()
        result = _DETACHED
    except AwsError as error:
        result = BatchResult(AWS, "trouble", error.lines)
    try:
        detacher.close()
        watcher.poll()
    except (*_DETACHING, AwsError):
        pass  # The last known state is used.
    return detacher.result(result)


class Detacher:
    """Closes the backend once, whatever happens: a second Ctrl-C does not wait again."""

    def __init__(self, backend: OpenBackend, tracker: Tracker, waves: Waves):
        self._backend, self._tracker, self._waves = backend, tracker, waves
        self._close = backend.close

    def close(self) -> None:
        """Starts nothing further, and waits shortly for writes in progress."""
        close, self._close = self._close, lambda: None
        close()

    def result(self, result: BatchResult) -> BatchResult:
        """Returns `result` with a note on the updates that are not over.

        If all are over by now, their states decide. But without a ledger they can be over only
        because AWS could not be called.
        """
        tracker, can_resume = self._tracker, self._backend.id is not None
        if tracker.is_over and (tracker.is_good or can_resume or result.code != AWS):
            return replace(_final_result(tracker), notes=result.notes)
        rest = self._backend.detach_note(tracker.waiting, bool(self._waves.left))
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
    waves: Waves,
    hint: Callable[[bool], str],
) -> View:
    if options.as_json:
        return JsonView(printer, clock)
    if options.interactive and printer.is_terminal:
        return LiveView(printer, clock, waves, hint)
    if options.interactive:
        printer.note(
            "--interactive needs a terminal, and standard output is not one: printing a line "
            "for each change instead"
        )
    return LineView(printer, clock)
