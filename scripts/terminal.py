"""Output and exit of the Python scripts, in the form of `say` and `fail` of lib.sh."""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn


def _colour(symbol: str, colour: int) -> str:
    """Returns a symbol, in colour on a terminal (https://no-color.org)."""
    return (
        f"\033[{colour}m{symbol}\033[0m"
        if sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        else symbol
    )


def say(text: str) -> None:
    """Prints one line of progress on standard error. A closed standard error is not a failure."""
    with contextlib.suppress(BrokenPipeError):
        print(_colour("•", 36), text, file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    """Prints one line with the error and the remedy, then exits with 1."""
    print(_colour("✗", 31), text, file=sys.stderr, flush=True)
    sys.exit(1)


def run_program(main: Callable[[], int | None]) -> NoReturn:
    """Runs a program and exits with its status. Ctrl-C exits with 130, without a traceback."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
