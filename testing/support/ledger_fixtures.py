"""The ledger's fixtures, as a plugin of pytest: a table, its leases and its history."""

import pytest

from ecs_updater.aws import dynamodb
from ecs_updater.aws.dynamodb import Table
from ecs_updater.ledger.lease import Holder, Leases
from ecs_updater.ledger.store import History
from fakes.memory_dynamodb import TABLE, Clock, MemoryDynamodb
from fakes.wire import SERVICE_ARN

from .ledger import START, intent


@pytest.fixture(name="dynamodb_and_table", scope="module")
def _dynamodb_and_table():
    """One of each for a module: to make a client takes longer than a test."""
    fake = MemoryDynamodb()
    return fake, Table(TABLE, fake.client(dynamodb._CONFIG))  # pylint: disable=protected-access  # The function's own settings.


@pytest.fixture(name="fake")
def _fake(dynamodb_and_table):
    """An empty table."""
    fake, table = dynamodb_and_table
    fake.clear()
    table.calls.clear()
    return fake


@pytest.fixture(name="table")
def _table(dynamodb_and_table, fake):  # pylint: disable=unused-argument  # It is empty then.
    """The boundary to that table, with the client settings that the function has."""
    return dynamodb_and_table[1]


@pytest.fixture(name="clock")
def _clock():
    """A clock that only sleeping moves."""
    return Clock(START)


@pytest.fixture(name="leases")
def _leases(table, clock):
    """The leases in that table."""
    return Leases(table, clock=clock, sleep=clock.sleep)


@pytest.fixture(name="history")
def _history(table, clock):
    """The history in that table."""
    return History(table, clock=clock)


@pytest.fixture(name="lease")
def _lease(leases, clock):
    """Takes a service's lease for a new holder, after the last holder has lost it."""

    def take(request_id="request-1", service=SERVICE_ARN):
        clock.now += 1000
        return leases.acquire(service, Holder.of(request_id))

    return take


@pytest.fixture(name="begin")
def _begin(history, lease):
    """Begins an update; the entry as it is stored."""
    return lambda request_id="request-1", **fields: (
        history.begin(intent(lease(request_id), **fields)).entry
    )
