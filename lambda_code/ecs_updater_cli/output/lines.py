"""A batch as lines: one for each change and one summary, as text or as JSON objects."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from rich.text import Text

from ecs_updater.context import Clock
from ecs_updater.ledger.entry import iso

from ..batch.state import State
from ..batch.tracker import Row, Tracker
from ..batch.watcher import BatchResult, View
from .terminal import (
    STATE_WIDTH,
    STYLES,
    Printer,
    cell,
    columns_of,
    duration,
    number_of,
    safe,
    tally,
)

_MAX_WIDTH = 60

# How long nothing is printed, and how many running updates are then listed.
_QUIET_SECONDS, _MAX_RUNNING = 60.0, 5


class LineView(View):
    """Prints a line for each change."""

    def __init__(self, printer: Printer, clock: Clock):
        super().__init__(printer, clock)
        self._name_width, self._image_width = 0, 0
        self._problem = ""
        self._printed_at = clock.epoch()

    def show_start(self, tracker: Tracker) -> None:
        """Prints the id of the batch at once: `ecs-updater watch` needs it."""
        self._name_width = min(_MAX_WIDTH, max(len(safe(row.name)) for row in tracker.rows))
        self._image_width = min(_MAX_WIDTH, max(len(safe(row.requested)) for row in tracker.rows))
        batch = f"batch {tracker.batch}, " if tracker.batch else ""
        self._printer.line(
            Text(f"{self._time(' %Z')}  {batch}{number_of(len(tracker.rows), 'service')}")
        )

    def show_changes(self, _: Tracker, changed: Sequence[Row]) -> None:
        """Prints a line for each changed row, and its hint."""
        for row in changed:
            self._print_row(row, row.status.cause)
            if row.status.hint:
                self._printer.line(Text(f"{'':10}{safe(row.status.hint)}"))

    def show_waiting(self, tracker: Tracker) -> None:
        """Prints what the running updates wait for, a minute after the latest line."""
        now = self._clock.epoch()
        if now - self._printed_at >= _QUIET_SECONDS:
            running = (row for row in tracker.waiting if row.state.is_rolling_out)
            for row in islice(running, _MAX_RUNNING):
                self._print_row(row, row.progress(now, with_counts=True))

    def show_problem(self, sentence: str) -> None:
        """Prints a problem once."""
        if sentence and sentence != self._problem:
            self._printer.note(f"{self._time()}  {sentence}; still trying")
        self._problem = sentence

    def show_result(self, tracker: Tracker, result: BatchResult) -> None:
        """Prints one line about the batch."""
        is_bad = any(row.state.is_bad for row in tracker.rows)
        style = "green" if tracker.is_good else "bold red" if is_bad else ""
        elapsed = duration(tracker.seconds(self._clock.epoch()))
        services = f"{number_of(len(tracker.rows), 'service')} in {elapsed}: "
        self._printer.line(Text.assemble(services, (tally(tracker.tally), style)))

    def _print_row(self, row: Row, cause: str) -> None:
        # A line is never cut.
        state = cell(row.state.upper(), max(STATE_WIDTH, len(row.state)), STYLES[row.state])
        name = cell(row.name, max(self._name_width, columns_of(row.name)))
        image = cell(row.requested, max(self._image_width, columns_of(row.requested)))
        self._printer.line(
            Text.assemble(f"{self._time()}  ", state, "  ", name, "  ", image, f"  {safe(cause)}")
        )
        self._printed_at = self._clock.epoch()

    def _time(self, zone: str = "") -> str:
        now = datetime.fromtimestamp(self._clock.epoch()).astimezone()
        return now.strftime(f"%H:%M:%S{zone}")


class JsonView(View):
    """Prints JSON objects, one per line, of `type` `batch`, `change` or `summary`."""

    def show_start(self, tracker: Tracker) -> None:
        """Prints the id of the batch at once."""
        self._print("batch", tracker, services=len(tracker.rows))

    def show_changes(self, tracker: Tracker, changed: Sequence[Row]) -> None:
        """Prints an object for each changed row."""
        for row in changed:
            seconds, counts = row.seconds(self._clock.epoch()), row.counts
            self._print(
                "change",
                tracker,
                number=row.number,
                target=row.identity.target,
                cluster=row.identity.cluster,
                service=row.service,
                image=row.image,
                group=row.member.group,
                state=row.state.value,
                verdict=row.state.verdict,
                cause=row.status.cause or None,
                errorType=row.status.error_type,
                **({"hint": row.status.hint} if row.status.hint else {}),
                **({"hookId": row.status.hook_id} if row.status.hook_id else {}),
                tasks={"running": counts.running, "desired": counts.desired} if counts else None,
                seconds=None if seconds is None else round(seconds, 1),
                deploymentId=row.status.deployment_id,
                taskDefinitionArn={
                    "before": row.status.arn_before,
                    "after": row.status.arn_after,
                },
                requestId=row.member.request_id,
            )

    def show_result(self, tracker: Tracker, result: BatchResult) -> None:
        """Prints the summary, with the number of services in each state."""
        self._print(
            "summary",
            tracker,
            outcome=result.outcome,
            exitCode=result.code,
            services=len(tracker.rows),
            seconds=round(tracker.seconds(self._clock.epoch()), 1),
            states={_camel_case(state): tracker.tally[state] for state in State},
        )

    def _print(self, kind: str, tracker: Tracker, **fields: Any) -> None:
        time = iso(self._clock.epoch())
        self._printer.raw(
            json.dumps({"type": kind, "time": time, "batch": tracker.batch, **fields})
        )


def _camel_case(state: State) -> str:
    """Returns for example `rolledBack`."""
    first, *others = state.split()
    return first + "".join(word.capitalize() for word in others)
