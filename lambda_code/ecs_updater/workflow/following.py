"""Followers that keep the service's lease while they wait."""

from dataclasses import replace

from ..aws.ecs import Ecs
from ..clock import Clock
from ..ledger.record import Record
from ..rollout.follow import Follower, Rollout
from ..settings import Settings


class Following:
    """Makes the followers of one invocation."""

    def __init__(self, ecs: Ecs, settings: Settings, clock: Clock):
        self._ecs, self._settings, self._clock = ecs, settings, clock

    def follower(self, rollout: Rollout, record: Record) -> Follower:
        """One that follows ``rollout`` and keeps the lease of ``record`` meanwhile."""

        def sleep(seconds: float) -> None:
            record.keep()
            self._clock.sleep(seconds)

        return Follower(
            self._ecs, rollout, self._settings.task_failures, replace(self._clock, sleep=sleep)
        )
