"""The live view on a terminal: drawn again and again, on a screen of its own, so that a resize
leaves nothing behind.
"""

from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Group
from rich.live import Live

from ecs_updater.context import Clock

from ..batch.tracker import Change, Tracker
from ..batch.waves import Waves
from .printer import Printer
from .screen import Frame, draw, result_lines
from .summary import BatchResult, print_end

_DRAWINGS_A_SECOND = 4


class LiveView:
    """A batch on the whole terminal; what it came to stays on the usual screen afterwards."""

    def __init__(
        self,
        printer: Printer,
        clock: Clock,
        waves: Waves,
        hint: Callable[[bool], str],
        *,
        turns: bool = True,
    ):
        """``hint``: what Ctrl-C does, while some were not let begin yet, or when all were.
        ``turns``: whether it is drawn by itself too, as time goes by.
        """
        self._printer, self._clock, self._waves, self._hint = printer, clock, waves, hint
        self._board: Tracker | None = None
        self._trouble = ""
        self._live = Live(
            console=printer.console,
            screen=True,
            auto_refresh=turns,
            refresh_per_second=_DRAWINGS_A_SECOND,
            get_renderable=self._drawn,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def begins(self, tracker: Tracker) -> None:
        """The batch's id stays on the usual screen; then the view opens."""
        self._board = tracker
        if tracker.batch:
            self._printer.line(f"batch {tracker.batch}")
        self._live.start(refresh=True)

    def changed(self, tracker: Tracker, changes: Sequence[Change]) -> None:
        """Rows are in other states than before."""
        del tracker, changes
        self._live.refresh()

    def trouble(self, sentence: str) -> None:
        """Said at the foot."""
        self._trouble = sentence
        self._live.refresh()

    def leaves(self) -> None:
        """Ctrl-C was heard, and it takes a moment."""
        self._hint = lambda _: "Leaving: what is in the middle of being written is finished first"
        self._live.refresh()

    def ends(self, tracker: Tracker, result: BatchResult) -> None:
        """Closes the view, and prints what it came to."""
        self._live.stop()
        for line in result_lines(self._frame(tracker)):
            self._printer.line(line)
        print_end(self._printer, tracker, result, self._clock.epoch())

    def __enter__(self) -> "LiveView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()  # Whatever happened: the terminal is the person's again.

    def _drawn(self) -> Group:
        return draw(self._frame(self._board)) if self._board else Group()

    def _frame(self, tracker: Tracker) -> Frame:
        console = self._printer.console
        has_symbols, hint = not console.options.ascii_only, self._hint(bool(self._waves.left))
        return Frame(
            tracker,
            self._waves,
            self._clock.epoch(),
            *console.size,
            self._trouble,
            hint,
            has_symbols,
        )
