"""What becomes of a batch that nobody watches any more."""

from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType

from ecs_updater.errors import NotAllowedError

from ..backends.factory import Opened
from ..batch.state import State
from ..batch.tracker import Board
from ..batch.waves import Waves
from ..errors import AWS, INPUT, NOT_ALL, SUCCEEDED
from ..output.summary import Ended

GONE = (KeyboardInterrupt, BrokenPipeError)
"""Who watched is gone: somebody pressed Ctrl-C, or whoever read the output reads no more."""


class WayOut:
    """The way out of a door, taken whatever happens, and once: who presses Ctrl-C a second time
    does not wait again.
    """

    def __init__(self, opened: Opened, board: Board, waves: Waves):
        self._opened, self._board, self._waves = opened, board, waves
        self._stack = ExitStack()
        self._stack.callback(opened.close)

    def close(self) -> None:
        """Begins nothing further, and waits a little for what is in the middle of being written."""
        self._stack.close()

    def told(self, ended: Ended) -> Ended:
        """``ended`` with what happens to the rest. Where each has its end by now, that decides how
        the whole ended.

        But without a ledger they may have that end because AWS could not be called.
        """
        if self._board.is_over and (self._board.is_good or self._opened.id or ended.code != AWS):
            return replace(over(self._board), sentences=ended.sentences)
        rest = self._opened.farewell(self._board.waiting, bool(self._waves.left))
        if ended.code == AWS:
            # Without a ledger it is: this process alone knew of it.
            return replace(
                ended,
                sentences=(
                    *ended.sentences,
                    f"nothing is lost: {rest}" if self._opened.id else rest,
                ),
            )
        return replace(ended, sentences=(f"{ended.outcome}: {rest}",))

    def __enter__(self) -> "WayOut":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def over(board: Board) -> Ended:
    """The end of a batch of which each service has its own."""
    not_allowed = [row for row in board.rows if row.seen.error_type == NotAllowedError.__name__]
    not_begun = [row for row in board.rows if row.state is State.NOT_STARTED]
    if not_allowed and len(not_allowed) + len(not_begun) == len(board.rows):
        return Ended(INPUT)  # The worker refused the batch as a whole: nothing was begun.
    return Ended(SUCCEEDED if board.is_good else NOT_ALL)
