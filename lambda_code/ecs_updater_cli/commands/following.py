"""A batch from its beginning to its exit code."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

from ecs_updater.context import REAL_TIME, Clock

from ..backends.batches import StartedBatch
from ..backends.factory import OpenBackend
from ..batch.tracker import Tracker
from ..batch.watcher import Watcher
from ..batch.waves import Wave, Waves, waves_of
from ..errors import AWS, DETACHED, NOT_ALL, AwsError, CommandError
from ..output.lines import LineView
from ..output.live import LiveView
from ..output.printer import Printer
from ..output.records import JsonView
from ..output.summary import BatchResult
from .detach import GONE, Detacher, over
from .options import ViewOptions


def wait_for_batch(
    opened: OpenBackend,
    begun: StartedBatch,
    how: ViewOptions,
    printer: Printer,
    clock: Clock = REAL_TIME,
    *,
    again: bool = False,
) -> int:
    """Shows a batch until all have their verdict, somebody has seen enough, or AWS is not to be
    had; the exit code.

    ``again``: it may have been begun before, so what there is of it is looked at first.
    """
    waves = Waves(waves_of_batch(begun))
    begun_at = datetime.fromisoformat(begun.batch.begun_at).timestamp()
    tracker = Tracker(begun.members, begun_at, opened.id)
    show = _show(how, printer, clock, waves, opened.hint)
    watcher = Watcher(tracker, opened.backend, waves, show, clock)
    way = Detacher(opened, tracker, waves)
    try:
        with way, ExitStack() as stack:
            if isinstance(show, LiveView):
                stack.enter_context(show)
            result = _followed(watcher, show, tracker, how.timeout, again, way)
            show.ends(tracker, result)
        return result.code
    except GONE:
        # In the middle of leaving, too: once there is a batch, nobody goes without a word about it.
        result = way.told(BatchResult(DETACHED, "detached"))
        raise CommandError(result.code, *result.sentences) from None


def _followed(
    watcher: Watcher,
    show: LineView | JsonView | LiveView,
    tracker: Tracker,
    timeout: float | None,
    again: bool,
    way: Detacher,
) -> BatchResult:
    try:
        show.begins(tracker)
        if again:
            watcher.poll()
        if watcher.wait(timeout):
            return over(tracker)
        result = BatchResult(NOT_ALL, "timed out")
    except GONE:
        show.leaves()
        result = BatchResult(DETACHED, "detached")
    except AwsError as trouble:
        result = BatchResult(AWS, "trouble", trouble.lines)
    try:
        way.close()
        watcher.poll()
    except (*GONE, AwsError):
        pass  # Twice: at once, then. What was known is told.
    return way.told(result)


def waves_of_batch(begun: StartedBatch) -> list[Wave]:
    """Its waves; one where no service has a group."""
    return waves_of({member.number: member.group for member in begun.members})


def _show(
    how: ViewOptions, printer: Printer, clock: Clock, waves: Waves, hint: Callable[[bool], str]
) -> LineView | JsonView | LiveView:
    if how.as_json:
        return JsonView(printer, clock)
    if how.interactive and printer.is_terminal:
        return LiveView(printer, clock, waves, hint)
    if how.interactive:
        printer.note(
            "--interactive needs a terminal, and standard output is none: here is a "
            "line for each change"
        )
    return LineView(printer, clock)
