"""How a batch ended."""

from dataclasses import dataclass

from rich.text import Text

from ..batch.tracker import Tracker
from .printer import Printer
from .text import duration, number_of, tally


@dataclass(frozen=True)
class BatchResult:
    """How, and with which exit code."""

    code: int
    outcome: str = "over"
    """``over``, ``timed out`` or ``detached``; ``trouble`` when AWS was not to be had."""
    sentences: tuple[str, ...] = ()
    """What to do next, on standard error."""


def print_end(printer: Printer, tracker: Tracker, result: BatchResult, now: float) -> None:
    """One line for the whole, and what to do next."""
    all_good = tracker.is_over and tracker.is_good
    style = (
        "green" if all_good else "bold red" if any(row.state.is_bad for row in tracker.rows) else ""
    )
    whole = f"{number_of(len(tracker.rows), 'service')} in {duration(tracker.seconds(now))}"
    printer.line(Text.assemble(f"{whole}: ", (tally(tracker.tally), style)))
    for sentence in result.sentences:
        printer.note(sentence)
