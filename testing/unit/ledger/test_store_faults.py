"""The history when its table fails, and what each of its steps costs."""

from dataclasses import replace

import pytest
from botocore.exceptions import ReadTimeoutError

from ecs_updater.aws.dynamodb import Table
from ecs_updater.errors import LedgerError
from ecs_updater.ledger.store import History
from fakes.memory_dynamodb import DENIED, SERVER_ERROR, TABLE, THROTTLED
from fakes.wire import SERVICE_ARN, Refusal
from support.ledger import ANSWER, intent, message_of, succeeded

pytest_plugins = ["support.ledger_fixtures"]

TIMED_OUT = ReadTimeoutError(endpoint_url="https://dynamodb")

STEPS = {
    "begin": ("TransactWriteItems", lambda history, entry, later: history.begin(entry)),
    "advance": (
        "PutItem",
        lambda history, entry, later: history.advance(entry.registered("arn:2")),
    ),
    "end": ("TransactWriteItems", lambda history, entry, later: history.finish(succeeded(entry))),
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


@pytest.mark.parametrize(
    "fault, failures, after_effect",
    [
        (TIMED_OUT, 1, False),
        (TIMED_OUT, 1, True),
        (SERVER_ERROR, 1, False),
        (SERVER_ERROR, 1, True),
        (THROTTLED, 1, False),
        (SERVER_ERROR, 3, False),
        (SERVER_ERROR, 3, True),
    ],
    ids=[
        *("timed out before", "timed out after", "500 before", "500 after", "throttled"),
        *("three 500 before", "three 500 after"),
    ],
)
@pytest.mark.parametrize("step", STEPS)
def test_a_failed_call_has_its_effect_once_by_the_sdks_or_the_callers_retry(
    history, lease, fake, step, after_effect, failures, fault
):
    operation, do = STEPS[step]
    entry = prepared(step, history, lease)
    later = lease("request-2") if step == "take over" else None
    calls = fake.operations.count(operation)
    fake.fail(operation, *[fault] * failures, after_effect=after_effect)
    if failures == 3:
        assert message_of(LedgerError, do, history, entry, lambda: later).startswith(
            f"[ERROR][ecs_service_read] {operation} failed on the table {TABLE} of the "
            "function's LEDGER_TABLE: "
        )
    answer = do(history, entry, lambda: later)
    assert fake.operations.count(operation) - calls > failures
    if step in ("begin", "advance", "end", "take over"):
        stored = history.find("request-1")
        assert (answer.entry if step == "begin" else answer) == stored
        assert step != "begin" or answer.is_new
        assert history.unfinished() == ([] if step == "end" else [stored])
        assert stored.is_ended == (step == "end") and len(history.latest(SERVICE_ARN)) == 1


@pytest.mark.parametrize("step", STEPS)
def test_an_unusable_table_is_an_error_that_names_the_setting(history, lease, fake, clock, step):
    operation, do = STEPS[step]
    entry = prepared(step, history, lease)
    later = lease("request-2")
    missing = History(Table("elsewhere", fake.client()), clock=clock)
    message = message_of(LedgerError, do, missing, entry, lambda: later)
    assert "the table elsewhere of the function's LEDGER_TABLE does not exist" in message
    fake.fail(operation, DENIED)
    message = message_of(LedgerError, do, history, entry, lambda: later)
    assert message.startswith(
        f"[ERROR][ecs_service_read] the function's role may not do {operation} on the table "
        f"{TABLE} of its LEDGER_TABLE: "
    )
    assert "secret" not in message


def test_a_request_that_others_begin_and_delete_without_end_is_an_error(
    history, begin, lease, fake, monkeypatch
):
    begin("request-1")
    monkeypatch.setattr(history, "_entry", lambda service, number: None)
    body = {"Code": "ConditionalCheckFailed", "Item": {"service": {"S": "x"}, "number": {"N": "1"}}}
    reasons = [{"Code": "None"}, body, {"Code": "None"}]
    fault = Refusal("TransactionCanceledException", "cancelled", CancellationReasons=reasons)
    fake.fail("TransactWriteItems", fault, fault, fault)
    assert "request_id request-1 is begun by too many at once" in message_of(
        LedgerError, history.begin, intent(lease())
    )


def test_each_step_has_its_documented_calls(history, lease, table):
    entry, later = intent(lease("request-1")), lease("request-2")
    steps = [
        (lambda: history.unfinished(SERVICE_ARN), {"Query": 1}),
        (lambda: history.find("request-1"), {"GetItem": 1}),
        (lambda: history.begin(entry), {"TransactWriteItems": 1}),
        (lambda: history.find("request-1"), {"GetItem": 2}),
        (
            lambda: history.begin(replace(entry, number=1, owner="x")),
            {"TransactWriteItems": 1, "GetItem": 1},
        ),
        (lambda: history.unfinished(SERVICE_ARN), {"Query": 1, "GetItem": 1}),
        (lambda: history.advance(entry.registered("arn:2")), {"PutItem": 1}),
        (lambda: history.take_over(entry, later), {"UpdateItem": 1}),
        (
            lambda: history.finish(
                replace(entry, owner=later.holder.id).answered("SUCCEEDED", "", ANSWER)
            ),
            {"TransactWriteItems": 1},
        ),
        (lambda: history.last_success(SERVICE_ARN), {"GetItem": 1}),
        (lambda: history.latest(SERVICE_ARN), {"Query": 1}),
    ]
    for step, calls in steps:
        table.calls.clear()
        step()
        assert table.calls == calls
