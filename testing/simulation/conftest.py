"""What the simulations share: a world per test, and time that only sleeping moves."""

import botocore.endpoint
import moto
import pytest

from fakes.fake_dynamodb import FakeDynamodb
from support.rollout_world import World, boundary_of


@pytest.fixture(name="dynamodb", scope="module")
def _dynamodb():
    """moto's DynamoDB, once for a module: to make its client takes longer than a test.

    Other modules have their own stand-ins.
    """
    with moto.mock_aws():
        fake = FakeDynamodb()
        yield fake, boundary_of(fake)


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
