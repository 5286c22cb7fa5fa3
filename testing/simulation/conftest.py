"""What the simulations share: a world per test, and time that only sleeping moves."""

import botocore.endpoint
import pytest

from ecs_updater.log import logger
from fakes.memory_dynamodb import MemoryDynamodb
from support.rollout_world import World, boundary_of


@pytest.fixture(autouse=True)
def _log():
    """Gives the log its stream back, which the command line's local backend changes."""
    handler, level = logger.registered_handler, logger.log_level
    stream = handler.stream
    yield
    handler.stream = stream
    logger.setLevel(level)


@pytest.fixture(name="dynamodb", scope="session")
def _dynamodb():
    """The table and the boundary to it, once: to make a client takes longer than a test."""
    fake = MemoryDynamodb()
    return fake, boundary_of(fake)


@pytest.fixture
def make_world(dynamodb, monkeypatch):
    """Makes worlds; ``ledger=False``: without one. Each begins with an empty ledger."""
    fake, table = dynamodb

    def make(ledger=True, **options):
        fake.clear()
        world = World(fake if ledger else None, table if ledger else None, **options)
        world.ecs.clock.drive_sdk(monkeypatch)
        return world

    yield make
    assert botocore.endpoint.time  # The clock that the SDK waits on is put back by monkeypatch.
