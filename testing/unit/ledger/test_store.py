"""The history: each request is begun once, only its owner writes it, nobody has to guess what
became of it.
"""

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ecs_updater.errors import LeaseHeldError, LedgerError
from ecs_updater.ledger.lease import Holder, Leases
from ecs_updater.ledger.store import RETENTION_DAYS
from fakes.fake_ecs import FAMILY_ARN, SERVICE_ARN
from support.ledger import ANSWER, intent, refused, succeeded

pytest_plugins = ["support.ledger_fixtures"]


# Beginning


def test_a_request_whose_entry_is_forgotten_is_begun_anew(history, begin, fake):
    first = begin()
    fake.delete(SERVICE_ARN, f"UPDATE#{first.number:015d}")
    assert history.find("request-1") is None
    assert history.unfinished() == [] and [key for key in fake.items if key[0] == "OPEN"] == []
    second = begin()
    assert history.find("request-1") == second and second.number > first.number


def test_one_request_is_begun_once_whatever_service_it_names(history, begin, lease):
    first = begin()
    second = history.begin(intent(lease(service=SERVICE_ARN + "2")))
    assert not second.is_new and second.entry == first and history.latest(SERVICE_ARN + "2") == []


def test_of_fifty_that_begin_one_request_at_once_one_wins(history, lease):
    entries = [intent(lease(service=f"{SERVICE_ARN}{index}")) for index in range(50)]
    begun, together = [], threading.Barrier(50)

    def begin(entry):
        together.wait()
        begun.append(history.begin(entry))

    threads = [threading.Thread(target=begin, args=(entry,)) for entry in entries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [one.entry for one in begun if one.is_new]
    assert [one.entry for one in begun] == [won] * 50
    assert history.unfinished() == [won]


def test_two_updates_under_one_lease_are_a_defect(history, lease):
    entry = intent(lease())
    history.begin(entry)
    with pytest.raises(ValueError, match="one lease is for one update"):
        history.begin(replace(entry, request_id="request-2"))


# Going on


def test_a_step_back_is_refused(history, begin):
    entry = begin()
    history.advance(entry.deployed("ecs-svc/2"))
    message = refused(LedgerError, history.advance, entry.registered("arn:2"))
    assert message.endswith(
        "the update of request_id request-1 is DEPLOYED already, it cannot become REGISTERED"
    )
    assert history.find("request-1").deployment_id == "ecs-svc/2"


def test_an_entry_that_is_gone_is_told(history, begin, fake):
    entry = begin()
    fake.clear()
    for call in (history.advance, lambda entry: history.finish(succeeded(entry))):
        assert "the update of request_id request-1 is gone from the table" in refused(
            LedgerError, call, entry
        )
    assert fake.items == {}


# Ending


def test_what_has_ended_stays_as_it_is(history, begin):
    entry = history.advance(begin().deployed("ecs-svc/2"))
    ended = history.finish(entry.answered("SUCCEEDED", "", ANSWER))
    message = refused(LeaseHeldError, history.finish, entry.answered("FAILED", "late", ANSWER))
    assert message.endswith(
        f"{SERVICE_ARN}: the update of request_id request-1 has been ended, try again"
    )
    refused(LeaseHeldError, history.advance, entry.deployed("ecs-svc/9"))
    assert history.find("request-1") == ended


def test_the_last_success_is_that_of_the_last_update_that_succeeded(history, begin):
    history.finish(succeeded(begin("request-1")))
    second = history.finish(succeeded(begin("request-2")))
    history.finish(begin("request-3").registered("arn:9").answered("FAILED", "", ANSWER))
    begin("request-4")
    success = history.last_success(SERVICE_ARN)
    assert (success.request_id, success.number, success.ended_at) == (
        "request-2",
        second.number,
        second.ended_at,
    )
    assert (success.task_definition_arn, success.deployment_id) == (f"{FAMILY_ARN}:2", "ecs-svc/2")
    assert (success.images, success.tags) == ({"app": "busybox:1.36"}, {"new": "tag"})
    assert history.last_success(SERVICE_ARN + "2") is None


def test_an_earlier_update_that_is_ended_late_is_not_the_last_success(history, begin, table):
    first, second = begin("request-1"), begin("request-2")
    history.finish(succeeded(second))
    table.calls.clear()
    history.finish(succeeded(first))
    assert table.calls == {"TransactWriteItems": 2}
    assert history.last_success(SERVICE_ARN).request_id == "request-2"
    assert history.find("request-1").verdict == "SUCCEEDED" and history.unfinished() == []


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
        (SERVICE_ARN, f"UPDATE#{ended.number:015d}"): int(clock()) + keep,
    }
    assert {"LEASE", "LAST_SUCCESS"} <= {sk for _, sk in fake.items}


# Finding what was begun


def test_the_next_update_finds_what_a_dead_one_began_and_takes_it_over(history, begin, lease):
    dead = history.advance(begin("request-1").registered("arn:2"))
    later = lease("request-2")
    (found,) = history.unfinished(SERVICE_ARN)
    taken = history.take_over(found, later)
    assert (
        taken
        == replace(dead, owner=later.holder.id, fence=later.fence)
        == history.find("request-1")
    )
    assert history.finish(taken.answered("FAILED", "undone", ANSWER)) == history.find("request-1")


def test_who_lost_an_entry_cannot_write_it_any_more(history, begin, lease):
    mine = history.advance(begin("request-1").registered("arn:2"))
    taken = history.take_over(mine, lease("request-2"))
    for call in (
        lambda: history.advance(mine.deployed("ecs-svc/2")),
        lambda: history.finish(succeeded(mine)),
        lambda: history.take_over(
            mine, SimpleNamespace(fence=mine.fence, holder=Holder(mine.owner, "request-1"))
        ),
    ):
        message = refused(LeaseHeldError, call)
        assert message.endswith(
            "the update of request_id request-1 has been taken over by a later one, try again"
        )
    assert history.find("request-1") == taken


def test_open_updates_of_services_whose_names_begin_alike_are_not_mixed_up(history, begin):
    one, other = begin("request-1"), begin("request-2", service=SERVICE_ARN + "2")
    assert history.unfinished(SERVICE_ARN) == [one] and history.unfinished(SERVICE_ARN + "2") == [
        other
    ]
    assert history.unfinished() == [one, other]


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
