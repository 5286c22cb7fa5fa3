"""What the loop asks of the place where updates are begun, and of what shows them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ecs_updater.ledger.batch import Member

from .row import Row
from .state import Status, TaskCounts
from .tracker import Change, Tracker


class Backend(Protocol):
    """Where updates are begun and seen.

    All methods raise ``ending.Trouble``, and may be called again after that.
    """

    def begin(self, members: Sequence[Member]) -> None:
        """Lets these be begun, and those end that have begun: also where there are none to begin.

        To do so twice is harmless.
        """

    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """What is known of these services, by number; one that is left out is as it was."""

    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """The tasks of some of these, by number; no more than one call a second."""


class View(Protocol):
    """Who is told."""

    def changed(self, tracker: Tracker, changes: Sequence[Change]) -> None:
        """Rows are in other states than before."""

    def trouble(self, sentence: str) -> None:
        """Why AWS cannot be asked at the moment; empty when it can be again."""
