"""The live view: which rows fit a terminal, how each line looks, and when they are drawn."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from rich.console import Group
from rich.live import Live
from rich.text import Text

from ecs_updater.context import Clock

from ..batch.state import State
from ..batch.tracker import Row, Tracker
from ..batch.watcher import BatchResult
from .lines import LineView
from .terminal import (
    ACTIVE,
    STATE_WIDTH,
    STYLES,
    Printer,
    cell,
    columns_of,
    duration,
    image_cell,
    number_of,
    safe,
    tally,
)

_REFRESHES_PER_SECOND = 4

# Terminal columns from which the cause stands beside its service, and the image is shown.
_CAUSE_MIN_WIDTH, _IMAGE_MIN_WIDTH = 120, 100

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPINNER_STEPS_PER_SECOND = 8

# Lines above and below the rows.
_FIXED_LINES = 7

_TASKS, _TIME = 7, 7

# From the most important state to the least.
_ORDER = (
    *(state for state in State if state.is_bad and state is not State.NOT_STARTED),
    *ACTIVE,
    *(state for state in State if state.is_good),
    State.NOT_STARTED,
)

# A larger batch lists only the services that are not as requested.
_MAX_RESULT_ROWS = 40


class LiveView(LineView):
    """Shows a batch on the whole terminal. The result stays on the normal screen.

    It is the terminal's alternate screen, so that a resize leaves nothing behind.
    """

    def __init__(self, printer: Printer, clock: Clock, hint: str):
        """`hint`: the effect of Ctrl-C."""
        super().__init__(printer, clock)
        self._hint = hint
        self._tracker: Tracker | None = None
        self._live = Live(
            console=printer.console,
            screen=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
            get_renderable=self._draw,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show_start(self, tracker: Tracker) -> None:
        """Prints the id of the batch on the normal screen, and opens the view."""
        super().show_start(tracker)
        self._tracker = tracker
        self._live.start(refresh=True)

    def show_changes(self, *_: Tracker | Sequence[Row]) -> None:
        """Draws the changed rows."""
        self._live.refresh()

    def show_waiting(self, tracker: Tracker) -> None:
        """Does nothing: the rows have it."""

    def show_problem(self, sentence: str) -> None:
        """Shows a problem in the last line."""
        self._problem = sentence
        self._live.refresh()

    def show_detaching(self) -> None:
        """Shows that Ctrl-C takes effect in a moment."""
        self._hint = "Leaving: what is in the middle of being written is finished first"
        self._live.refresh()

    def show_result(self, tracker: Tracker, result: BatchResult) -> None:
        """Closes the view, and prints the rows and the summary."""
        self._live.stop()
        rows = [row for row in tracker.rows if row.state is not State.QUEUED]
        if len(rows) > _MAX_RESULT_ROWS:
            left_out = (State.SUCCEEDED, State.UNCHANGED, State.NOT_STARTED)
            rows = [row for row in rows if row.state not in left_out]
        columns = _Columns(tracker.rows, self._printer.console.width)
        for row in rows:
            for line in columns.lines(row, self._clock.epoch(), is_final=True):
                self._printer.line(line)
        super().show_result(tracker, result)

    def close(self) -> None:
        """Gives the terminal back, also after an error."""
        self._live.stop()

    def _draw(self) -> Group:
        if not self._tracker:
            return Group()
        foot = (
            (f"{self._problem}; still trying", "yellow") if self._problem else (self._hint, "dim")
        )
        size = self._printer.console.size
        return draw(self._tracker, self._clock.epoch(), size.width, size.height, foot)


def draw(
    tracker: Tracker, now: float, width: int, height: int, foot: tuple[str, str] = ("", "")
) -> Group:
    """Returns the view with at most `height` lines. `foot`: the last line and its style."""
    rows = tracker.rows
    columns = _Columns(rows, width)
    shown = fold(rows, max(1, height - _FIXED_LINES), columns.height)
    lines = [
        _title(tracker, now, width),
        _bar(tracker, width),
        Text(),
        columns.line("", "STATE", "SERVICE", "IMAGE", "TASKS", "TIME", "", "bold dim"),
    ]
    for row in shown:
        lines += columns.lines(row, now)
    if others := Counter(row.state for row in rows) - Counter(row.state for row in shown):
        more = number_of(others.total(), "more service")
        lines.append(cell(f"  … and {more}: {tally(others)}", width, "dim"))
    lines += [Text(), cell(foot[0], width, foot[1])]
    lines = lines[:height]
    for line in lines:
        line.truncate(width)
        line.no_wrap = True
    return Group(*lines)


def fold(rows: Sequence[Row], lines: int, height: Callable[[Row], int]) -> Sequence[Row]:
    """Returns the rows that fit into `lines` lines, where a row takes `height(row)` of them.

    Successful rows are left out first, and failed rows last. One line is kept for the others.
    """
    if sum(map(height, rows)) <= lines:
        return rows
    left, kept = lines - 1, set()
    for row in sorted(rows, key=_importance):
        left -= height(row)
        if left < 0:
            break
        kept.add(row.number)
    return [row for row in rows if row.number in kept]


def _importance(row: Row) -> tuple[int, float, int]:
    """Returns a sort key: the most important row comes first, and the latest of its state."""
    return _ORDER.index(row.state), -(row.status.ended_at or 0.0), row.number


def _title(tracker: Tracker, now: float, width: int) -> Text:
    waves = tracker.waves
    clusters = {row.identity.place for row in tracker.rows}
    parts = [
        f"batch {tracker.batch}" if tracker.batch else "from this machine",
        number_of(len(tracker.rows), "service"),
        f"cluster {min(clusters)}" if len(clusters) == 1 else number_of(len(clusters), "cluster"),
    ]
    if len(waves) > 1:
        current = max(1, len(waves) - len(tracker.waves_left))
        name = waves[current - 1]
        parts.append(f"wave {current} of {len(waves)}{f', {name}' if name else ''}")
    elapsed = duration(tracker.seconds(now))
    title = Text.assemble(("ecs-updater", "bold"), "  ", " · ".join(map(safe, parts)))
    title.truncate(max(0, width - len(elapsed) - 1), overflow="ellipsis", pad=True)
    return title.append(f" {elapsed}")


def _bar(tracker: Tracker, columns: int) -> Text:
    counts, total = tracker.tally, len(tracker.rows)
    good = sum(count for state, count in counts.items() if state.is_good)
    bad = sum(count for state, count in counts.items() if state.is_bad)
    width = max(10, min(40, columns // 3))
    parts = (0, good, good + bad, total - counts[State.QUEUED], total)
    edges = [round(width * part / total) for part in parts]
    line, styles = Text(), zip("██▒░", ("green", "red", "cyan", "dim"), strict=True)
    for (sign, style), first, last in zip(styles, edges, edges[1:], strict=False):
        line.append(sign * (last - first), style)
    line.append(f"  {good + bad} of {total} done").append(
        f"  {tally(counts)}", "" if bad else "dim"
    )
    line.truncate(columns, overflow="ellipsis")
    return line


class _Columns:
    """The columns of the rows. A column of width 0 is left out."""

    def __init__(self, rows: Sequence[Row], width: int):
        self._width = width
        self._is_single_cluster = len({row.identity.place for row in rows}) == 1
        self._state = max(STATE_WIDTH, *(len(row.state) for row in rows))
        left = width - (2 + self._state + 2) - _TASKS - _TIME - 2
        images = max(columns_of(row.requested) for row in rows)
        self._image = min(images, max(12, left // 3)) if width >= _IMAGE_MIN_WIDTH else 0
        left -= self._image + 2 if self._image else 0
        names = max(columns_of(self._text_of(row)) for row in rows)
        self._name = max(8, min(max(names, 7), left - 12 if left > 24 else left))
        self._cause = max(0, left - self._name - 2)

    def height(self, row: Row) -> int:
        """Returns the number of lines of a row: 2 if the cause of a failure needs its own, and for
        the command that answers a hook.
        """
        if row.state is State.AWAITING_APPROVAL and row.status.hint:
            return 2
        cause = row.status.cause
        if not row.state.is_bad or row.state is State.NOT_STARTED or not cause:
            return 1
        return 2 if self._width < _CAUSE_MIN_WIDTH or columns_of(cause) > self._cause else 1

    def lines(self, row: Row, now: float, *, is_final: bool = False) -> Iterator[Text]:
        """Returns the lines of a row. Final ones have the whole cause and the hint."""
        mark = "✓" if row.state.is_good else "✗" if row.state.is_bad else "·"
        if not is_final and mark == "·" and row.state is not State.QUEUED:
            mark = _SPINNER[int(now * _SPINNER_STEPS_PER_SECOND) % len(_SPINNER)]
        name = self._text_of(row)
        tasks, time = str(row.counts or ""), duration(row.seconds(now))
        is_paused = row.state is State.AWAITING_APPROVAL
        is_below = self.height(row) == 2 and not is_paused
        cause = "" if is_below else row.progress(now)
        yield self.line(mark, row.state, name, row.requested, tasks, time, cause, STYLES[row.state])
        hint = row.status.hint if is_final or is_paused else ""
        details = (row.status.cause if is_below else "", hint)
        for detail in filter(None, details):
            line = Text(f"    {safe(detail)}")
            if not is_final:
                line.truncate(self._width, overflow="ellipsis")
            yield line

    def _text_of(self, row: Row) -> str:
        return row.service if self._is_single_cluster else row.name

    def line(
        self,
        mark: str,
        state: str,
        name: str,
        image: str,
        tasks: str,
        time: str,
        cause: str,
        style: str,
    ) -> Text:
        """Returns a line of these cells."""
        return Text.assemble(
            cell(mark, 2),
            cell(state, self._state + 2),
            cell(name, self._name),
            *(("  ", image_cell(image, self._image)) if self._image else ()),
            cell(tasks, _TASKS, right=True),
            cell(time, _TIME, right=True),
            "  ",
            cell(cause, self._cause, "dim"),
            style=style,
        )
