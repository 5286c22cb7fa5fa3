"""Waves: the groups of a batch one after another.

A wave starts when all updates of the waves before it have succeeded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecs_updater.ledger.batch import Member

from .state import State, Status
from .tracker import Row


@dataclass(frozen=True)
class Wave:
    """Services that start together."""

    name: str | None
    """Name of the group. None for services without a group, and for a batch without waves."""
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """What to do now."""

    start: tuple[int, ...] | None = None
    """Numbers of the services of the next wave to start; empty if all are rolling out already.

    None if no wave starts now.
    """
    give_up: Mapping[int, Status] | None = None
    """Status of the services that no longer start."""


class Waves:
    """Decides which services start next."""

    def __init__(self, members: Sequence[Member]):
        """The waves are in the order of the first service of each group.

        Services without a group come first.
        """
        groups: dict[str | None, list[int]] = {None: []}
        for member in members:
            groups.setdefault(member.group, []).append(member.number)
        self.all = [Wave(name, tuple(numbers)) for name, numbers in groups.items() if numbers]
        self._started = 0

    @property
    def current(self) -> int:
        """Number of the current wave, from 1."""
        return max(1, self._started)

    @property
    def left(self) -> frozenset[int]:
        """Numbers of the services whose wave has not started."""
        return frozenset(number for wave in self.all[self._started :] for number in wave.numbers)

    def mark_started(self) -> None:
        """Records that the wave of the last step has started completely."""
        self._started += 1

    def next_step(self, rows: Mapping[int, Row]) -> Step:
        """Returns what to do for the current `rows`.

        The result is the same until a row changes or the wave is marked as started.
        """
        if self._started == len(self.all):
            return Step()
        before = [rows[number] for wave in self.all[: self._started] for number in wave.numbers]
        if not all(row.state.is_over for row in before):
            return Step()
        if failed := [row for row in before if not row.state.is_good]:
            self._started = len(self.all)
            others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            cause = f"{failed[0].name}{others} of an earlier wave did not succeed"
            left = [row.number for row in rows.values() if not row.state.is_over]
            return Step(give_up={number: Status(State.NOT_STARTED, cause) for number in left})
        # ECS continues a rollout by itself. Any other update may have waited for its next attempt
        # in a process that has ended.
        wave = [rows[number] for number in self.all[self._started].numbers]
        idle = [row for row in wave if not (row.state.is_over or row.state.is_rolling_out)]
        return Step(start=tuple(row.number for row in idle))
