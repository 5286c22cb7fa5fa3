"""Errors of the command line: the exit code, and what failed, why, and what to do next."""

import sys
from typing import TextIO

from ecs_updater.errors import one_line

SUCCEEDED, NOT_ALL, INPUT, AWS, DRIFT = 0, 1, 2, 3, 4
"""Exit codes: all succeeded; not all succeeded; invalid input; AWS could not be called; a file and
its services differ.
"""

DETACHED = 130
"""Exit code after Ctrl-C, as in a shell."""

MAX_LENGTH = 4000
"""Maximum characters of a text that is printed in one line."""


class CommandError(Exception):
    """Ends the command with this exit code and these lines on standard error."""

    def __init__(self, code: int, *lines: str):
        self.code, self.lines = code, lines
        super().__init__("; ".join(lines))


class AwsError(CommandError):
    """A call of AWS failed."""

    def __init__(self, sentence: str, *, is_transient: bool = False):
        self.is_transient = is_transient
        super().__init__(AWS, sentence)


def print_note(sentence: str, stream: TextIO | None = None) -> None:
    """Prints one line on standard error, or on a stream, with control characters escaped."""
    print(one_line(sentence, MAX_LENGTH), file=stream or sys.stderr, flush=True)


def input_error(*lines: str) -> CommandError:
    """Returns the error of invalid input."""
    return CommandError(INPUT, *lines)
