"""What becomes of a batch that nobody watches any more."""

from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType

from ecs_updater.errors import NotAllowedError

from ..backends.factory import OpenBackend
from ..batch.state import State
from ..batch.tracker import Tracker
from ..batch.waves import Waves
from ..errors import AWS, INPUT, NOT_ALL, SUCCEEDED
from ..output.summary import BatchResult

GONE = (KeyboardInterrupt, BrokenPipeError)
"""Who watched is gone: somebody pressed Ctrl-C, or whoever read the output reads no more."""


class Detacher:
    """The way out of a door, taken whatever happens, and once: who presses Ctrl-C a second time
    does not wait again.
    """

    def __init__(self, opened: OpenBackend, tracker: Tracker, waves: Waves):
        self._opened, self._board, self._waves = opened, tracker, waves
        self._stack = ExitStack()
        self._stack.callback(opened.close)

    def close(self) -> None:
        """Begins nothing further, and waits a little for what is in the middle of being written."""
        self._stack.close()

    def told(self, result: BatchResult) -> BatchResult:
        """``ended`` with what happens to the rest. Where each has its end by now, that decides how
        the whole ended.

        But without a ledger they may have that end because AWS could not be called.
        """
        if self._board.is_over and (self._board.is_good or self._opened.id or result.code != AWS):
            return replace(over(self._board), sentences=result.sentences)
        rest = self._opened.detach_note(self._board.waiting, bool(self._waves.left))
        if result.code == AWS:
            # Without a ledger it is: this process alone knew of it.
            return replace(
                result,
                sentences=(
                    *result.sentences,
                    f"nothing is lost: {rest}" if self._opened.id else rest,
                ),
            )
        return replace(result, sentences=(f"{result.outcome}: {rest}",))

    def __enter__(self) -> "Detacher":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def over(tracker: Tracker) -> BatchResult:
    """The end of a batch of which each service has its own."""
    not_allowed = [row for row in tracker.rows if row.status.error_type == NotAllowedError.__name__]
    not_begun = [row for row in tracker.rows if row.state is State.NOT_STARTED]
    if not_allowed and len(not_allowed) + len(not_begun) == len(tracker.rows):
        return BatchResult(INPUT)  # The worker refused the batch as a whole: nothing was begun.
    return BatchResult(SUCCEEDED if tracker.is_good else NOT_ALL)
