"""What the rollouts' tests share: a world per test, time that only sleeping moves, and the figures
that are printed at the end.
"""

import botocore.endpoint
import moto
import pytest

from support.fake_dynamodb import FakeDynamodb
from support.rollout_world import World, boundary_of

FIGURE = "figure"


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


@pytest.fixture
def figure(record_property):
    """Notes a line for the table that is printed at the end:
    ``figure("verdict SUCCEEDED", "14 calls, 31 s")``.
    """
    return lambda what, text: record_property(FIGURE, (what, text))


def pytest_terminal_summary(terminalreporter):
    """Prints the figures of all tests."""
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "user_properties")
    ]
    figures = sorted(
        {
            tuple(value)
            for report in reports
            for name, value in report.user_properties
            if name == FIGURE
        }
    )
    if figures:
        terminalreporter.section("figures")
        width = max(len(what) for what, _ in figures)
        for what, text in figures:
            terminalreporter.write_line(f"{what:{width}}  {text}")
