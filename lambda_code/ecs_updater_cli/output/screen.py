"""The live view as text, for any width and height.

Pure: what is known and what time it is in, lines out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Group
from rich.text import Text

from ..batch.row import Row
from ..batch.state import State
from ..batch.tracker import Tracker
from ..batch.waves import Waves
from .folding import fold
from .text import (
    LONGEST_STATE,
    STYLES,
    cell,
    columns_of,
    duration,
    ending_cell,
    number_of,
    safe,
    tally,
)

_WIDE, _ROOMY = 120, 100
"""From so many columns on, the cause stands beside its service, and the image has a column."""

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_TURNS_A_SECOND = 8

_FIXED_LINES = 7
"""What stands above and below the rows."""

_TASKS, _TIME = 7, 7

_MOST_IN_RESULT = 40
"""The most services that are all listed at the end."""


@dataclass(frozen=True)
class Frame:
    """What one drawing is made of."""

    tracker: Tracker
    waves: Waves
    now: float
    """Seconds since the epoch."""
    width: int
    height: int
    trouble: str = ""
    hint: str = "Ctrl-C detaches, and the updates go on"
    has_symbols: bool = True
    """Whether the terminal can show more than ASCII."""
    turns: bool = True
    """Whether it is drawn again, so that what goes on can turn."""


def draw(frame: Frame) -> Group:
    """The view, of exactly so many lines as fit."""
    rows = frame.tracker.rows
    columns = _Columns.of(rows, frame.width)
    folded = fold(rows, max(1, frame.height - _FIXED_LINES), columns.lines_of)
    lines = [_title(frame), _bar(frame), Text(), columns.head()]
    for row in folded.rows:
        lines += columns.lines(row, frame)
    if folded.others:
        more = number_of(folded.others.total(), "more service")
        lines.append(cell(f"  … and {more}: {tally(folded.others)}", frame.width, "dim"))
    lines += [Text(), _foot(frame)]
    return Group(
        *(
            _as_line(line if frame.has_symbols else _plain(line), frame.width)
            for line in lines[: frame.height]
        )
    )


def result_lines(frame: Frame) -> list[Text]:
    """What stays of it on the usual screen: each service or, of many, those that are not as they
    were asked for; causes in full.
    """
    frame, rows = replace(frame, turns=False), frame.tracker.rows
    columns = _Columns.of(rows, frame.width)
    rows = [row for row in rows if row.state is not State.QUEUED]
    if len(rows) > _MOST_IN_RESULT:
        rows = [row for row in rows if not row.state.is_good and row.state is not State.NOT_STARTED]
    lines = [columns.head()] if rows else []
    for row in rows:
        first, *others = columns.lines(row, frame)
        lines.append(first)
        if others:
            lines.append(Text(f"    {safe(row.status.cause)}"))
        if row.status.hint:
            lines.append(Text(f"    {safe(row.status.hint)}"))
    for line in lines:
        line.rstrip()
        line.end = "\n"
    return [line if frame.has_symbols else _plain(line) for line in lines]


def _title(frame: Frame) -> Text:
    tracker = frame.tracker
    parts = [
        f"batch {tracker.batch}" if tracker.batch else "from this machine",
        number_of(len(tracker.rows), "service"),
    ]
    clusters = {row.cluster for row in tracker.rows}
    parts.append(
        f"cluster {next(iter(clusters))}"
        if len(clusters) == 1
        else number_of(len(clusters), "cluster")
    )
    if len(frame.waves.all) > 1:
        name = frame.waves.all[frame.waves.current - 1].name
        parts.append(
            f"wave {frame.waves.current} of {len(frame.waves.all)}{f', {name}' if name else ''}"
        )
    elapsed = duration(tracker.seconds(frame.now))
    title = Text.assemble(("ecs-updater", "bold"), "  ", " · ".join(map(safe, parts)), end="")
    title.truncate(max(0, frame.width - len(elapsed) - 1), overflow="ellipsis", pad=True)
    return title.append(f" {elapsed}")


def _bar(frame: Frame) -> Text:
    rows, counted = frame.tracker.rows, frame.tracker.tally
    over = sum(row.state.is_over for row in rows)
    width = max(10, min(40, frame.width // 3))
    good = sum(count for state, count in counted.items() if state.is_good)
    bad = sum(count for state, count in counted.items() if state.is_bad)
    going_on = len(rows) - over - counted[State.QUEUED]
    ends = [round(width * part / len(rows)) for part in (good, good + bad, good + bad + going_on)]
    line = Text(end="")
    line.append("█" * ends[0], "green").append("█" * (ends[1] - ends[0]), "red")
    line.append("▒" * (ends[2] - ends[1]), "cyan").append("░" * (width - ends[2]), "dim")
    line.append(f"  {over} of {len(rows)} done").append(
        f"  {tally(counted)}", "dim" if not bad else ""
    )
    line.truncate(frame.width, overflow="ellipsis")
    return line


def _foot(frame: Frame) -> Text:
    if frame.trouble:
        return cell(f"{frame.trouble}; still trying", frame.width, "yellow")
    return cell(frame.hint, frame.width, "dim")


@dataclass(frozen=True)
class _Columns:
    """How wide each column is; one of none is left out."""

    name: int
    image: int
    cause: int
    width: int
    has_one_cluster: bool

    @classmethod
    def of(cls, rows: Sequence[Row], width: int) -> "_Columns":
        """Those for these rows."""
        has_one_cluster = len({row.cluster for row in rows}) == 1
        names = max(columns_of(row.service if has_one_cluster else row.name) for row in rows)
        left = width - (2 + LONGEST_STATE + 2) - _TASKS - _TIME - 2
        image = (
            min(max(columns_of(row.image) for row in rows), max(12, left // 3))
            if width >= _ROOMY
            else 0
        )
        left -= image + 2 if image else 0
        name = max(8, min(max(names, 7), left - 12 if left > 24 else left))
        return cls(name, image, max(0, left - name - 2), width, has_one_cluster)

    def lines_of(self, row: Row) -> int:
        """How many lines a row takes: the cause of a failure has one of its own where it would be
        cut.
        """
        return 2 if self._has_cause_below(row) else 1

    def head(self) -> Text:
        """The columns' names."""
        return self._line(
            "", "STATE", "SERVICE", "IMAGE", "TASKS", "TIME", "", "bold dim", "bold dim"
        )

    def lines(self, row: Row, frame: Frame) -> Iterator[Text]:
        """A row's lines."""
        mark = "✓" if row.state.is_good else "✗" if row.state.is_bad else "·"
        if frame.turns and mark == "·" and row.state is not State.QUEUED:
            mark = _SPINNER[int(frame.now * _TURNS_A_SECOND) % len(_SPINNER)]
        name = row.service if self.has_one_cluster else row.name
        tasks, time = str(row.counts or ""), duration(row.seconds(frame.now))
        below = self._has_cause_below(row)
        cause = "" if below else row.status.cause
        yield self._line(mark, row.state, name, row.image, tasks, time, cause, STYLES[row.state])
        if below:
            yield Text(" " * 4).append_text(cell(row.status.cause, self.width - 4))

    def _has_cause_below(self, row: Row) -> bool:
        if not row.state.is_bad or row.state is State.NOT_STARTED or not row.status.cause:
            return False
        return self.width < _WIDE or columns_of(row.status.cause) > self.cause

    def _line(
        self,
        mark: str,
        state: str,
        name: str,
        image: str,
        tasks: str,
        time: str,
        cause: str,
        style: str,
        rest: str = "",
    ) -> Text:
        line = (
            cell(mark, 2, style)
            .append_text(cell(state, LONGEST_STATE + 2, style))
            .append_text(cell(name, self.name, rest))
        )
        if self.image:
            line.append("  ").append_text(ending_cell(image, self.image, rest))
        line.append_text(cell(tasks, _TASKS, rest, right=True)).append_text(
            cell(time, _TIME, rest, right=True)
        )
        line.append("  ").append_text(cell(cause, self.cause, rest or "dim"))
        return line


def _as_line(line: Text, width: int) -> Text:
    """One line, whatever is in it."""
    line.truncate(width)
    line.end, line.no_wrap = "\n", True
    return line


def _plain(line: Text) -> Text:
    """With ASCII alone, for terminals that know no more."""
    table = str.maketrans(
        {
            "█": "#",
            "▒": "=",
            "░": ".",
            "✓": "+",
            "✗": "x",
            "·": "-",
            "…": "~",
            **dict.fromkeys(_SPINNER, "*"),
        }
    )
    plain = line.copy()
    plain.plain = line.plain.translate(table)
    return plain
