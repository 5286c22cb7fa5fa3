"""What the tests of the teardown share: an account whose answers are laid out, and no time that
passes.
"""

from types import SimpleNamespace

import pytest

from fakes.laid_out import ACCOUNT, Account
from fakes.memory_dynamodb import Clock
from teardown import aws
from teardown.project import Project


@pytest.fixture(name="clock", autouse=True)
def _clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(aws, "time", SimpleNamespace(monotonic=clock, sleep=clock.sleep))
    return clock


@pytest.fixture(name="account")
def _account():
    account = Account()
    yield account
    account.all_were_requested()


@pytest.fixture(name="project")
def _project(account) -> Project:
    account.lays_out(("sts", "get_caller_identity", {"Account": ACCOUNT}))
    return Project("mine", account)
