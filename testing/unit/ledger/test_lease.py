"""The lease of a service: one holder at a time, whatever answers get lost, and nobody for ever."""

import threading
from itertools import pairwise

import pytest
from botocore.exceptions import ReadTimeoutError

from ecs_updater.aws.dynamodb import LONGEST_CALL, Table
from ecs_updater.aws.ecs import Ecs
from ecs_updater.errors import LeaseHeldError, LedgerError
from ecs_updater.ledger.lease import LEASE_SECONDS, SKEW, SORT_KEY, Holder, Leases
from fakes.fake_ecs import SERVICE_ARN
from fakes.memory_dynamodb import CONFLICT, DENIED, SERVER_ERROR, TABLE, THROTTLED, Clock
from support.ledger import START, refused

pytest_plugins = ["support.ledger_fixtures"]

ONE, OTHER = Holder("one", "request-1"), Holder("other", "request-2")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://dynamodb")


def seconds_left(table, lease, clock):
    """For how long the lease in the table is valid. It is this lease."""
    item = table.get(lease.service, SORT_KEY)
    assert (item.get("holder"), item["fence"]) == (lease.holder.id, lease.fence)
    return item["expires_at"] - SKEW - clock()


def test_a_lease_that_one_has_no_other_gets(leases):
    leases.acquire(SERVICE_ARN, ONE)
    assert refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER) == (
        f"[ERROR][ecs_service_read] ecs_service_name {SERVICE_ARN} is held by another update "
        "(request_id request-1, "
        "since 2027-01-15T08:00:00.000Z) until 2027-01-15T08:02:00.000Z, try again"
    )


def test_leases_of_two_services_have_nothing_to_do_with_each_other(leases):
    leases.acquire(SERVICE_ARN, ONE)
    assert leases.acquire(SERVICE_ARN + "2", OTHER).holder == OTHER


def test_a_lease_given_back_is_free_and_the_fence_goes_on(leases):
    first = leases.acquire(SERVICE_ARN, ONE)
    assert leases.release(SERVICE_ARN, ONE)
    assert leases.acquire(SERVICE_ARN, OTHER).fence == first.fence + 1


def test_only_the_holder_gives_a_lease_back_and_twice_is_harmless(leases, table, clock):
    lease = leases.acquire(SERVICE_ARN, ONE)
    assert not leases.release(SERVICE_ARN, OTHER)
    assert seconds_left(table, lease, clock) > 0
    assert leases.release(SERVICE_ARN, ONE) and not leases.release(SERVICE_ARN, ONE)


def test_nobody_gives_back_what_somebody_else_has_by_now(leases, table, clock):
    leases.acquire(SERVICE_ARN, ONE)
    clock.now += LEASE_SECONDS + 1
    later = leases.acquire(SERVICE_ARN, OTHER)
    assert not leases.release(SERVICE_ARN, ONE)
    assert seconds_left(table, later, clock) > 0


def test_a_lease_is_free_when_it_has_expired_and_no_sooner(leases, clock):
    first = leases.acquire(SERVICE_ARN, ONE)
    clock.now = first.expires_at
    refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)
    clock.now += 0.001
    assert leases.acquire(SERVICE_ARN, OTHER).fence == first.fence + 1


def test_its_holder_counts_a_lease_as_over_before_anybody_else_takes_it(leases, table, clock):
    """By as much as two clocks may differ."""
    lease = leases.acquire(SERVICE_ARN, ONE)
    assert lease.margin() == seconds_left(table, lease, clock) == LEASE_SECONDS - SKEW
    clock.now = lease.expires_at - SKEW
    assert lease.margin() == 0
    refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)


def test_a_renewed_lease_lasts_its_full_time_from_then(leases, table, clock):
    lease = leases.acquire(SERVICE_ARN, ONE)
    clock.now += 100
    leases.renew(lease)
    assert seconds_left(table, lease, clock) == lease.margin() == LEASE_SECONDS - SKEW
    clock.now += 100
    refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)


def test_an_expired_lease_that_nobody_took_can_be_renewed(leases, clock):
    lease = leases.acquire(SERVICE_ARN, ONE)
    clock.now += 1000
    leases.renew(lease)
    assert lease.margin() == LEASE_SECONDS - SKEW


def test_a_lease_that_another_took_is_noticed(leases, clock):
    lease = leases.acquire(SERVICE_ARN, ONE)
    clock.now += 300
    leases.acquire(SERVICE_ARN, OTHER)
    assert refused(LeaseHeldError, leases.renew, lease) == (
        f"[ERROR][ecs_service_read] ecs_service_name {SERVICE_ARN} is not held by this update "
        "any more: another update "
        "(request_id request-2, since 2027-01-15T08:05:00.000Z) has taken it, try again"
    )


@pytest.mark.parametrize("gone", ["released", "deleted"])
def test_a_lease_that_is_gone_is_noticed(leases, fake, gone):
    lease = leases.acquire(SERVICE_ARN, ONE)
    if gone == "released":
        leases.release(SERVICE_ARN, ONE)
    else:
        fake.delete(SERVICE_ARN, "LEASE")
    assert "not held by this update any more: its lease is gone, try again" in refused(
        LeaseHeldError, leases.renew, lease
    )


def test_a_holder_who_takes_its_lease_again_has_only_the_later_one(leases, table, clock):
    first = leases.acquire(SERVICE_ARN, ONE)
    second = leases.acquire(SERVICE_ARN, ONE)
    assert second.fence > first.fence and seconds_left(table, second, clock) > 0
    refused(LeaseHeldError, leases.renew, first)


def test_the_fence_grows_also_when_somebody_deleted_the_item(leases, fake, clock):
    fences = []
    for index in range(6):
        fences.append(leases.acquire(SERVICE_ARN, Holder(f"holder-{index}", "r")).fence)
        leases.release(SERVICE_ARN, Holder(f"holder-{index}", "r"))
        clock.now += 1
        if index % 2:
            fake.delete(SERVICE_ARN, "LEASE")
    assert all(one < next_one for one, next_one in pairwise(fences))


@pytest.mark.parametrize("skew", [-300, 300])
def test_a_lease_is_forgotten_a_day_after_its_end_and_the_fence_goes_on_with_any_clock(
    table, fake, clock, skew
):
    def expires():
        return int(fake.items[SERVICE_ARN, "LEASE"]["expires"]["N"])

    leases, others = (
        Leases(table, seconds=3600, clock=lambda ahead=ahead: clock() + ahead)
        for ahead in (-skew, skew)
    )
    with leases.held(SERVICE_ARN, ONE) as lease:
        assert clock() + 3600 < expires() < clock() + 2 * 86_400
        for _ in range(60):
            clock.now += 1800
            lease.keep()
            assert expires() > clock() + 3600, "the TTL would remove a lease that is held"
    clock.now = expires()
    fake.delete(SERVICE_ARN, "LEASE")
    assert clock() - START < 60 * 1800 + 2 * 86_400
    assert others.acquire(SERVICE_ARN, OTHER).fence > lease.fence


def test_two_attempts_of_one_request_are_two_holders(leases):
    """Or a retry would write while the first attempt still runs."""
    one, other = Holder.of("request-1"), Holder.of("request-1")
    leases.acquire(SERVICE_ARN, one)
    assert "request-1" in refused(LeaseHeldError, leases.acquire, SERVICE_ARN, other)


# Waiting


def test_who_waits_gets_the_lease_when_it_is_given_back(leases, clock):
    leases.acquire(SERVICE_ARN, ONE)
    ordinary_sleep = clock.sleep

    def sleep(seconds):
        ordinary_sleep(seconds)
        if clock.now > START + 10:
            leases.release(SERVICE_ARN, ONE)

    waiting = Leases(leases._table, clock=clock, sleep=sleep)  # pylint: disable=protected-access
    lease = waiting.acquire(SERVICE_ARN, OTHER, deadline=START + 60)
    assert START + 10 < clock.now < START + 20
    assert lease.margin() == LEASE_SECONDS - SKEW


def test_who_waits_gets_a_dead_holders_lease_as_soon_as_it_expires(leases, clock):
    expires_at = leases.acquire(SERVICE_ARN, ONE).expires_at
    leases.acquire(SERVICE_ARN, OTHER, deadline=START + 600)
    assert 0 < clock.now - expires_at <= 0.1


def test_who_waits_in_vain_ends_at_the_deadline_with_one_last_try(leases, clock, fake):
    leases.acquire(SERVICE_ARN, ONE)
    refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER, START + 60)
    assert clock.now == START + 60
    assert 60 / 4.5 < len(clock.slept) == len(fake.requests) - 2 < 60


def test_those_who_wait_do_not_poll_in_step(leases, table):
    leases.acquire(SERVICE_ARN, ONE)
    slept = []
    for name in ("second", "third"):
        clock = Clock(START)
        refused(
            LeaseHeldError,
            Leases(table, clock=clock, sleep=clock.sleep).acquire,
            SERVICE_ARN,
            Holder(name, "r"),
            START + 30,
        )
        slept.append(clock.slept)
    assert slept[0] != slept[1] and len(set(slept[0])) > 3


def test_without_a_deadline_nobody_waits(leases, clock):
    leases.acquire(SERVICE_ARN, ONE)
    refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)
    assert clock.slept == []


def test_fifty_threads_have_the_lease_one_at_a_time_and_none_goes_without(table, clock):
    inside, most_inside, fences, refused_ones = [], [], [], set()
    turn = threading.Condition()
    everybody_was_refused = threading.Event()

    def sleep(_):
        with turn:
            refused_ones.add(threading.get_ident())
            if len(refused_ones) == 50:
                everybody_was_refused.set()
            turn.wait(1)

    leases = Leases(table, clock=clock, sleep=sleep)

    def release(holder):
        assert leases.release(SERVICE_ARN, holder)
        with turn:
            turn.notify(4)

    def update(index):
        holder = Holder(f"holder-{index}", f"request-{index}")
        lease = leases.acquire(SERVICE_ARN, holder, deadline=START + 60)
        inside.append(index)
        leases.renew(lease)  # While others try.
        most_inside.append(len(inside))
        fences.append(lease.fence)
        inside.remove(index)
        release(holder)

    first = leases.acquire(SERVICE_ARN, ONE).fence
    threads = [threading.Thread(target=update, args=(index,)) for index in range(50)]
    for thread in threads:
        thread.start()
    assert everybody_was_refused.wait(timeout=600)
    release(ONE)
    for thread in threads:
        thread.join()
    assert most_inside == [1] * 50
    assert fences == list(range(first + 1, first + 51))


# Failures of the table


@pytest.mark.parametrize("fault", [TIMED_OUT, SERVER_ERROR], ids=["timed out", "500"])
@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
def test_answers_that_get_lost_do_no_harm(leases, table, clock, fake, fault, after_effect):
    fake.fail("UpdateItem", fault, after_effect=after_effect)
    lease = leases.acquire(SERVICE_ARN, ONE)
    fake.fail("UpdateItem", fault, after_effect=after_effect)
    leases.renew(lease)
    assert seconds_left(table, lease, clock) == LEASE_SECONDS - SKEW
    fake.fail("UpdateItem", fault, after_effect=after_effect)
    leases.release(SERVICE_ARN, ONE)
    assert leases.acquire(SERVICE_ARN, OTHER).fence > lease.fence


def test_a_lease_that_was_taken_without_anybody_knowing_is_given_back(leases, fake):
    fake.fail("UpdateItem", TIMED_OUT, TIMED_OUT, TIMED_OUT, after_effect=True)
    message = refused(LedgerError, leases.acquire, SERVICE_ARN, ONE)
    assert message.startswith(
        f"[ERROR][ecs_service_read] UpdateItem failed on the table {TABLE} of the "
        "function's LEDGER_TABLE: "
    )
    assert leases.acquire(SERVICE_ARN, OTHER).holder == OTHER


def test_where_that_fails_too_the_lease_expires(leases, fake, clock):
    fake.fail("UpdateItem", *[TIMED_OUT] * 3, after_effect=True)
    fake.fail("UpdateItem", *[TIMED_OUT] * 3)
    refused(LedgerError, leases.acquire, SERVICE_ARN, ONE)
    refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)
    clock.now += LEASE_SECONDS + 1
    assert leases.acquire(SERVICE_ARN, OTHER).holder == OTHER


@pytest.mark.parametrize(
    "fault", [THROTTLED, CONFLICT], ids=["throttled", "in another's transaction"]
)
def test_a_call_that_is_refused_for_a_moment_is_repeated(leases, fake, waits, fault):
    fake.fail("UpdateItem", fault, fault)
    leases.acquire(SERVICE_ARN, ONE)
    assert fake.operations == ["UpdateItem"] * 3 and len(waits) == 2 and min(waits) >= 0


def test_who_waits_outlasts_throttles_too(leases, fake, clock):
    fake.fail("UpdateItem", *[THROTTLED] * 7)
    assert leases.acquire(SERVICE_ARN, ONE, deadline=START + 60).holder == ONE
    assert len(clock.slept) == 2


def test_a_table_that_may_not_be_used_is_told_at_once(leases, fake, clock):
    fake.fail("UpdateItem", DENIED)
    message = refused(LedgerError, leases.acquire, SERVICE_ARN, ONE, START + 60)
    assert message == (
        "[ERROR][ecs_service_read] the function's role may not do UpdateItem on the table "
        f"{TABLE} of its LEDGER_TABLE: "
        "AccessDeniedException: User: arn:aws:sts::1:x is not authorized to "
        "perform: dynamodb:UpdateItem"
    )
    assert clock.slept == [] and len(fake.requests) == 1


def test_a_table_that_is_not_there_is_told_with_the_setting_that_names_it(fake):
    leases = Leases(Table("elsewhere", fake.client()))
    for call in (
        lambda: leases.acquire(SERVICE_ARN, ONE),
        lambda: leases.release(SERVICE_ARN, ONE),
    ):
        assert refused(LedgerError, call) == (
            "[ERROR][ecs_service_read] the table elsewhere of the function's LEDGER_TABLE does not "
            "exist in this account and region: create it, or leave LEDGER_TABLE empty to work "
            "without lease and history"
        )


def test_a_lease_that_cannot_be_renewed_is_not_counted_as_held(leases, fake):
    lease = leases.acquire(SERVICE_ARN, ONE)
    fake.fail("UpdateItem", *[SERVER_ERROR] * 3)
    assert "UpdateItem failed on the table" in refused(LedgerError, leases.renew, lease)


# While it is held


def test_who_holds_a_lease_has_it_until_the_end_and_gives_it_back(leases):
    with leases.held(SERVICE_ARN, ONE) as lease:
        refused(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)
        assert lease.holder == ONE
    assert leases.acquire(SERVICE_ARN, OTHER) and lease.not_released is None


def test_an_error_gives_the_lease_back_too(leases):
    with pytest.raises(ZeroDivisionError), leases.held(SERVICE_ARN, ONE):
        raise ZeroDivisionError
    assert leases.acquire(SERVICE_ARN, OTHER)


def test_a_lease_that_cannot_be_given_back_spoils_nothing(leases, fake):
    with leases.held(SERVICE_ARN, ONE) as lease:
        fake.fail("UpdateItem", *[SERVER_ERROR] * 3)
    assert "InternalServerError" in str(lease.not_released)


def test_before_each_write_the_lease_is_confirmed_with_its_full_time(leases, table, clock):
    with leases.held(SERVICE_ARN, ONE) as lease:
        clock.now += LEASE_SECONDS - SKEW
        lease.confirm(LEASE_SECONDS - SKEW)
        assert seconds_left(table, lease, clock) == LEASE_SECONDS - SKEW


def test_nothing_is_written_under_a_lease_that_another_took(leases, clock):
    with leases.held(SERVICE_ARN, ONE) as lease:
        clock.now += LEASE_SECONDS + 1
        with leases.held(SERVICE_ARN, OTHER):
            refused(LeaseHeldError, lease.confirm, 1)
            refused(LeaseHeldError, lease.keep)


def test_nothing_is_written_that_may_take_longer_than_the_lease_lasts(leases):
    with leases.held(SERVICE_ARN, ONE) as lease:
        message = refused(LedgerError, lease.confirm, LEASE_SECONDS - SKEW + 1)
    assert message.endswith(
        f"the lease of {SERVICE_ARN} lasts for 115 s, the next write may take 116 s"
    )


def test_a_wait_keeps_its_lease_with_a_call_a_minute(leases, clock, fake):
    with leases.held(SERVICE_ARN, ONE) as lease:
        before = len(fake.requests)
        for _ in range(200):
            clock.now += 3
            lease.keep()
            assert lease.margin() > LEASE_SECONDS / 2 - SKEW
        assert 600 / LEASE_SECONDS < len(fake.requests) - before <= 600 / (LEASE_SECONDS / 2 - SKEW)


# What it costs, and how long that takes


def test_each_step_is_one_call(leases, table):
    lease = leases.acquire(SERVICE_ARN, ONE)
    spent = [dict(table.calls)]
    for step in (
        lambda: leases.renew(lease),
        lambda: leases.release(SERVICE_ARN, ONE),
    ):
        table.calls.clear()
        step()
        spent.append(dict(table.calls))
    assert spent == [{"UpdateItem": 1}] * 3


def longest(config):
    """The most seconds that one call of a client with this configuration takes, its retries
    included.
    """
    attempts = config.retries["total_max_attempts"]
    return attempts * (config.connect_timeout + config.read_timeout) + sum(
        2**i + 5 for i in range(attempts - 1)
    )


def test_every_call_ends_well_inside_a_lease():
    """One that confirms the lease, then the longest write to ECS: all of it while nobody else can
    have it.
    """
    own = Table(TABLE)._client.meta.config  # pylint: disable=protected-access
    ecs = Ecs()._client.meta.config  # pylint: disable=protected-access
    assert longest(own) == LONGEST_CALL
    assert LONGEST_CALL + longest(ecs) + SKEW < LEASE_SECONDS
    # Renewed at half its time, it outlasts a slow renewal.
    assert LEASE_SECONDS / 2 - SKEW > LONGEST_CALL
