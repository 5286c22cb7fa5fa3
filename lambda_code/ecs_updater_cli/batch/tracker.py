"""All services of a batch, and what changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecs_updater.ledger.batch import Member

from .row import Row
from .state import State, Status, TaskCounts


@dataclass(frozen=True)
class Change:
    """A row that is in another state than before."""

    row: Row
    before: State


class Tracker:
    """The rows of a batch, by their numbers.

    Read by the live view's own thread, so a row is replaced, never changed.
    """

    def __init__(self, members: Sequence[Member], begun_at: float, batch: str | None = None):
        """``batch``: its id; None where no ledger knows it.

        ``begun_at``: seconds since the epoch.
        """
        self.batch, self.begun_at = batch, begun_at
        self._rows = {member.number: Row.of(member) for member in members}

    @property
    def rows(self) -> list[Row]:
        """All of them, in the order of the file."""
        return list(self._rows.values())

    @property
    def waiting(self) -> list[Row]:
        """Those without an end."""
        return [row for row in self.rows if not row.state.is_over]

    @property
    def is_over(self) -> bool:
        """Whether each has its end."""
        return not self.waiting

    @property
    def is_good(self) -> bool:
        """Whether each is as it was asked for."""
        return all(row.state.is_good for row in self.rows)

    @property
    def tally(self) -> Counter[State]:
        """How many are in each state."""
        return Counter(row.state for row in self.rows)

    def seconds(self, now: float) -> float:
        """For how long the whole has gone on, or went on; ``now`` in seconds since the epoch."""
        ends = [row.status.ended_at or 0.0 for row in self.rows]
        return max(0.0, (max(ends) if self.is_over and any(ends) else now) - self.begun_at)

    def see(self, status: Mapping[int, Status]) -> list[Change]:
        """Takes what is known now; what changed by that."""
        changes = []
        for number, now in sorted(status.items()):
            before = self._rows[number]
            if now != before.status:
                self._rows[number] = before.with_status(now)
            if now.state is not before.state:
                changes.append(Change(self._rows[number], before.state))
        return changes

    def count(self, counts: Mapping[int, TaskCounts]) -> None:
        """Takes tasks as they are now."""
        for number, told in counts.items():
            row = self._rows[number]
            if not row.state.is_over:
                self._rows[number] = row.with_task_counts(told)
