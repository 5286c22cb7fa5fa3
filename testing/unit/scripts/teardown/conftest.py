"""What the tests of the teardown share: an account whose answers are laid out, and no time that
passes.
"""

import pytest

from fakes.laid_out import ACCOUNT, Account, Clock
from teardown import aws
from teardown.project import Project


@pytest.fixture(name="clock", autouse=True)
def _clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(aws, "time", clock)
    return clock


@pytest.fixture(name="account")
def _account():
    account = Account()
    yield account
    account.all_were_requested()


@pytest.fixture(name="project")
def _project(account) -> Project:
    account.answers("sts", "get_caller_identity", {"Account": ACCOUNT})
    return Project("mine", account)
