"""One JSON object for each change, and one for the whole at the end. For programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_updater.context import Clock
from ecs_updater.ledger.entry import iso

from ..batch.row import Row
from ..batch.state import State
from ..batch.tracker import Board, Change
from .printer import Printer
from .summary import Ended


class Records:
    """A batch as JSON, a line for an object.

    Each has ``type``: ``batch``, ``change`` or ``summary``.
    """

    def __init__(self, printer: Printer, clock: Clock):
        self._printer, self._clock = printer, clock

    def begins(self, board: Board) -> None:
        """The batch's id, at once."""
        self._print(
            {
                "type": "batch",
                "time": self._now(),
                "batch": board.batch,
                "services": len(board.rows),
            }
        )

    def changed(self, board: Board, changes: Sequence[Change]) -> None:
        """Rows are in other states than before."""
        for change in changes:
            self._print(
                {
                    "type": "change",
                    "time": self._now(),
                    "batch": board.batch,
                    **self._row(change.row),
                }
            )

    def trouble(self, sentence: str) -> None:
        """No change."""

    def leaves(self) -> None:
        """No change either."""

    def ends(self, board: Board, ended: Ended) -> None:
        """How it ended: also how many are in each state."""
        states = {_key(state): board.tally[state] for state in State}
        self._print(
            {
                "type": "summary",
                "time": self._now(),
                "batch": board.batch,
                "outcome": ended.outcome,
                "exitCode": ended.code,
                "services": len(board.rows),
                "seconds": round(board.seconds(self._clock.epoch()), 1),
                "states": states,
            }
        )
        for sentence in ended.sentences:
            self._printer.note(sentence)

    def _row(self, row: Row) -> Mapping[str, Any]:
        seconds, counts = row.seconds(self._clock.epoch()), row.counts
        return {
            "number": row.number,
            "cluster": row.cluster,
            "service": row.service,
            "image": row.image,
            "group": row.group,
            "state": row.state.value,
            "cause": row.seen.cause or None,
            "errorType": row.seen.error_type,
            **({"hint": row.seen.hint} if row.seen.hint else {}),
            "tasks": {"running": counts.running, "desired": counts.desired} if counts else None,
            "seconds": None if seconds is None else round(seconds, 1),
            "deploymentId": row.seen.deployment_id,
            "requestId": row.request_id,
        }

    def _now(self) -> str:
        return iso(self._clock.epoch())

    def _print(self, record: Mapping[str, Any]) -> None:
        self._printer.raw(json.dumps(record))


def _key(state: State) -> str:
    """``rolledBack``"""
    first, *others = state.split()
    return first + "".join(word.capitalize() for word in others)
