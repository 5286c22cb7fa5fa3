"""How a batch ended."""

from dataclasses import dataclass

from rich.text import Text

from ..batch.tracker import Board
from .printer import Printer
from .text import duration, number_of, tally


@dataclass(frozen=True)
class Ended:
    """How, and with which exit code."""

    code: int
    outcome: str = "over"
    """``over``, ``timed out`` or ``detached``; ``trouble`` when AWS was not to be had."""
    sentences: tuple[str, ...] = ()
    """What to do next, on standard error."""


def print_end(printer: Printer, board: Board, ended: Ended, now: float) -> None:
    """One line for the whole, and what to do next."""
    all_good = board.is_over and board.is_good
    style = (
        "green" if all_good else "bold red" if any(row.state.is_bad for row in board.rows) else ""
    )
    whole = f"{number_of(len(board.rows), 'service')} in {duration(board.seconds(now))}"
    printer.line(Text.assemble(f"{whole}: ", (tally(board.tally), style)))
    for sentence in ended.sentences:
        printer.note(sentence)
