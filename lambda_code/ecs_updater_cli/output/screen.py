"""The live view: which rows fit a terminal, how each line looks, and when they are drawn."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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

# A larger batch lists only the services that are not as requested.
_MAX_RESULT_ROWS = 40

_ASCII = str.maketrans(
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


@dataclass(frozen=True)
class Frame:
    """Content of one drawing."""

    tracker: Tracker
    now: float
    """Seconds since the epoch."""
    width: int
    height: int
    problem: str = ""
    hint: str = "Ctrl-C detaches, and the updates go on"
    has_symbols: bool = True
    """Whether the terminal can show more than ASCII."""


class LiveView(LineView):
    """Shows a batch on the whole terminal. The result stays on the normal screen.

    It is the terminal's alternate screen, so that a resize leaves nothing behind.
    """

    def __init__(self, printer: Printer, clock: Clock, hint: Callable[[bool], str]):
        """`hint` returns the effect of Ctrl-C; its argument is whether waves are left to start."""
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
        self._tracker = tracker
        if tracker.batch:
            self._printer.line(f"batch {tracker.batch}")
        self._live.start(refresh=True)

    def show_changes(self, *_: Tracker | Sequence[Row]) -> None:
        """Draws the changed rows."""
        self._live.refresh()

    def show_problem(self, sentence: str) -> None:
        """Shows a problem in the last line."""
        self._problem = sentence
        self._live.refresh()

    def show_detaching(self) -> None:
        """Shows that Ctrl-C takes effect in a moment."""
        self._hint = lambda _: "Leaving: what is in the middle of being written is finished first"
        self._live.refresh()

    def show_result(self, tracker: Tracker, result: BatchResult) -> None:
        """Closes the view, and prints the rows and the summary."""
        self._live.stop()
        for line in result_lines(self._frame(tracker)):
            self._printer.line(line)
        super().show_result(tracker, result)

    def close(self) -> None:
        """Gives the terminal back, also after an error."""
        self._live.stop()

    def _draw(self) -> Group:
        return draw(self._frame(self._tracker)) if self._tracker else Group()

    def _frame(self, tracker: Tracker) -> Frame:
        console = self._printer.console
        return Frame(
            tracker,
            self._clock.epoch(),
            *console.size,
            self._problem,
            self._hint(bool(tracker.waves_left)),
            not console.options.ascii_only,
        )


def draw(frame: Frame) -> Group:
    """Returns the view with at most `frame.height` lines."""
    rows = frame.tracker.rows
    columns = _Columns(rows, frame.width)
    shown = fold(rows, max(1, frame.height - _FIXED_LINES), columns.height)
    lines = [_title(frame), _bar(frame), Text(), columns.head()]
    for row in shown:
        lines += columns.lines(row, frame.now)
    if others := Counter(row.state for row in rows) - Counter(row.state for row in shown):
        more = number_of(others.total(), "more service")
        lines.append(cell(f"  … and {more}: {tally(others)}", frame.width, "dim"))
    foot = (f"{frame.problem}; still trying", "yellow") if frame.problem else (frame.hint, "dim")
    lines += [Text(), cell(foot[0], frame.width, foot[1])]
    lines = _in_charset(lines[: frame.height], frame)
    for line in lines:
        line.truncate(frame.width)
        line.no_wrap = True
    return Group(*lines)


def result_lines(frame: Frame) -> list[Text]:
    """Returns the lines that stay on the normal screen: the services with their full causes.

    A large batch has only the services that are not as requested.
    """
    columns = _Columns(frame.tracker.rows, frame.width)
    rows = [row for row in frame.tracker.rows if row.state is not State.QUEUED]
    if len(rows) > _MAX_RESULT_ROWS:
        rows = [row for row in rows if not row.state.is_good and row.state is not State.NOT_STARTED]
    lines = [columns.head()] if rows else []
    for row in rows:
        first, *others = columns.lines(row, frame.now, is_final=True)
        details = (row.status.cause if others else None, row.status.hint)
        lines += [first, *(Text(f"    {safe(detail)}") for detail in details if detail)]
    for line in lines:
        line.rstrip()
    return _in_charset(lines, frame)


def fold(rows: Sequence[Row], lines: int, height: Callable[[Row], int]) -> Sequence[Row]:
    """Returns the rows that fit into `lines` lines, where a row takes `height(row)` of them.

    Successful rows are left out first, and failed rows last. One line is kept for the others.
    """
    if sum(map(height, rows)) <= lines:
        return rows
    left, kept = lines - 1, set()
    for row in sorted(rows, key=_importance):
        if height(row) > left:
            break
        left -= height(row)
        kept.add(row.number)
    return [row for row in rows if row.number in kept]


def _importance(row: Row) -> tuple[int, float, int]:
    """Returns a sort key: the most important row comes first."""
    if row.state.is_good:
        # The update that ended last is left out last.
        return len(ACTIVE) + 1, -(row.status.ended_at or 0.0), row.number
    if row.state is State.NOT_STARTED:
        return len(ACTIVE) + 2, 0.0, row.number
    return 0 if row.state.is_bad else 1 + ACTIVE.index(row.state), 0.0, row.number


def _title(frame: Frame) -> Text:
    tracker, waves = frame.tracker, frame.tracker.waves
    clusters = {row.cluster for row in tracker.rows}
    parts = [
        f"batch {tracker.batch}" if tracker.batch else "from this machine",
        number_of(len(tracker.rows), "service"),
        f"cluster {min(clusters)}" if len(clusters) == 1 else number_of(len(clusters), "cluster"),
    ]
    if len(waves) > 1:
        current = max(1, len(waves) - len(tracker.waves_left))
        name = waves[current - 1]
        parts.append(f"wave {current} of {len(waves)}{f', {name}' if name else ''}")
    elapsed = duration(tracker.seconds(frame.now))
    title = Text.assemble(("ecs-updater", "bold"), "  ", " · ".join(map(safe, parts)), end="")
    title.truncate(max(0, frame.width - len(elapsed) - 1), overflow="ellipsis", pad=True)
    return title.append(f" {elapsed}")


def _bar(frame: Frame) -> Text:
    counts, total = frame.tracker.tally, len(frame.tracker.rows)
    good = sum(count for state, count in counts.items() if state.is_good)
    bad = sum(count for state, count in counts.items() if state.is_bad)
    width = max(10, min(40, frame.width // 3))
    parts = (0, good, good + bad, total - counts[State.QUEUED], total)
    edges = [round(width * part / total) for part in parts]
    line, styles = Text(end=""), zip("██▒░", ("green", "red", "cyan", "dim"), strict=True)
    for (sign, style), first, last in zip(styles, edges, edges[1:], strict=False):
        line.append(sign * (last - first), style)
    line.append(f"  {good + bad} of {total} done").append(
        f"  {tally(counts)}", "" if bad else "dim"
    )
    line.truncate(frame.width, overflow="ellipsis")
    return line


class _Columns:
    """The columns of the rows. A column of width 0 is left out."""

    def __init__(self, rows: Sequence[Row], width: int):
        self._width = width
        self._is_single_cluster = len({row.cluster for row in rows}) == 1
        left = width - (2 + STATE_WIDTH + 2) - _TASKS - _TIME - 2
        images = max(columns_of(row.image) for row in rows)
        self._image = min(images, max(12, left // 3)) if width >= _IMAGE_MIN_WIDTH else 0
        left -= self._image + 2 if self._image else 0
        names = max(columns_of(self._text_of(row)) for row in rows)
        self._name = max(8, min(max(names, 7), left - 12 if left > 24 else left))
        self._cause = max(0, left - self._name - 2)

    def height(self, row: Row) -> int:
        """Returns the number of lines of a row: 2 if the cause of a failure needs its own."""
        cause = row.status.cause
        if not row.state.is_bad or row.state is State.NOT_STARTED or not cause:
            return 1
        return 2 if self._width < _CAUSE_MIN_WIDTH or columns_of(cause) > self._cause else 1

    def head(self) -> Text:
        """Returns the names of the columns."""
        return self._line("", "STATE", "SERVICE", "IMAGE", "TASKS", "TIME", "", "bold dim")

    def lines(self, row: Row, now: float, *, is_final: bool = False) -> Iterator[Text]:
        """Returns the lines of a row. Its spinner turns unless they are final."""
        mark = "✓" if row.state.is_good else "✗" if row.state.is_bad else "·"
        if not is_final and mark == "·" and row.state is not State.QUEUED:
            mark = _SPINNER[int(now * _SPINNER_STEPS_PER_SECOND) % len(_SPINNER)]
        name = self._text_of(row)
        tasks, time = str(row.counts or ""), duration(row.seconds(now))
        is_below = self.height(row) == 2
        cause = "" if is_below else row.status.cause
        yield self._line(mark, row.state, name, row.image, tasks, time, cause, STYLES[row.state])
        if is_below:
            yield Text(" " * 4).append_text(cell(row.status.cause, self._width - 4))

    def _text_of(self, row: Row) -> str:
        return row.service if self._is_single_cluster else row.name

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
    ) -> Text:
        return Text.assemble(
            cell(mark, 2),
            cell(state, STATE_WIDTH + 2),
            cell(name, self._name),
            *(("  ", image_cell(image, self._image)) if self._image else ()),
            cell(tasks, _TASKS, right=True),
            cell(time, _TIME, right=True),
            "  ",
            cell(cause, self._cause, "dim"),
            style=style,
        )


def _in_charset(lines: list[Text], frame: Frame) -> list[Text]:
    """Returns whole lines, in ASCII if the terminal cannot show more."""
    for line in lines:
        line.end = "\n"
        if not frame.has_symbols:
            line.plain = line.plain.translate(_ASCII)
    return lines
