"""Words, colours, times and lengths that every view shares. Pure."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from rich.cells import cell_len
from rich.text import Text

from ecs_updater.errors import one_line

from ..batch.state import State

STYLES: Mapping[State, str] = {
    State.QUEUED: "dim",
    State.BEGUN: "cyan",
    State.DEPLOYING: "cyan",
    State.ROLLING_BACK: "magenta",
    State.RETRYING: "yellow",
    State.SUCCEEDED: "green",
    State.UNCHANGED: "green",
    State.FAILED: "bold red",
    State.ROLLED_BACK: "bold red",
    State.SUPERSEDED: "yellow",
    State.STOPPED: "bold red",
    State.NOT_STARTED: "yellow",
}
"""A state's colour, which says nothing that its word does not."""

_ORDER = (
    *(state for state in State if state.is_good),
    *(state for state in State if state.is_bad),
    *(State.ROLLING_BACK, State.RETRYING, State.DEPLOYING, State.BEGUN, State.QUEUED),
)

LONGEST_STATE = max(len(state) for state in State)

_LONG = 4000


@lru_cache(maxsize=20_000)
def safe(text: str) -> str:
    """``text`` without what a terminal would obey: escapes, bells, turned directions."""
    return one_line(text, _LONG)


def cell(text: str, width: int, style: str = "", *, right: bool = False) -> Text:
    """``text``, made safe, in exactly so many columns of a terminal."""
    content = Text(safe(text), style=style, no_wrap=True, end="")
    if right and content.cell_len < width:
        content.pad_left(width - content.cell_len)
    content.truncate(max(0, width), overflow="ellipsis", pad=True)
    return content


def ending_cell(text: str, width: int, style: str = "") -> Text:
    """The same, cut at its beginning: an image's tag matters more than its registry."""
    whole = safe(text)
    if cell_len(whole) > width:
        while whole and cell_len(whole) >= width:
            whole = whole[1:]
        # Rather nothing of a part than a piece of it.
        whole = f"…{whole[whole.find('/') :] if '/' in whole else whole}"
    return cell(whole, width, style)


def columns_of(text: str) -> int:
    """How many columns of a terminal it takes, made safe."""
    return cell_len(safe(text))


def duration(seconds: float | None) -> str:
    """``0:07``, ``12:30``, ``1:02:03``; empty for none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_of_day(moment: float) -> str:
    """``12:04:05``, where the reader is."""
    return datetime.fromtimestamp(moment).strftime("%H:%M:%S")


def tally(counted: Mapping[State, int]) -> str:
    """``9 succeeded, 1 failed``, in the order in which a person asks."""
    return ", ".join(f"{counted[state]} {state}" for state in _ORDER if counted.get(state))


def number_of(count: int, what: str) -> str:
    """``1 service``, ``12 services``"""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
