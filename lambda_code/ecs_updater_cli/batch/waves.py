"""Waves: the groups of a batch one after another.

A wave starts when all updates of the waves before it have succeeded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ecs_updater.ledger.batch import Member


@dataclass(frozen=True)
class Wave:
    """Services that start together."""

    name: str | None
    """Name of the group. None for services without a group, and for a batch without waves."""
    numbers: tuple[int, ...]


class Waves:
    """The waves of a batch, and which of them have started."""

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

    @property
    def following(self) -> tuple[int, ...]:
        """Numbers of the services of the wave that starts next. There must be one."""
        return self.all[self._started].numbers

    def mark_started(self) -> None:
        """Records that the following wave has started completely."""
        self._started += 1

    def give_up(self) -> None:
        """Records that no further wave starts."""
        self._started = len(self.all)
