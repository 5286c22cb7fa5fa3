"""The file, or the reason why it cannot be used."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..backends.settings import allowing
from ..errors import input_error
from ..manifest.checks import checked, problems_of_event
from ..manifest.entries import ManifestEntry
from ..manifest.identity import ServiceIdentity
from ..manifest.place import ManifestError
from ..manifest.reader import MOST_BYTES, read
from ..output.text import number_of

STANDARD_INPUT = "-"


def read_entries(file: Path) -> list[ManifestEntry]:
    """The file's entries, nothing wrong in any. Raises CommandEnd with a line for each problem."""
    name = "standard input" if str(file) == STANDARD_INPUT else str(file)
    if str(file) == STANDARD_INPUT and not sys.stdin:
        raise input_error(f"{name} is closed: name the file of the deployments with --file")
    try:
        if str(file) == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with file.open("rb") as opened:
                content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise input_error(
            f"{name}: {error.strerror or error}: name the file of the deployments with --file"
        ) from None
    try:
        return checked(read(content, name), allowing())
    except ManifestError as invalid:
        lines = [problem.told(name) for problem in invalid.problems]
        raise input_error(*lines, f"{number_of(len(lines), 'problem')}: nothing was sent") from None


def check_event(event: dict[str, Any]) -> None:
    """Raises CommandEnd with what is wrong with the event of a command's arguments."""
    if problems := problems_of_event(event, allowing()):
        raise input_error(
            *(": ".join(filter(None, (problem.path, problem.sentence))) for problem in problems)
        )


def check_account(events: Sequence[dict[str, Any]], arn_prefix: str) -> None:
    """Raises CommandEnd where an event's ARN is of another account or region than the command works
    in.
    """
    for event in events:
        identity = ServiceIdentity.of(event)
        if identity.account not in (None, arn_prefix):
            place, here = identity.account.rstrip(":"), arn_prefix.rstrip(":")
            raise input_error(
                f"{identity} is in {place}, and this command works in {here}: take another "
                "--profile or --region"
            )
