"""Groups of a batch, one after another: the next begins when every update of the one before is as
it was asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .row import Row
from .state import State, Status


@dataclass(frozen=True)
class Wave:
    """The services that are begun together."""

    name: str | None
    """The group's; None for those without one, and for a batch without waves."""
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """What comes next."""

    begin: tuple[int, ...] | None = None
    """The numbers of the services to begin now, none where a wave has begun already; None where no
    wave comes yet.
    """
    give_up: Mapping[int, Status] | None = None
    """Those that are not begun any more, and why."""


def waves_of(groups: Mapping[int, str | None]) -> list[Wave]:
    """The waves of services by number, in the order in which their groups come first; those without
    a group are the first.
    """
    by_group: dict[str | None, list[int]] = {None: []}
    for number, group in groups.items():
        by_group.setdefault(group, []).append(number)
    return [Wave(name, tuple(numbers)) for name, numbers in by_group.items() if numbers]


class Waves:
    """Says which services are to be begun."""

    def __init__(self, waves: Sequence[Wave]):
        self.all = tuple(waves)
        self._begun = 0

    @property
    def current(self) -> int:
        """Which wave is under way, from 1."""
        return max(1, self._begun)

    @property
    def left(self) -> frozenset[int]:
        """The numbers of the services whose wave has not begun."""
        return frozenset(number for wave in self.all[self._begun :] for number in wave.numbers)

    def begun(self) -> None:
        """The wave of the last step has begun, all of it."""
        self._begun += 1

    def step(self, rows: Mapping[int, Row]) -> Step:
        """What comes next, where ``rows`` is what is known: the same until that has changed, or the
        wave has begun.
        """
        if self._begun == len(self.all):
            return Step()
        before = [rows[number] for wave in self.all[: self._begun] for number in wave.numbers]
        if not all(row.state.is_over for row in before):
            return Step()
        if failed := [row for row in before if not row.state.is_good]:
            self._begun = len(self.all)
            others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            cause = f"{failed[0].name}{others} of an earlier wave did not succeed"
            left = [row.number for row in rows.values() if not row.state.is_over]
            return Step(give_up={number: Status(State.NOT_STARTED, cause) for number in left})
        # A rollout goes on by itself. What came to nothing may have been waiting for its next
        # attempt in a process that has ended.
        numbers = self.all[self._begun].numbers
        return Step(
            begin=tuple(
                number
                for number in numbers
                if not (rows[number].state.is_over or rows[number].state.rolls)
            )
        )
