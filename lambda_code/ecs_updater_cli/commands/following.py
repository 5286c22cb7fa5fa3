"""A batch from its beginning to its exit code."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

from ecs_updater.context import REAL_TIME, Clock

from ..backends.batches import Begun
from ..backends.factory import Opened
from ..batch.tracker import Board
from ..batch.watcher import Following
from ..batch.waves import Wave, Waves, waves_of
from ..errors import AWS, DETACHED, NOT_ALL, CommandEnd, Trouble
from ..output.lines import Lines
from ..output.live import LiveView
from ..output.printer import Printer
from ..output.records import Records
from ..output.summary import Ended
from .detach import GONE, WayOut, over
from .options import How


def follow(
    opened: Opened,
    begun: Begun,
    how: How,
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
    board = Board(begun.members, begun_at, opened.id)
    show = _show(how, printer, clock, waves, opened.hint)
    following = Following(board, opened.door, waves, show, clock)
    way = WayOut(opened, board, waves)
    try:
        with way, ExitStack() as stack:
            if isinstance(show, LiveView):
                stack.enter_context(show)
            ended = _followed(following, show, board, how.timeout, again, way)
            show.ends(board, ended)
        return ended.code
    except GONE:
        # In the middle of leaving, too: once there is a batch, nobody goes without a word about it.
        ended = way.told(Ended(DETACHED, "detached"))
        raise CommandEnd(ended.code, *ended.sentences) from None


def _followed(
    following: Following,
    show: Lines | Records | LiveView,
    board: Board,
    timeout: float | None,
    again: bool,
    way: WayOut,
) -> Ended:
    try:
        show.begins(board)
        if again:
            following.look()
        if following.follow(timeout):
            return over(board)
        ended = Ended(NOT_ALL, "timed out")
    except GONE:
        show.leaves()
        ended = Ended(DETACHED, "detached")
    except Trouble as trouble:
        ended = Ended(AWS, "trouble", trouble.lines)
    try:
        way.close()
        following.look()
    except (*GONE, Trouble):
        pass  # Twice: at once, then. What was known is told.
    return way.told(ended)


def waves_of_batch(begun: Begun) -> list[Wave]:
    """Its waves; one where no service has a group."""
    return waves_of({member.number: member.group for member in begun.members})


def _show(
    how: How, printer: Printer, clock: Clock, waves: Waves, hint: Callable[[bool], str]
) -> Lines | Records | LiveView:
    if how.as_json:
        return Records(printer, clock)
    if how.interactive and printer.is_terminal:
        return LiveView(printer, clock, waves, hint)
    if how.interactive:
        printer.note(
            "--interactive needs a terminal, and standard output is none: here is a "
            "line for each change"
        )
    return Lines(printer, clock)
