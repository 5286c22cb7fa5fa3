"""Where it goes: what was asked for to standard output, everything beside it to standard error."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TextIO

from rich.console import Console
from rich.text import Text

from .text import safe


class Printer:
    """Standard output and standard error, with colours where they are terminals and NO_COLOR does
    not forbid them.
    """

    def __init__(self, out: TextIO | None = None, error: TextIO | None = None):
        self.console = _console(out or sys.stdout)
        self._error = _console(error or sys.stderr)

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at standard output, on something that can draw."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    @property
    def width(self) -> int | None:
        """The columns of the terminal; None for a file or a pipe, which has as many as are
        needed.
        """
        return self.console.width if self.console.is_terminal else None

    def line(self, line: Text | str = "") -> None:
        """One line, however long.

        Raises BrokenPipeError when nobody reads any more, or nothing can be written, as `raw` does.
        """
        with self._writing():
            self.console.print(line, soft_wrap=True)

    def raw(self, text: str) -> None:
        """A line for programs: not a character otherwise."""
        with self._writing():
            self.console.file.write(f"{text}\n")
            self.console.file.flush()

    def note(self, sentence: str, style: str = "") -> None:
        """One line beside what was asked for."""
        self._error.print(Text(safe(sentence), style=style), soft_wrap=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Output that cannot be written, to a full disk say, is one that nobody reads, but for a
        sentence about it.
        """
        try:
            yield
        except OSError as error:
            _lead_nowhere(self.console.file)
            if isinstance(error, BrokenPipeError):
                raise
            self.note(f"the output cannot be written: {error.strerror or error}")
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None


class _Console(Console):
    """Lets whoever prints know when nobody reads any more; rich would end the process there and
    then.
    """

    def on_broken_pipe(self) -> None:
        _lead_nowhere(self.file)
        raise  # pylint: disable=misplaced-bare-raise  # It is called where the error is handled.


def _lead_nowhere(file: IO[str]) -> None:
    """What is still to be written, on the way out and by the interpreter's own end, is to be no
    second error.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    with suppress(OSError, ValueError):  # A file in memory has no number.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def _console(file: TextIO) -> Console:
    options: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    return _Console(file=file, **options)
