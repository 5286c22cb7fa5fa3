"""Fixtures of the simulations: a world for each test, and a clock that only sleeping moves."""

import pytest

from ecs_updater.log import logger
from fakes.memory_dynamodb import MemoryDynamodb
from support.paused import PAUSED, Paused
from support.rollout_world import World, boundary_of


@pytest.fixture(autouse=True)
def _log():
    """Restores the stream of the log, which the command line's local backend changes."""
    stream = logger.registered_handler.stream
    yield
    logger.registered_handler.stream = stream


@pytest.fixture(name="dynamodb", scope="session")
def _dynamodb():
    """The table and its boundary for all tests: creating a client takes longer than a test."""
    fake = MemoryDynamodb()
    return fake, boundary_of(fake)


@pytest.fixture(name="make_world")
def _make_world(dynamodb, monkeypatch):
    """Makes worlds, each with an empty ledger; `ledger=False` makes one without."""
    fake, table = dynamodb

    def make(ledger=True, **options):
        fake.clear()
        world = World(fake if ledger else None, table if ledger else None, **options)
        world.ecs.clock.drive_sdk(monkeypatch)
        return world

    return make


@pytest.fixture(name="world")
def _world(make_world):
    """A world with a ledger."""
    return make_world()


@pytest.fixture(name="paused")
def _paused(make_world):
    """An update that awaits an answer."""
    return Paused(make_world(configuration=PAUSED))
