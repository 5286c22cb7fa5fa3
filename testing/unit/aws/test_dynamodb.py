"""The boundary to the ledger's table: values come back as they went, failures say what they mean,
and every request is counted.
"""

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from ecs_updater.aws.dynamodb import ConditionFailed, Delete, Put, Update
from ecs_updater.errors import LedgerError, Outcome
from fakes.memory_dynamodb import CONFLICT, DENIED, SERVER_ERROR, THROTTLED
from fakes.wire import Refusal

pytest_plugins = ["support.ledger_fixtures"]
NEW = "attribute_not_exists(#pk)"
URL = "https://dynamodb"


def cancelled(*codes):
    """The refusal of a transaction that was cancelled for these reasons, one for each write."""
    reasons = [{"Code": code} for code in codes]
    return Refusal("TransactionCanceledException", ", ".join(codes), CancellationReasons=reasons)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text",
        "é漢𠀀",
        True,
        False,
        0,
        1,
        -5,
        1_800_000_000_001,
        1.5,
        1_800_000_000.125,
        {},
        {"a": {"b": ["c", 1]}},
        [],
        [[]],
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_went(table, value):
    table.put(Put({"pk": "p", "sk": "s", "value": value}))
    found = table.get("p", "s")["value"]
    assert found == value and type(found) is type(value)


def test_half_a_character_is_kept_in_words(table):
    table.put(Put({"pk": "p\ud800", "sk": "s"}))
    assert table.get("p\ud800", "s") == {"pk": "p\\ud800", "sk": "s"}


def test_what_has_no_form_in_a_table_is_a_defect(table):
    with pytest.raises(TypeError, match="bytes has no form in a table"):
        table.put(Put({"pk": "p", "sk": "s", "value": b""}))


def test_reads_are_strongly_consistent(table, fake):
    table.get("p", "s")
    table.query("p")
    assert [request.body["ConsistentRead"] for request in fake.requests] == [True, True]


def test_a_query_gives_what_has_the_prefix_in_order(table):
    for sk in ("b1", "a2", "b3", "b2", "c"):
        table.put(Put({"pk": "p", "sk": sk}))
    table.put(Put({"pk": "other", "sk": "b1"}))
    assert [item["sk"] for item in table.query("p", "b")] == ["b1", "b2", "b3"]
    assert [item["sk"] for item in table.query("p", "b", newest_first=True, most=2)] == ["b3", "b2"]
    assert [item["sk"] for item in table.query("p")] == ["a2", "b1", "b2", "b3", "c"]
    assert table.query("nobody") == []


@pytest.mark.parametrize("most, calls, found", [(None, 3, 6), (2, 1, 2), (5, 3, 5)])
def test_a_query_goes_on_where_a_page_ends(table, fake, most, calls, found):
    """A page is at most 1 MB."""
    for index in range(6):
        table.put(Put({"pk": "p", "sk": str(index), "much": "x" * 390_000}))
    fake.requests.clear()
    assert [item["sk"] for item in table.query("p", most=most)] == [
        str(index) for index in range(found)
    ]
    assert fake.operations == ["Query"] * calls


def test_a_condition_that_does_not_hold_brings_what_is_there(table):
    table.put(Put({"pk": "p", "sk": "s", "state": "old"}))
    for write in (
        lambda: table.put(Put({"pk": "p", "sk": "s"}, NEW)),
        lambda: table.update(
            Update(
                "p", "s", "SET #state = :new", "#state = :other", {"new": "new", "other": "other"}
            )
        ),
    ):
        with pytest.raises(ConditionFailed) as raised:
            write()
        assert raised.value.items == ({"pk": "p", "sk": "s", "state": "old"},)


def test_of_several_writes_none_is_done_when_one_condition_does_not_hold(table, fake):
    table.put(Put({"pk": "p", "sk": "there"}))
    with pytest.raises(ConditionFailed) as raised:
        table.write(
            Put({"pk": "p", "sk": "new"}, NEW),
            Put({"pk": "p", "sk": "there", "n": 1}, NEW),
            Delete("p", "there"[:2]),
        )
    assert raised.value.items == (None, {"pk": "p", "sk": "there"}, None)
    assert list(fake.items) == [("p", "there")]


@pytest.mark.parametrize(
    "fault, outcome, code, tries",
    [
        (THROTTLED, Outcome.NOT_NOW, "ThrottlingException", 3),
        (
            (400, "ProvisionedThroughputExceededException", "x"),
            Outcome.NOT_NOW,
            "ProvisionedThroughputExceededException",
            3,
        ),
        (CONFLICT, Outcome.NOT_NOW, "TransactionConflictException", 3),
        (
            cancelled("None", "TransactionConflict"),
            Outcome.NOT_NOW,
            "TransactionCanceledException",
            3,
        ),
        (cancelled("ThrottlingError", "None"), Outcome.NOT_NOW, "TransactionCanceledException", 3),
        (cancelled("ValidationError", "None"), Outcome.REFUSED, "TransactionCanceledException", 1),
        (SERVER_ERROR, Outcome.UNKNOWN, "InternalServerError", 3),
        (ReadTimeoutError(endpoint_url=URL), Outcome.UNKNOWN, "ReadTimeoutError", 3),
        (EndpointConnectionError(endpoint_url=URL), Outcome.NOT_NOW, "EndpointConnectionError", 3),
        (DENIED, Outcome.NOT_PERMITTED, "AccessDeniedException", 1),
        ((400, "ResourceNotFoundException", "x"), Outcome.REFUSED, "ResourceNotFoundException", 1),
        ((400, "ValidationException", "x"), Outcome.REFUSED, "ValidationException", 1),
    ],
    ids=str,
)
def test_a_failure_says_whether_the_call_may_have_had_its_effect(
    table, fake, fault, outcome, code, tries
):
    fake.fail("TransactWriteItems", *[fault] * 4)
    with pytest.raises(LedgerError) as raised:
        table.write(Put({"pk": "p", "sk": "s"}))
    failure = raised.value.failure
    assert (failure.operation, failure.outcome, failure.code) == (
        "TransactWriteItems",
        outcome,
        code,
    )
    assert table.calls == {"TransactWriteItems": tries} and len(fake.requests) == tries


def test_a_condition_that_fails_beside_a_conflict_is_not_tried_again(table, fake):
    fake.fail("TransactWriteItems", cancelled("ConditionalCheckFailed", "TransactionConflict"))
    with pytest.raises(ConditionFailed) as raised:
        table.write(Put({"pk": "p", "sk": "s"}, NEW), Delete("p", "t"))
    assert raised.value.items == (None, None) and len(fake.requests) == 1


def test_a_repeated_transaction_says_that_it_is_the_same(table, fake):
    fake.fail("TransactWriteItems", SERVER_ERROR, CONFLICT)
    table.write(Put({"pk": "p", "sk": "s"}))
    table.write(Put({"pk": "p", "sk": "t"}))
    tokens = [request.body["ClientRequestToken"] for request in fake.requests]
    assert len(tokens) == 4 and tokens[0] == tokens[1] == tokens[2] != tokens[3]
