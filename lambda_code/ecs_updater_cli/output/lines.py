"""One line for each change, for logs, pipes and whoever likes lines."""

from collections.abc import Sequence

from rich.text import Text

from ecs_updater.context import Clock

from ..batch.row import Row
from ..batch.tracker import Change, Tracker
from .printer import Printer
from .summary import BatchResult, print_end
from .text import LONGEST_STATE, STYLES, cell, number_of, safe, time_of_day

_WIDEST = 60


class LineView:
    """A batch as lines."""

    def __init__(self, printer: Printer, clock: Clock):
        self._printer, self._clock = printer, clock
        self._name, self._image = 0, 0
        self._trouble = ""

    def begins(self, tracker: Tracker) -> None:
        """The batch's id, at once: with it somebody comes back."""
        self._name = min(_WIDEST, max(len(safe(row.name)) for row in tracker.rows))
        self._image = min(_WIDEST, max(len(safe(row.image)) for row in tracker.rows))
        batch = f"batch {tracker.batch}, " if tracker.batch else ""
        self._printer.line(
            Text(
                f"{time_of_day(self._clock.epoch())}  "
                f"{batch}{number_of(len(tracker.rows), 'service')}"
            )
        )

    def changed(self, tracker: Tracker, changes: Sequence[Change]) -> None:
        """Rows are in other states than before."""
        del tracker
        for change in changes:
            self._printer.line(self._line(change.row))
            if change.row.status.hint:
                self._printer.line(Text(f"{'':10}{safe(change.row.status.hint)}"))

    def trouble(self, sentence: str) -> None:
        """Said once, as long as it is the same."""
        if sentence and sentence != self._trouble:
            self._printer.note(f"{time_of_day(self._clock.epoch())}  {sentence}; still trying")
        self._trouble = sentence

    def leaves(self) -> None:
        """Nothing: the line that says so comes in a moment."""

    def ends(self, tracker: Tracker, result: BatchResult) -> None:
        """How it ended."""
        print_end(self._printer, tracker, result, self._clock.epoch())

    def _line(self, row: Row) -> Text:
        line = Text(f"{time_of_day(self._clock.epoch())}  ", end="")
        line.append_text(cell(row.state.upper(), LONGEST_STATE, STYLES[row.state]))
        line.append("  ").append_text(_padded(row.name, self._name)).append("  ").append_text(
            _padded(row.image, self._image)
        )
        line.append(f"  {safe(row.status.cause)}")
        line.rstrip()
        return line


def _padded(text: str, width: int) -> Text:
    """In so many columns, or more where it is longer: in a line nothing is cut."""
    padded = Text(safe(text), end="")
    padded.pad_right(max(0, width - padded.cell_len))
    return padded
