"""A batch in the ledger: who is in it, how many failed, and whether what has not begun still
may.
"""

import pytest

from ecs_updater.aws.dynamodb import Put
from ecs_updater.errors import InvalidEventError, LedgerError, Outcome, RolloutFailedError
from ecs_updater.ledger.batch import Batch, Batches, members_of
from ecs_updater.ledger.queries import Progress
from fakes import memory_dynamodb
from support.ledger import succeeded

pytest_plugins = ["support.ledger_fixtures"]

EVENTS = [{"ecs_service_name": f"web-{number}", "ecs_tag": {"é": "ü"}} for number in range(60)]


@pytest.fixture(name="batches")
def _batches(table, clock):
    return Batches(table, retention_days=90, clock=clock)


@pytest.fixture(name="failed")
def _failed(history, begin):
    """Begins an update of the batch ``b`` and ends it with an error."""

    def fail(request_id, may_be_repeated=False):
        error = RolloutFailedError("it crashes")
        return history.finish(
            begin(request_id, batch="b").refused(
                "FAILED", "it crashes", error, may_be_repeated=may_be_repeated
            )
        )

    return fail


def test_a_batch_and_its_members_come_back_as_they_went_in_their_order(batches, fake):
    members = list(members_of("b", EVENTS, ["a", None] * 30))
    batch = Batch("b", "2027-01-15T08:00:00.000Z", 60, "somebody", max_failures=3)
    batches.begin(batch, members)
    assert fake.operations == ["PutItem"] + ["TransactWriteItems"] * 3
    assert batches.find("b") == batch and batches.members("b") == members
    assert [member.request_id for member in members[:2]] == ["b-00001", "b-00002"]
    assert all(int(item["expires"]["N"]) > 1_800_000_000 for item in fake.items.values())


def test_an_id_is_taken_once(batches):
    batches.begin(Batch("b", "now", 0), [])
    with pytest.raises(InvalidEventError, match="the id b is in use"):
        batches.begin(Batch("b", "now", 0), [])


def test_a_failure_counts_once_with_the_end_that_it_is_and_success_does_not(
    batches, history, begin, failed
):
    batches.begin(Batch("b", "now", 3, max_failures=2), [])
    history.finish(succeeded(begin("one", batch="b")))
    ended = failed("two")
    history.finish(ended)  # An answer that got lost is asked for again.
    found = batches.find("b")
    assert found.failures == 1 and found.why_over is None
    failed("three")
    found = batches.find("b")
    assert found.why_over == "no further update of the batch starts: 2 failed and max_failures is 2"


def test_what_may_be_tried_again_counts_when_it_is_given_up_and_only_once(batches, history, failed):
    batches.begin(Batch("b", "now", 1), [])
    entry = failed("one", may_be_repeated=True)
    assert batches.find("b").failures == 0
    history.give_up(entry)
    history.give_up(entry)
    assert batches.find("b").failures == 1 and not history.find("one").may_be_repeated


def test_the_first_reason_to_stop_stays(batches):
    batches.begin(Batch("b", "now", 1), [])
    batches.stop("b", "one")
    batches.stop("b", "two")
    assert batches.find("b").why_over == "one"


# How far they are


def test_the_entries_of_many_requests_cost_two_calls_for_a_hundred_and_what_has_ended_none(
    table, history, begin, fake
):
    begin("open")
    history.finish(succeeded(begin("ended")))
    progress = Progress(table)
    fake.requests.clear()
    found = progress.of(["open", "ended", "nobody"])
    assert {name: item["state"] for name, item in found.items()} == {
        "open": "BEGUN",
        "ended": "ENDED",
    }
    assert fake.operations == ["BatchGetItem"] * 2 and "answer" not in found["ended"]
    assert (
        progress.of(["ended"])["ended"]["verdict"] == "SUCCEEDED"
        and fake.operations == ["BatchGetItem"] * 2
    )


def test_a_repetition_is_found_in_the_place_of_what_it_repeats(table, begin, failed):
    progress = Progress(table)
    failed("one", may_be_repeated=True)
    ended = progress.of(["one"])["one"]
    assert (ended["state"], ended["cause"]) == ("ENDED", "it crashes")
    # What `ecs-updater watch` shows.
    assert ended["error_message"] == "[ERROR][ecs_service_rollout] FAILED: it crashes"
    begin("one")
    assert progress.of(["one"])["one"]["state"] == "BEGUN"


@pytest.fixture(name="slept")
def _slept(monkeypatch):
    slept = []
    monkeypatch.setattr("ecs_updater.aws.dynamodb.time.sleep", slept.append)
    return slept


def test_what_a_busy_table_left_out_is_asked_for_again_after_a_while(
    table, fake, slept, monkeypatch
):
    for number in "123":
        table.put(Put({"pk": "p", "sk": number}))
    monkeypatch.setattr(memory_dynamodb, "_ANSWER_LIMIT", 0)
    found = table.get_many([("p", number) for number in "123"])
    assert [item["sk"] for item in found] == ["1", "2", "3"]
    assert fake.operations[3:] == ["BatchGetItem"] * 3
    assert len(slept) == 2 and slept[0] < slept[1]


def test_a_table_that_stays_busy_is_trouble_that_may_pass(table, slept, monkeypatch):
    monkeypatch.setattr(memory_dynamodb, "_ANSWER_LIMIT", -1)
    with pytest.raises(LedgerError, match="too busy") as raised:
        table.get_many([("p", "1")])
    assert raised.value.outcome is Outcome.NOT_NOW and sum(slept) < 10
