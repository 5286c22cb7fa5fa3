"""A world with a bus and a topic: updates, runs of the reconciler, and what these send."""

from collections.abc import Mapping
from typing import Any

from ecs_updater.aws.notifications import Channel, EventBus
from ecs_updater.context import Call
from ecs_updater.deployments.notifier import reconcile_and_send
from ecs_updater.deployments.reconciler import Reconciliation
from fakes.event_bus import BUS, MemoryBus, MemoryTopic

from .rollout_world import Outcome, World
from .trouble import EVENTS

_BUS = MemoryBus()
_CLIENT = _BUS.client(EventBus.CONFIG)
"""One for all tests: to make a client takes longer than a test."""


class VerdictRun:
    """One world and its channels."""

    def __init__(self, world: World):
        self.world, self.bus, self.topic = world, MemoryBus(), MemoryTopic()
        self.bus.take(_CLIENT)
        self.bus.before = lambda request: world.process.before(EVENTS, request)
        self.bus.now = world.ecs.clock.now
        self.channels: tuple[Channel, ...] = (EventBus(BUS, _CLIENT), self.topic)

    def reconcile(
        self, event: Any = None, seconds: float = 300.0, settings: Mapping[str, str] | None = None
    ) -> Reconciliation:
        """Runs the reconciler once, as its handler does."""
        world = self.world
        end = world.clock.now() + seconds
        call = Call("run", None, lambda: end - world.clock.now(), world.clock)
        environment = {**world.environment, **(settings or {})}
        return reconcile_and_send(
            event, environment, world.boundary, world.table, call, self.channels
        )

    def outcome(self) -> Outcome:
        """Runs the reconciler once, with the fault that is due."""
        return self.world.outcome_of(lambda: self.reconcile().to_json())

    @property
    def markers(self) -> dict[str, dict[str, Any]]:
        """The markers in the table, by their sort keys."""
        assert self.world.dynamodb
        items = self.world.dynamodb.items
        return {sk: item for (pk, sk), item in items.items() if pk == "NOTIFY"}
