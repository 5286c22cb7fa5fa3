"""What Lambda refuses before a function runs, found before anything is started: one line instead of
a stack trace.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import json
from pathlib import Path

from .cases import CannotRun

LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's payload."""


def check(event_file: Path) -> None:
    """Raises CannotRun for a file that is not there, is not JSON, or is too large for
    Lambda.
    """
    try:
        with event_file.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise CannotRun(f"{event_file} cannot be read: {error.strerror}") from error
    if len(content) > LIMIT:
        raise CannotRun(f"{event_file} is too large: Lambda takes events of at most {LIMIT} bytes")
    try:
        json.loads(content.decode("utf-8"), parse_constant=_no_json)
    except RecursionError as error:
        raise CannotRun(f"{event_file} is nested too deeply") from error
    except ValueError as error:  # No UTF-8 is a ValueError too.
        raise CannotRun(f"{event_file} is not JSON: {error}") from error


def _no_json(constant: str) -> None:
    """Refuses NaN and the infinities, which Python takes for JSON."""
    raise ValueError(f"{constant} is not a value of JSON")
