"""The live view: redraws a terminal's alternate screen, so that a resize leaves nothing behind."""

from collections.abc import Callable, Sequence

from rich.console import Group
from rich.live import Live

from ecs_updater.context import Clock

from ..batch.tracker import Change, Tracker
from ..batch.watcher import BatchResult, View
from ..batch.waves import Waves
from .lines import print_summary
from .screen import Frame, draw, result_lines
from .terminal import Printer

_REFRESHES_PER_SECOND = 4


class LiveView(View):
    """Shows a batch on the whole terminal. The result stays on the normal screen."""

    def __init__(self, printer: Printer, clock: Clock, waves: Waves, hint: Callable[[bool], str]):
        """`hint` returns the effect of Ctrl-C; its argument is whether waves are left to start."""
        self._printer, self._clock, self._waves, self._hint = printer, clock, waves, hint
        self._tracker: Tracker | None = None
        self._problem = ""
        self._live = Live(
            console=printer.console,
            screen=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
            get_renderable=self._draw,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show_start(self, tracker: Tracker) -> None:
        """Prints the id of the batch on the normal screen, and opens the view."""
        self._tracker = tracker
        if tracker.batch:
            self._printer.line(f"batch {tracker.batch}")
        self._live.start(refresh=True)

    def show_changes(self, *_: Tracker | Sequence[Change]) -> None:
        """Draws the changed rows."""
        self._live.refresh()

    def show_problem(self, sentence: str) -> None:
        """Shows a problem in the last line."""
        self._problem = sentence
        self._live.refresh()

    def show_detaching(self) -> None:
        """Shows that Ctrl-C takes effect in a moment."""
        self._hint = lambda _: "Leaving: what is in the middle of being written is finished first"
        self._live.refresh()

    def show_result(self, tracker: Tracker, result: BatchResult) -> None:
        """Closes the view, and prints the rows and the summary."""
        self._live.stop()
        for line in result_lines(self._frame(tracker)):
            self._printer.line(line)
        print_summary(self._printer, tracker, result, self._clock.epoch())

    def close(self) -> None:
        """Gives the terminal back, also after an error."""
        self._live.stop()

    def _draw(self) -> Group:
        return draw(self._frame(self._tracker)) if self._tracker else Group()

    def _frame(self, tracker: Tracker) -> Frame:
        console = self._printer.console
        return Frame(
            tracker,
            self._waves,
            self._clock.epoch(),
            *console.size,
            self._problem,
            self._hint(bool(self._waves.left)),
            not console.options.ascii_only,
        )
