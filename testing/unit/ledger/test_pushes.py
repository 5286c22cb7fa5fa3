"""The accepted pushes: one of several functions wins, and an earlier message is overtaken."""

import pytest

from ecs_updater.aws.dynamodb import Put
from ecs_updater.errors import LedgerError
from ecs_updater.ledger.pushes import AcceptedPush, AcceptedPushes
from ecs_updater.model.push import Push
from fakes.wire import CONNECTION_RESET

pytest_plugins = ["support.ledger_fixtures"]

KEY = "arn:aws:ecs:eu-west-1:123456789012:service/ECSCluster/web"


def accepted(request_id, tag="1.4.2"):
    """A push of a tag."""
    push = Push("123456789012", "eu-west-1", "shop/web", tag, f"sha256:{'a' * 64}", 100)
    return AcceptedPush(KEY, request_id, 160, push)


@pytest.fixture(name="pushes")
def _pushes(table):
    return AcceptedPushes(table)


def test_the_last_accepted_push_is_read_as_it_was_written(pushes):
    assert pushes.last(KEY) is None
    first, second = accepted("push-1"), accepted("push-2", "1.4.3")
    assert pushes.accept(first, None) and pushes.last(KEY) == first
    assert pushes.accept(second, first) and pushes.last(KEY) == second


def test_of_two_functions_that_have_read_the_same_one_is_first(pushes):
    assert pushes.accept(accepted("push-1"), None)
    assert not pushes.accept(accepted("push-2"), None)
    assert not pushes.accept(accepted("push-2"), accepted("push-0"))
    assert pushes.last(KEY) == accepted("push-1")


def test_a_lost_answer_does_not_count_as_another_function(pushes, fake):
    fake.fail("PutItem", CONNECTION_RESET, after_effect=True)
    assert pushes.accept(accepted("push-1"), None)


@pytest.mark.parametrize("request_id", ["push-1", "push-2", "other", "", None, 7, ["push-1"]])
def test_only_an_earlier_push_is_overtaken(pushes, request_id):
    assert not pushes.is_overtaken(KEY, request_id)
    pushes.accept(accepted("push-2"), None)
    assert pushes.is_overtaken(KEY, request_id) is (request_id == "push-1")


@pytest.mark.parametrize("item", [{}, {"request_id": 7}, {"request_id": "push-1", "push": "x"}])
def test_an_unreadable_item_is_named(pushes, table, item):
    table.put(Put({"pk": KEY, "sk": "PUSH", **item}))
    with pytest.raises(LedgerError) as raised:
        pushes.last(KEY)
    assert f"{KEY} PUSH cannot be read" in str(raised.value)
