"""Which rows fit where not all do: finished ones are folded away first, and those that failed last.

Pure.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..batch.row import Row
from ..batch.state import State


@dataclass(frozen=True)
class Folded:
    """The rows to show, and how many of the others are in each state."""

    rows: tuple[Row, ...]
    """In the order of the file."""
    others: Counter[State]


def fold(rows: Sequence[Row], lines: int, lines_of: Callable[[Row], int]) -> Folded:
    """As many as fit into so many ``lines``, where ``lines_of`` tells how many one takes; a line is
    kept for the others.
    """
    if sum(map(lines_of, rows)) <= lines:
        return Folded(tuple(rows), Counter())
    left, kept = lines - 1, set()
    for row in sorted(rows, key=_importance):
        if lines_of(row) > left:
            break
        left -= lines_of(row)
        kept.add(row.number)
    shown = tuple(row for row in rows if row.number in kept)
    return Folded(shown, Counter(row.state for row in rows if row.number not in kept))


_ORDER = (State.ROLLING_BACK, State.RETRYING, State.DEPLOYING, State.BEGUN, State.QUEUED)


def _importance(row: Row) -> tuple[int, float, int]:
    """The least comes first."""
    state = row.state
    if state.is_good:
        # The last one to finish is the last one to go.
        return len(_ORDER) + 1, -(row.status.ended_at or 0.0), row.number
    if state is State.NOT_STARTED:
        return len(_ORDER) + 2, 0.0, row.number
    return (0 if state.is_bad else 1 + _ORDER.index(state)), 0.0, row.number
