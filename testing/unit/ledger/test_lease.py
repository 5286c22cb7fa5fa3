"""The lease of a service: one holder at a time, whatever answers get lost, and nobody for ever."""

from contextlib import nullcontext

import pytest
from botocore.exceptions import ReadTimeoutError

from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import Ecs
from ecs_updater.errors import LeaseHeldError, LedgerError
from ecs_updater.ledger.lease import LEASE_SECONDS, SKEW, SORT_KEY, Holder, Leases
from fakes.memory_dynamodb import DENIED, SERVER_ERROR, TABLE, THROTTLED, Clock
from fakes.wire import SERVICE_ARN
from support.ledger import START, message_of

pytest_plugins = ["support.ledger_fixtures"]

FIRST, OTHER = Holder("first", "request-1"), Holder("other", "request-2")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://dynamodb")


def seconds_left(table, lease, clock):
    """For how long the lease in the table is valid. It is this lease."""
    item = table.get(lease.service, SORT_KEY)
    assert (item.get("holder"), item["fence"]) == (lease.holder.id, lease.fence)
    return item["expires_at"] - SKEW - clock()


def test_one_holder_at_a_time_has_a_lease_until_it_releases_it(leases, table, clock, fake):
    first = leases.acquire(SERVICE_ARN, FIRST)
    assert message_of(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER) == (
        f"[ERROR][ecs_service_read] ecs_service_name {SERVICE_ARN} is held by another update "
        "(request_id request-1, "
        "since 2027-01-15T08:00:00.000Z) until 2027-01-15T08:02:00.000Z, try again"
    )
    assert not leases.release(SERVICE_ARN, OTHER) and seconds_left(table, first, clock) > 0
    assert leases.acquire(SERVICE_ARN + "2", OTHER).holder == OTHER
    assert leases.release(SERVICE_ARN, FIRST) and not leases.release(SERVICE_ARN, FIRST)
    assert leases.acquire(SERVICE_ARN, OTHER).fence == first.fence + 1
    calls = [name for name in fake.operations if name != "GetItem"]
    assert calls == ["UpdateItem"] * 7 and clock.slept == []


def test_a_lease_is_free_after_it_expired_and_its_holder_stops_earlier(leases, table, clock):
    """Earlier by as much as two clocks may differ."""
    first = leases.acquire(SERVICE_ARN, FIRST)
    assert first.margin() == seconds_left(table, first, clock) == LEASE_SECONDS - SKEW
    clock.now = first.expires_at - SKEW
    assert first.margin() == 0
    clock.now = first.expires_at
    message_of(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)
    clock.now += 0.001
    later = leases.acquire(SERVICE_ARN, OTHER)
    assert later.fence == first.fence + 1
    assert not leases.release(SERVICE_ARN, FIRST) and seconds_left(table, later, clock) > 0


@pytest.mark.parametrize("seconds", [100, 1000], ids=["held", "expired"])
def test_a_renewed_lease_lasts_its_full_time_from_then(leases, table, clock, seconds):
    lease = leases.acquire(SERVICE_ARN, FIRST)
    clock.now += seconds
    leases.renew(lease)
    assert seconds_left(table, lease, clock) == lease.margin() == LEASE_SECONDS - SKEW
    clock.now += 100
    message_of(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)


@pytest.mark.parametrize("cause", ["taken", "released", "deleted"])
def test_a_lost_lease_cannot_be_renewed(leases, fake, clock, cause):
    lease = leases.acquire(SERVICE_ARN, FIRST)
    clock.now += 300
    lose = {
        "taken": lambda: leases.acquire(SERVICE_ARN, OTHER),
        "released": lambda: leases.release(SERVICE_ARN, FIRST),
        "deleted": lambda: fake.delete(SERVICE_ARN, "LEASE"),
    }
    lose[cause]()
    reason = "its lease is gone"
    if cause == "taken":
        reason = (
            "another update (request_id request-2, since 2027-01-15T08:05:00.000Z) has taken it"
        )
    for step in (lambda: leases.renew(lease), lease.keep, lambda: lease.confirm(1)):
        assert message_of(LeaseHeldError, step) == (
            f"[ERROR][ecs_service_read] ecs_service_name {SERVICE_ARN} is not held by this update "
            f"any more: {reason}, try again"
        )


def test_a_holder_that_takes_its_lease_again_has_only_the_later_one(leases, table, clock):
    """Another attempt of the same request is another holder: the first one may still run."""
    first, second = (leases.acquire(SERVICE_ARN, FIRST) for _ in range(2))
    assert second.fence > first.fence and seconds_left(table, second, clock) > 0
    message_of(LeaseHeldError, leases.renew, first)
    message_of(LeaseHeldError, leases.acquire, SERVICE_ARN, Holder.of(FIRST.request_id))


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
    with leases.held(SERVICE_ARN, FIRST) as lease:
        assert clock() + 3600 < expires() < clock() + 2 * 86_400
        for _ in range(60):
            clock.now += 1800
            lease.keep()
            assert expires() > clock() + 3600, "the TTL would remove a lease that is held"
    clock.now = expires()
    fake.delete(SERVICE_ARN, "LEASE")
    assert clock() - START < 60 * 1800 + 2 * 86_400
    assert others.acquire(SERVICE_ARN, OTHER).fence > lease.fence


# Waiting


def test_a_waiting_holder_gets_an_abandoned_lease_as_soon_as_it_expires(leases, clock):
    expires_at = leases.acquire(SERVICE_ARN, FIRST).expires_at
    lease = leases.acquire(SERVICE_ARN, OTHER, deadline=START + 600)
    assert 0 < clock.now - expires_at <= 0.1 and lease.margin() == LEASE_SECONDS - SKEW


def test_a_wait_ends_at_the_deadline_with_one_last_try(leases, clock, fake):
    leases.acquire(SERVICE_ARN, FIRST)
    message_of(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER, START + 60)
    assert clock.now == START + 60
    assert 60 / 4.5 < len(clock.slept) == len(fake.requests) - 2 < 60


def test_two_waiting_holders_do_not_poll_in_step(leases, table):
    leases.acquire(SERVICE_ARN, FIRST)
    slept = []
    for name in ("second", "third"):
        clock = Clock(START)
        message_of(
            LeaseHeldError,
            Leases(table, clock=clock, sleep=clock.sleep).acquire,
            SERVICE_ARN,
            Holder(name, "r"),
            START + 30,
        )
        slept.append(clock.slept)
    assert slept[0] != slept[1] and len(set(slept[0])) > 3


# Failures of the table


@pytest.mark.parametrize("fault", [TIMED_OUT, SERVER_ERROR], ids=["timed out", "500"])
@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
def test_answers_that_get_lost_do_no_harm(leases, table, clock, fake, fault, after_effect):
    fake.fail("UpdateItem", fault, after_effect=after_effect)
    lease = leases.acquire(SERVICE_ARN, FIRST)
    fake.fail("UpdateItem", fault, after_effect=after_effect)
    leases.renew(lease)
    assert seconds_left(table, lease, clock) == LEASE_SECONDS - SKEW
    fake.fail("UpdateItem", fault, after_effect=after_effect)
    leases.release(SERVICE_ARN, FIRST)
    assert leases.acquire(SERVICE_ARN, OTHER).fence > lease.fence


@pytest.mark.parametrize("failures_of_release", [0, 3])
def test_a_lease_whose_response_was_lost_is_released_or_expires(
    leases, fake, clock, failures_of_release
):
    fake.fail("UpdateItem", *[TIMED_OUT] * 3, after_effect=True)
    fake.fail("UpdateItem", *[TIMED_OUT] * failures_of_release)
    assert message_of(LedgerError, leases.acquire, SERVICE_ARN, FIRST).startswith(
        f"[ERROR][ecs_service_read] UpdateItem failed on the table {TABLE} of the "
        "function's LEDGER_TABLE: "
    )
    if failures_of_release:
        message_of(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)
        clock.now += LEASE_SECONDS + 1
    assert leases.acquire(SERVICE_ARN, OTHER).holder == OTHER


def test_a_waiting_holder_outlasts_throttles_too(leases, fake, clock):
    fake.fail("UpdateItem", *[THROTTLED] * 7)
    assert leases.acquire(SERVICE_ARN, FIRST, deadline=START + 60).holder == FIRST
    assert len(clock.slept) == 2


def test_a_table_without_permission_ends_the_wait_at_once(leases, fake, clock):
    fake.fail("UpdateItem", DENIED)
    assert message_of(LedgerError, leases.acquire, SERVICE_ARN, FIRST, START + 60) == (
        "[ERROR][ecs_service_read] the function's role may not do UpdateItem on the table "
        f"{TABLE} of its LEDGER_TABLE: "
        "AccessDeniedException: User: arn:aws:sts::1:x is not authorized to "
        "perform: dynamodb:UpdateItem"
    )
    assert clock.slept == [] and len(fake.requests) == 1


# While it is held


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_a_lease_is_held_until_the_end_and_released_also_after_an_error(leases, error):
    expected = pytest.raises(error) if error else nullcontext()
    with expected, leases.held(SERVICE_ARN, FIRST) as lease:
        message_of(LeaseHeldError, leases.acquire, SERVICE_ARN, OTHER)
        assert lease.holder == FIRST
        if error:
            raise error
    assert leases.acquire(SERVICE_ARN, OTHER) and lease.not_released is None


def test_a_lease_that_cannot_be_renewed_or_released_names_the_cause(leases, fake):
    with leases.held(SERVICE_ARN, FIRST) as lease:
        fake.fail("UpdateItem", *[SERVER_ERROR] * 6)
        assert "UpdateItem failed on the table" in message_of(LedgerError, leases.renew, lease)
    assert "InternalServerError" in str(lease.not_released)


def test_a_write_is_confirmed_with_the_full_time_and_may_not_take_longer(leases, table, clock):
    with leases.held(SERVICE_ARN, FIRST) as lease:
        clock.now += LEASE_SECONDS - SKEW
        lease.confirm(LEASE_SECONDS - SKEW)
        assert seconds_left(table, lease, clock) == LEASE_SECONDS - SKEW
        message = message_of(LedgerError, lease.confirm, LEASE_SECONDS - SKEW + 1)
    assert message.endswith(
        f"the lease of {SERVICE_ARN} lasts for 115 s, the next write may take 116 s"
    )


def test_a_wait_keeps_its_lease_with_a_call_a_minute(leases, clock, fake):
    with leases.held(SERVICE_ARN, FIRST) as lease:
        before = len(fake.requests)
        for _ in range(200):
            clock.now += 3
            lease.keep()
            assert lease.margin() > LEASE_SECONDS / 2 - SKEW
        assert 600 / LEASE_SECONDS < len(fake.requests) - before <= 600 / (LEASE_SECONDS / 2 - SKEW)


# What it costs, and how long that takes


def longest(config):
    """The most seconds that one call of a client with this configuration takes, its retries
    included. Before retry number i the SDK waits at most 2^i seconds, and 5 more if the response
    requests it.
    """
    attempts = config.retries["total_max_attempts"]
    return attempts * (config.connect_timeout + config.read_timeout) + sum(
        2**i + 5 for i in range(attempts - 1)
    )


def test_every_call_ends_well_inside_a_lease():
    """One that confirms the lease, then the longest write to ECS: all of it while nobody else can
    have it.
    """
    own = longest(Table(TABLE)._client.meta.config)  # pylint: disable=protected-access
    ecs = longest(Ecs()._client.meta.config)  # pylint: disable=protected-access
    assert own + ecs + SKEW < LEASE_SECONDS
    # Renewed at half its time, it outlasts a slow renewal.
    assert own < LEASE_SECONDS / 2 - SKEW
