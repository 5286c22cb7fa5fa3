"""How the Python scripts speak and fail: the same as `say` and `fail` of lib.sh."""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn


def _mark(symbol: str, colour: int) -> str:
    """Returns the symbol that opens a line, in colour on a terminal (https://no-color.org)."""
    return (
        f"\033[{colour}m{symbol}\033[0m"
        if sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        else symbol
    )


def say(text: str) -> None:
    """Prints one line of progress on standard error; that nobody reads it any more is no
    failure.
    """
    with contextlib.suppress(BrokenPipeError):
        print(_mark("•", 36), text, file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    """Ends the program with one line that says what is wrong and what to do about it."""
    print(_mark("✗", 31), text, file=sys.stderr, flush=True)
    sys.exit(1)


def run_program(main: Callable[[], int | None]) -> NoReturn:
    """Runs a program and exits with what it returns; Ctrl-C ends it without a traceback, as a
    shell's own status says.
    """
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
