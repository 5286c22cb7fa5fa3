"""The loop that waits for a batch: starts waves, polls and shows changes until all are over."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ecs_updater.context import Clock
from ecs_updater.ledger.batch import Member

from ..errors import AwsError
from ..output.terminal import Printer
from .state import State, Status, TaskCounts
from .tracker import Row, Tracker

POLL_SECONDS = 1.0
# A larger batch is polled less often: the ledger reads a hundred services with two calls.
_ROWS_PER_SECOND = 200

PATIENCE_SECONDS = 120.0
"""How long transient AWS errors are retried before the command fails."""


@dataclass(frozen=True)
class BatchResult:
    """How the command ends."""

    code: int
    outcome: str = "over"
    """`over`, `timed out`, `detached` or `trouble` (AWS could not be called)."""
    notes: tuple[str, ...] = ()
    """What to do next, for standard error."""


class Backend(Protocol):
    """Runs the updates of a batch.

    `start`, `poll` and `counts` raise AwsError and can be called again afterwards.
    """

    id: str | None
    """Id of the batch, if it can be resumed."""
    hint: str
    """The effect of Ctrl-C in a few words."""
    awaited: str  # See `Row.awaited`.

    def start(self, members: Sequence[Member]) -> None:
        """Starts these updates, and continues those that have started before.

        Is also called without members. Starting an update twice has no effect.
        """

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """Returns the status of these services by number; an omitted one has not changed."""

    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """Returns the number of tasks of some of these services, with at most one call a second."""

    def close(self) -> None:
        """Starts nothing further, and waits shortly for writes in progress, but only once."""

    def detach_note(self, waiting: Sequence[Row]) -> str:
        """Returns what happens to the rows that are not over, and how to resume."""


class View:
    """Shows a batch to the user. By default each method shows nothing."""

    def __init__(self, printer: Printer, clock: Clock):
        self._printer, self._clock = printer, clock

    def show_start(self, tracker: Tracker) -> None:
        """Shows the id of the batch."""

    def show_changes(self, tracker: Tracker, changed: Sequence[Row]) -> None:
        """Shows the rows whose state has changed."""

    def show_waiting(self, tracker: Tracker) -> None:
        """Shows what the running updates wait for. Is called after each poll."""

    def show_problem(self, sentence: str) -> None:
        """Shows why AWS cannot be called at the moment; an empty text ends the problem."""

    def show_detaching(self) -> None:
        """Shows that Ctrl-C takes effect in a moment."""

    def show_result(self, tracker: Tracker, result: BatchResult) -> None:
        """Shows how the command ends."""

    def close(self) -> None:
        """Gives the terminal back, also after an error."""


class Watcher:
    """Waits for one batch."""

    def __init__(self, tracker: Tracker, backend: Backend, view: View, clock: Clock):
        self.tracker, self.backend, self.view, self._clock = tracker, backend, view, clock
        self._failing_since: float | None = None
        # Members of started waves that wait for the task of another member.
        self._held: list[Member] = []

    def poll(self) -> None:
        """Polls once."""
        self._show(self.tracker.apply(self.backend.poll(self.tracker.waiting)))

    def wait(self, timeout: float | None = None) -> bool:
        """Returns whether all updates are over within `timeout` seconds; None waits for all.

        Raises AwsError for a permanent error, and for transient ones after PATIENCE_SECONDS.
        """
        deadline = self._clock.now() + (math.inf if timeout is None else timeout)
        while True:
            try:
                self._turn()
                if self._failing_since is not None:
                    self._failing_since = None
                    self.view.show_problem("")
            except AwsError as error:
                now = self._clock.now()
                if self._failing_since is None:
                    self._failing_since = now
                if not error.is_transient or now - self._failing_since > PATIENCE_SECONDS:
                    raise
                self.view.show_problem(str(error))
            if not self.tracker.waiting:
                return True
            pause = max(POLL_SECONDS, len(self.tracker.waiting) / _ROWS_PER_SECOND)
            left = deadline - self._clock.now()
            if left <= 0:
                return False
            self._clock.sleep(min(pause, left))

    def _turn(self) -> None:
        self._start_wave()
        self.poll()
        self._start_held()
        self._start_wave()
        if waiting := self.tracker.waiting:
            self.tracker.apply_counts(self.backend.counts(waiting), self._clock.epoch())
            self.view.show_waiting(self.tracker)

    def _start_wave(self) -> None:
        """Starts the following wave if all updates of the waves before it have succeeded."""
        rows, waves = self.tracker.rows, self.tracker.waves_left
        left = set(waves)
        before = [row for row in rows if row.member.group not in left]
        if not left or not all(row.state.is_over for row in before):
            return
        if failed := [row for row in before if not row.state.is_good]:
            waves.clear()
            others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            cause = f"{failed[0].name}{others} of an earlier wave did not succeed"
            status = Status(State.NOT_STARTED, cause)
            waiting = [row.number for row in self.tracker.waiting]
            self._show(self.tracker.apply(dict.fromkeys(waiting, status)))
            return
        # ECS and the reconciler continue a rollout and a task. Any other update may have waited for
        # its next attempt in a process that has ended.
        idle = [row.member for row in rows if not (row.state.is_over or row.state.is_continued)]
        members = [member for member in idle if member.group == waves[0]]
        self.backend.start([member for member in members if member.after_task_of is None])
        self._held += [member for member in members if member.after_task_of is not None]
        waves.pop(0)
        self._start_held()

    def _start_held(self) -> None:
        """Starts held updates after a task that succeeded, and none after one that failed."""
        rows = {row.number: row for row in self.tracker.rows}
        statuses: dict[int, Status] = {}
        ready, held = [], []
        for member in self._held:
            first = rows[member.after_task_of or 0]
            # Without a deployment no task runs.
            if first.status.has_run_task or first.state.is_good:
                ready.append(member)
            elif first.state.is_over:
                cause = f"{first.name}, whose run_before comes first, did not succeed"
                statuses[member.number] = Status(State.NOT_STARTED, cause)
            else:
                held.append(member)
                cause = f"waits for run_before of {first.name}"
                statuses[member.number] = Status(State.QUEUED, cause)
        if ready:
            self.backend.start(ready)
        self._held = held
        queued = [each for each in ready if rows[each.number].state is State.QUEUED]
        statuses |= {member.number: Status() for member in queued}
        self._show(self.tracker.apply(statuses))

    def _show(self, changed: list[Row]) -> None:
        if changed:
            self.view.show_changes(self.tracker, changed)
