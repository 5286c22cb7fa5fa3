"""The file, or the reason why it cannot be used."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..backends.settings import allowing
from ..errors import wrong_input
from ..manifest.checks import checked, problems_of_event
from ..manifest.entries import Entry
from ..manifest.identity import Identity
from ..manifest.place import InvalidDocument
from ..manifest.reader import MOST_BYTES, read
from ..output.text import number_of

STANDARD_INPUT = "-"


def entries_of(file: Path) -> list[Entry]:
    """The file's entries, nothing wrong in any. Raises CommandEnd with a line for each problem."""
    name = "standard input" if str(file) == STANDARD_INPUT else str(file)
    if str(file) == STANDARD_INPUT and not sys.stdin:
        raise wrong_input(f"{name} is closed: name the file of the deployments with --file")
    try:
        if str(file) == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with file.open("rb") as opened:
                content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise wrong_input(
            f"{name}: {error.strerror or error}: name the file of the deployments with --file"
        ) from None
    try:
        return checked(read(content, name), allowing())
    except InvalidDocument as invalid:
        lines = [problem.told(name) for problem in invalid.problems]
        raise wrong_input(*lines, f"{number_of(len(lines), 'problem')}: nothing was sent") from None


def check_event(event: dict[str, Any]) -> None:
    """Raises CommandEnd with what is wrong with the event of a command's arguments."""
    if problems := problems_of_event(event, allowing()):
        raise wrong_input(
            *(": ".join(filter(None, (problem.path, problem.sentence))) for problem in problems)
        )


def check_account(events: Sequence[dict[str, Any]], arn_prefix: str) -> None:
    """Raises CommandEnd where an event's ARN is of another account or region than the command works
    in.
    """
    for event in events:
        identity = Identity.of(event)
        if identity.account not in (None, arn_prefix):
            place, here = identity.account.rstrip(":"), arn_prefix.rstrip(":")
            raise wrong_input(
                f"{identity} is in {place}, and this command works in {here}: take another "
                "--profile or --region"
            )
