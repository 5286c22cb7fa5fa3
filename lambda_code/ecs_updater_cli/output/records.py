"""One JSON object for each change, and one for the whole at the end. For programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_updater.context import Clock
from ecs_updater.ledger.entry import iso

from ..batch.row import Row
from ..batch.state import State
from ..batch.tracker import Change, Tracker
from .printer import Printer
from .summary import BatchResult


class JsonView:
    """A batch as JSON, a line for an object.

    Each has ``type``: ``batch``, ``change`` or ``summary``.
    """

    def __init__(self, printer: Printer, clock: Clock):
        self._printer, self._clock = printer, clock

    def begins(self, tracker: Tracker) -> None:
        """The batch's id, at once."""
        self._print(
            {
                "type": "batch",
                "time": self._now(),
                "batch": tracker.batch,
                "services": len(tracker.rows),
            }
        )

    def changed(self, tracker: Tracker, changes: Sequence[Change]) -> None:
        """Rows are in other states than before."""
        for change in changes:
            self._print(
                {
                    "type": "change",
                    "time": self._now(),
                    "batch": tracker.batch,
                    **self._row(change.row),
                }
            )

    def trouble(self, sentence: str) -> None:
        """No change."""

    def leaves(self) -> None:
        """No change either."""

    def ends(self, tracker: Tracker, result: BatchResult) -> None:
        """How it ended: also how many are in each state."""
        states = {_key(state): tracker.tally[state] for state in State}
        self._print(
            {
                "type": "summary",
                "time": self._now(),
                "batch": tracker.batch,
                "outcome": result.outcome,
                "exitCode": result.code,
                "services": len(tracker.rows),
                "seconds": round(tracker.seconds(self._clock.epoch()), 1),
                "states": states,
            }
        )
        for sentence in result.sentences:
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
            "cause": row.status.cause or None,
            "errorType": row.status.error_type,
            **({"hint": row.status.hint} if row.status.hint else {}),
            "tasks": {"running": counts.running, "desired": counts.desired} if counts else None,
            "seconds": None if seconds is None else round(seconds, 1),
            "deploymentId": row.status.deployment_id,
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
