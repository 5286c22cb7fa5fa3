"""``ecs-updater validate``: the file alone."""

from collections import Counter
from pathlib import Path

from ..errors import SUCCEEDED
from ..output.printer import Printer
from ..output.text import number_of
from .options import File
from .reading import read_entries


def validate(file: File = Path("deployments.json")) -> int:
    """Check a file as `deploy` does before it sends anything. Calls nothing of AWS.

    Each problem has a line with its position. Exit codes: 0 nothing is wrong, 2 something is.
    """
    entries = read_entries(file)
    groups = Counter(entry.group for entry in entries if entry.group)
    inside = f" in {number_of(len(groups), 'group')}" if groups else ""
    Printer().line(f"{file}: {number_of(len(entries), 'service')}{inside}, nothing is wrong")
    return SUCCEEDED
