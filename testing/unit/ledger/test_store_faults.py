"""The history when its table fails, and what each of its steps costs."""

import pytest

from ecs_updater.aws.dynamodb import Table
from ecs_updater.errors import LedgerError
from ecs_updater.ledger.store import History
from fakes.fake_ecs import SERVICE_ARN
from fakes.memory_dynamodb import DENIED, TABLE
from support.ledger import intent, refused, succeeded

pytest_plugins = ["support.ledger_fixtures"]

STEPS = {
    "begin": ("TransactWriteItems", lambda history, entry, later: history.begin(entry)),
    "advance": (
        "PutItem",
        lambda history, entry, later: history.advance(entry.registered("arn:2")),
    ),
    "end": ("TransactWriteItems", lambda history, entry, later: history.end(succeeded(entry))),
    "take over": ("UpdateItem", lambda history, entry, later: history.take_over(entry, later())),
    "find": ("GetItem", lambda history, entry, later: history.find("request-1")),
    "unfinished": ("Query", lambda history, entry, later: history.unfinished(SERVICE_ARN)),
    "last success": ("GetItem", lambda history, entry, later: history.last_success(SERVICE_ARN)),
    "latest": ("Query", lambda history, entry, later: history.latest(SERVICE_ARN)),
}


def prepared(step, history, lease):
    """An entry on which ``step`` can be done."""
    entry = intent(lease())
    return entry if step == "begin" else history.begin(entry).entry


@pytest.mark.parametrize("step", STEPS)
def test_a_table_that_may_not_be_used_is_told(history, lease, fake, step):
    operation, do = STEPS[step]
    entry = prepared(step, history, lease)
    later = lease("request-2")
    fake.fail(operation, DENIED)
    message = refused(LedgerError, do, history, entry, lambda: later)
    assert message.startswith(
        f"[ERROR][ecs_service_read] the function's role may not do {operation} on the table "
        f"{TABLE} of its LEDGER_TABLE: "
    )
    assert "secret" not in message


@pytest.mark.parametrize("step", STEPS)
def test_a_table_that_is_not_there_is_told_with_the_setting_that_names_it(fake, lease, clock, step):
    entry, later = intent(lease()), lease("request-2")
    message = refused(
        LedgerError,
        STEPS[step][1],
        History(Table("elsewhere", fake.client()), clock=clock),
        entry,
        lambda: later,
    )
    assert "the table elsewhere, which the function's LEDGER_TABLE names, does not exist" in message
