"""The loop that follows a batch: begin what may begin, look, show, until all have their verdict."""

from ecs_updater.context import Clock

from ..errors import AwsError
from .backend import Backend, View
from .tracker import Change, Tracker
from .waves import Waves

POLL_SECONDS = 1.0
_ROWS_A_SECOND = 200
"""A larger batch is looked at less often: two calls of the ledger tell of a hundred services."""

PATIENCE_SECONDS = 120.0
"""For how long AWS may not be to be had before the command gives up."""


class Watcher:
    """One batch, followed to its end."""

    def __init__(self, tracker: Tracker, backend: Backend, waves: Waves, show: View, clock: Clock):
        self._board, self._door, self._waves, self._show, self._clock = (
            tracker,
            backend,
            waves,
            show,
            clock,
        )
        self._trouble_since: float | None = None

    def poll(self) -> None:
        """Looks once, for who comes back to a batch."""
        self._tell(self._board.see(self._door.poll(self._board.waiting)))

    def wait(self, timeout: float | None = None) -> bool:
        """Whether all came to their end within ``timeout`` seconds; None waits for as long as it
        takes.

        Raises Trouble when AWS is not to be had for a while, and nothing else but what a signal
        raises.
        """
        deadline = None if timeout is None else self._clock.now() + timeout
        while True:
            try:
                self._turn()
                if self._trouble_since is not None:
                    self._trouble_since = None
                    self._show.trouble("")
            except AwsError as trouble:
                self._bear(trouble)
            if self._board.is_over:
                return True
            pause = max(POLL_SECONDS, len(self._board.waiting) / _ROWS_A_SECOND)
            if deadline is not None:
                left = deadline - self._clock.now()
                if left <= 0:
                    return False
                pause = min(pause, left)
            self._clock.sleep(pause)

    def _turn(self) -> None:
        self._begin()
        self.poll()
        self._begin()
        if waiting := self._board.waiting:
            self._board.count(self._door.counts(waiting))

    def _begin(self) -> None:
        step = self._waves.step({row.number: row for row in self._board.rows})
        if step.give_up:
            self._tell(self._board.see(step.give_up))
        if step.begin is not None:
            wanted = set(step.begin)
            self._door.begin([row.member for row in self._board.rows if row.number in wanted])
            self._waves.begun()

    def _bear(self, trouble: AwsError) -> None:
        now = self._clock.now()
        since = self._trouble_since = now if self._trouble_since is None else self._trouble_since
        if not trouble.is_transient or now - since > PATIENCE_SECONDS:
            raise trouble
        self._show.trouble(str(trouble))

    def _tell(self, changes: list[Change]) -> None:
        if changes:
            self._show.changed(self._board, changes)
