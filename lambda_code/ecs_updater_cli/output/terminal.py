"""Standard output and standard error, and text that fits a terminal."""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import IO, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecs_updater.errors import one_line

from ..batch.state import State
from ..errors import MAX_LENGTH, print_note

STYLES: Mapping[str, str] = {
    State.QUEUED: "dim",
    State.BEGUN: "cyan",
    State.RUNNING_TASK: "cyan",
    State.DEPLOYING: "cyan",
    State.AWAITING_APPROVAL: "bold yellow",
    State.ROLLING_BACK: "magenta",
    State.RETRYING: "yellow",
    State.SUCCEEDED: "green",
    State.UNCHANGED: "green",
    State.STAGE_REACHED: "cyan",
    State.FAILED: "bold red",
    State.ROLLED_BACK: "bold red",
    State.ROLLBACK_FAILED: "bold red",
    State.SUPERSEDED: "yellow",
    State.STOPPED: "bold red",
    State.NOT_STARTED: "yellow",
}
"""Colour of each state. It adds nothing that the word does not say."""

ACTIVE = (
    State.AWAITING_APPROVAL,
    State.ROLLING_BACK,
    State.RETRYING,
    State.DEPLOYING,
    State.RUNNING_TASK,
    State.BEGUN,
    State.QUEUED,
)
"""The states of updates that are not over, the most important first."""

_TALLY_ORDER = (
    *(state for state in State if state.is_good),
    *(state for state in State if state.is_bad),
    *ACTIVE,
)

STATE_WIDTH = 12
"""Columns of a state. A rare longer one shifts its line."""

# Columns of a file or a pipe, where a table is not folded.
_ANY_WIDTH = 100_000


class Printer:
    """Results go to standard output, and notes to standard error.

    Terminals get colours unless NO_COLOR is set.
    """

    def __init__(self, out: TextIO | None = None, error: TextIO | None = None):
        self.console = Console(file=out or sys.stdout, highlight=False, markup=False, emoji=False)
        if not self.console.is_terminal:
            self.console.width = _ANY_WIDTH
        self._error = error

    @property
    def is_terminal(self) -> bool:
        """Whether standard output is a terminal that can draw."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def line(self, line: Text | Table | str) -> None:
        """Prints one line of any length, or a table.

        Raises BrokenPipeError if the reader has gone or the output cannot be written, as `raw`.
        """
        with self._writing(), self.console.capture() as capture:
            self.console.print(line, soft_wrap=not isinstance(line, Table))
        for text in capture.get().splitlines():
            self.raw(text.rstrip())

    def raw(self, text: str) -> None:
        """Prints a line for programs, unchanged."""
        with self._writing():
            self.console.file.write(f"{text}\n")
            self.console.file.flush()

    def listing(
        self, objects: Iterable[object], lines: Iterable[Text | Table], as_json: bool
    ) -> None:
        """Prints objects for programs, or else lines or a table."""
        for value in objects if as_json else ():
            self.raw(json.dumps(value))
        for line in () if as_json else lines:
            self.line(line)

    def note(self, sentence: str) -> None:
        """Prints one line on standard error."""
        print_note(sentence, self._error)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Handles a full disk like a broken pipe, with a note."""
        try:
            yield
        except OSError as error:
            _redirect_to_null(self.console.file)
            if isinstance(error, BrokenPipeError):
                raise
            self.note(f"the output cannot be written: {error.strerror or error}")
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None


def _redirect_to_null(file: IO[str]) -> None:
    """Prevents a second error when the interpreter flushes the file at exit.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    with suppress(OSError, ValueError):  # A file in memory has no descriptor.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, file.fileno())
        os.close(null)


@lru_cache(maxsize=20_000)
def safe(text: str) -> str:
    """Returns `text` with control characters escaped, so that it cannot control the terminal."""
    return one_line(text, MAX_LENGTH)


def cell(text: str, width: int, style: str = "", *, right: bool = False) -> Text:
    """Returns the safe `text`, cut or padded to `width` columns of a terminal."""
    content = Text(safe(text), style=style, no_wrap=True)
    if right and content.cell_len < width:
        content.pad_left(width - content.cell_len)
    content.truncate(max(0, width), overflow="ellipsis", pad=True)
    return content


def image_cell(image: str, width: int) -> Text:
    """Returns a cell that is cut at its beginning: the tag matters more than the registry."""
    text = safe(image)
    if cell_len(text) > width:
        while "/" in text and cell_len(text) + 2 > width:
            text = text.partition("/")[2]
        text = f"…/{text}"
    return cell(text, width)


def columns_of(text: str) -> int:
    """Returns the number of terminal columns of the safe `text`."""
    return cell_len(safe(text))


def duration(seconds: float | None) -> str:
    """Returns for example `0:07`, `12:30` or `1:02:03`; empty for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def tally(counted: Mapping[State, int]) -> str:
    """Returns for example `9 succeeded, 1 failed`: final states first."""
    return ", ".join(f"{counted[state]} {state}" for state in _TALLY_ORDER if counted.get(state))


def number_of(count: int, what: str) -> str:
    """Returns for example `1 service` or `12 services`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
