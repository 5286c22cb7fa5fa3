"""The history: each request is begun once, only its owner writes it, and its outcome is stored."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ecs_updater.errors import LeaseHeldError, LedgerError
from ecs_updater.ledger.entry import Success
from ecs_updater.ledger.lease import Holder, Leases
from ecs_updater.ledger.store import RETENTION_DAYS
from fakes.wire import FAMILY_ARN, SERVICE_ARN
from support.ledger import ANSWER, intent, message_of, succeeded

pytest_plugins = ["support.ledger_fixtures"]


# Beginning


def test_a_request_without_its_entry_is_begun_again(history, begin, fake):
    first = begin()
    fake.delete(SERVICE_ARN, f"UPDATE#{first.number:015d}")
    assert history.find("request-1") is None
    assert history.unfinished() == [] and [key for key in fake.items if key[0] == "OPEN"] == []
    second = begin()
    assert history.find("request-1") == second and second.number > first.number


def test_two_updates_under_one_lease_are_a_defect(history, lease):
    entry = intent(lease())
    history.begin(entry)
    with pytest.raises(ValueError, match="one lease is for one update"):
        history.begin(replace(entry, request_id="request-2"))


# Going on


def test_a_step_back_is_refused(history, begin):
    entry = begin()
    history.advance(entry.deployed("ecs-svc/2"))
    assert message_of(LedgerError, history.advance, entry.registered("arn:2")).endswith(
        "the update of request_id request-1 is DEPLOYED already, it cannot become REGISTERED"
    )
    assert history.find("request-1").deployment_id == "ecs-svc/2"


def test_a_deleted_entry_is_an_error(history, begin, fake):
    entry = begin()
    fake.clear()
    for call in (history.advance, lambda entry: history.finish(succeeded(entry))):
        assert "the update of request_id request-1 is gone from the table" in message_of(
            LedgerError, call, entry
        )
    assert fake.items == {}


# Ending


def test_an_ended_entry_stays(history, begin):
    entry = history.advance(begin().deployed("ecs-svc/2"))
    ended = history.finish(entry.answered("SUCCEEDED", "", ANSWER))
    for call, changed in (
        (history.finish, entry.answered("FAILED", "late", ANSWER)),
        (history.advance, entry.deployed("ecs-svc/9")),
    ):
        assert message_of(LeaseHeldError, call, changed).endswith(
            f"{SERVICE_ARN}: the update of request_id request-1 has been ended, try again"
        )
    assert history.find("request-1") == ended


def test_the_last_success_is_that_of_the_last_update_that_succeeded(history, begin, table):
    """Also when an earlier update ends later."""
    first, second = begin("request-1"), history.finish(succeeded(begin("request-2")))
    history.finish(begin("request-3").registered("arn:9").answered("FAILED", "", ANSWER))
    begin("request-4")
    table.calls.clear()
    assert history.finish(succeeded(first)) == history.find("request-1")
    assert table.calls["TransactWriteItems"] == 2
    assert history.last_success(SERVICE_ARN) == Success(
        service=SERVICE_ARN,
        number=second.number,
        request_id="request-2",
        task_definition_arn=f"{FAMILY_ARN}:2",
        images={"app": "busybox:1.36"},
        tags={"new": "tag"},
        deployment_id="ecs-svc/2",
        ended_at=second.ended_at,
    )
    assert history.last_success(SERVICE_ARN + "2") is None


def test_an_entry_and_its_request_are_forgotten_together_after_its_end_and_nothing_else(
    history, begin, clock, fake
):
    begin("request-2")
    ended = begin("request-1")
    clock.now += 60
    history.finish(succeeded(ended))
    expires = {
        key: int(item["expires"]["N"]) for key, item in fake.items.items() if "expires" in item
    }
    keep = RETENTION_DAYS * 86_400
    assert expires.pop((SERVICE_ARN, "LEASE")) < int(clock()) + keep
    assert expires == {
        ("REQUEST#request-1", "REQUEST"): int(clock()) + keep,
        ("NOTIFY", f"{SERVICE_ARN}#{ended.number:015d}"): int(clock()) + keep,
        (SERVICE_ARN, f"UPDATE#{ended.number:015d}"): int(clock()) + keep,
    }
    assert {"LEASE", "LAST_SUCCESS"} <= {sk for _, sk in fake.items}


# Finding what was begun


def test_the_next_update_takes_over_an_interrupted_one(history, begin, lease):
    """The earlier owner cannot write the entry any more."""
    mine, later = history.advance(begin("request-1").registered("arn:2")), lease("request-2")
    (found,) = history.unfinished(SERVICE_ARN)
    taken = history.take_over(found, later)
    assert taken == replace(mine, owner=later.holder.id, fence=later.fence)
    own = SimpleNamespace(fence=mine.fence, holder=Holder(mine.owner, "request-1"))
    for call in (
        lambda: history.advance(mine.deployed("ecs-svc/2")),
        lambda: history.finish(succeeded(mine)),
        lambda: history.take_over(mine, own),
    ):
        assert message_of(LeaseHeldError, call).endswith(
            "the update of request_id request-1 has been taken over by a later one, try again"
        )
    assert history.find("request-1") == taken
    assert history.finish(taken.answered("FAILED", "undone", ANSWER)) == history.find("request-1")


def test_open_updates_of_services_with_similar_names_stay_apart(history, begin):
    services = (SERVICE_ARN, SERVICE_ARN + "2")
    open_updates = [begin(f"request-{service}", service=service) for service in services]
    assert [entry for service in services for entry in history.unfinished(service)] == open_updates
    assert history.unfinished() == open_updates


def test_the_latest_entries_come_first_whatever_the_clock_says(history, table, clock):
    leases, begun = Leases(table, clock=clock), []
    for index in range(5):
        clock.now -= 10
        with leases.held(SERVICE_ARN, Holder.of(f"request-{index}")) as lease:
            begun.append(history.begin(intent(lease)).entry)
    assert history.latest(SERVICE_ARN) == begun[::-1] and history.latest(SERVICE_ARN, most=2) == [
        begun[4],
        begun[3],
    ]
    assert history.unfinished(SERVICE_ARN) == begun
