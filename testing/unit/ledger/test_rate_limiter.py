"""The rate limiter of all users of a ledger: no faster than ECS's buckets, and fair."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_updater.errors import LedgerError
from ecs_updater.ledger.rate_limiter import SharedRateLimiter
from ecs_updater.throttling import RATES, REGISTER, UPDATE, Rate, parse_rates
from fakes.ecs_buckets import Buckets
from fakes.memory_dynamodb import THROTTLED

pytest_plugins = ["support.ledger_fixtures"]

FOREVER = 1e6


@pytest.fixture(name="limiter")
def _limiter(table, clock):
    return SharedRateLimiter(table, RATES, clock=clock, sleep=clock.sleep)


def test_a_full_bucket_lets_all_but_one_of_its_burst_go_at_once(limiter, clock):
    for _ in range(19):
        assert limiter.take(REGISTER, 1, FOREVER)
    assert clock.slept == []
    assert limiter.take(REGISTER, 1, FOREVER)
    assert clock.slept == [pytest.approx(1 / 0.98)]


@pytest.mark.parametrize("latency", [(0.0,), (0.0, 0.4, -0.4)], ids=["exact", "late or early"])
def test_ecs_throttles_no_call_and_loses_hardly_a_token(limiter, clock, latency):
    ecs, begin = Buckets(), clock()
    for number in range(100):
        limiter.take(REGISTER, 1, FOREVER)
        assert ecs.take("RegisterTaskDefinition", clock() + latency[number % len(latency)])
    assert 80 <= clock() - begin <= 83


def test_a_target_has_buckets_of_its_own_and_home_keeps_its_keys(limiter, clock, fake):
    target = "arn:aws:ecs:eu-central-1:222222222222:"
    for prefix in ("", target):
        assert limiter.take(REGISTER, 19, 0.0, prefix)
        assert not limiter.take(REGISTER, 19, 0.0, prefix)
    assert clock.slept == []
    assert set(fake.items) == {("PACE", REGISTER), ("PACE", f"{target}{REGISTER}")}


def test_no_token_is_taken_by_who_cannot_wait_so_long(limiter, clock, fake):
    limiter.take(REGISTER, 19, FOREVER)
    assert not limiter.take(REGISTER, 5, 4.0)
    assert not limiter.take(REGISTER, 40, 4.0)
    assert clock.slept == []
    assert limiter.take(REGISTER, 3, 4.0)
    assert sum(operation == "UpdateItem" for operation in fake.operations) == 2 + 1 + 0 + 1


def test_many_at_once_get_a_token_each_and_none_twice(table, clock):
    waits = []
    with ThreadPoolExecutor(40) as pool:
        for _ in range(40):
            limiter = SharedRateLimiter(table, RATES, clock=clock, sleep=waits.append)
            pool.submit(limiter.take, REGISTER, 1, FOREVER)
    assert sorted(waits) == pytest.approx([number / 0.98 for number in range(1, 22)])


def test_a_table_that_cannot_be_used_is_the_ledgers_one_error(limiter, fake):
    fake.fail("UpdateItem", *[THROTTLED] * 3)
    with pytest.raises(LedgerError, match="LEDGER_TABLE"):
        limiter.take(REGISTER, 1, FOREVER)


def test_rates_are_those_of_ecs_unless_said_otherwise():
    assert parse_rates("") == dict(RATES)
    changed = parse_rates(" RegisterTaskDefinition=40/2.5, UpdateService=10/1")
    assert (changed[REGISTER], changed[UPDATE]) == (Rate(40, 2.5), Rate(10, 1))
    assert changed.keys() == RATES.keys()


@pytest.mark.parametrize(
    "text, sentence",
    [
        (
            "RegisterTaskDefinition",
            "'RegisterTaskDefinition' is not a valid rate: write a burst and calls per second",
        ),
        ("RegisterTaskDefinition=20/0", "is not a valid rate"),
        ("RegisterTaskDefinition=0/1", "is not a valid rate"),
        ("RegisterTaskDefinition=-1/1", "is not a valid rate"),
        ("RunTask=20/1", "'RunTask' has no rate of its own: write one of RegisterTaskDefinition, "),
    ],
)
def test_a_wrong_rate_is_said(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_rates(text)
