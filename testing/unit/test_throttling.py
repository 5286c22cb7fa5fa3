"""The token buckets never let more calls through than those of AWS."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_updater.context import Clock
from ecs_updater.throttling import RATES, REGISTER, LocalRateLimiter, TokenBucket


def arrivals(burst, rate, count):
    """Returns when each of so many calls is sent that all want to be sent at the moment 0."""
    slept = []
    bucket = TokenBucket(burst, rate, Clock(now=lambda: 0.0, sleep=slept.append))
    for _ in range(count):
        bucket.take()
    return [0.0] * (count - len(slept)) + slept


@pytest.mark.parametrize("count", [1, 80, 81, 110, 500])
def test_calls_that_all_want_to_go_at_once_go_as_fast_as_aws_takes_them(count):
    burst, rate = 100.0, 20.0
    tokens, at = burst, 0.0
    for moment in arrivals(0.8 * burst, 0.8 * rate, count):
        tokens = min(burst, tokens + (moment - at) * rate) - 1
        at = moment
        assert tokens >= 0


def test_a_bucket_fills_again_and_never_over_its_burst():
    now, slept = [0.0], []
    bucket = TokenBucket(2, 1, Clock(now=lambda: now[0], sleep=slept.append))
    for _ in range(3):
        bucket.take()
    assert slept == [1.0]
    now[0] = 1000.0
    for _ in range(3):
        bucket.take()
    assert slept == [1.0, 1.0]


def test_many_threads_share_one_bucket():
    slept = []
    bucket = TokenBucket(10, 1, Clock(now=lambda: 0.0, sleep=slept.append))
    with ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            pool.submit(bucket.take)
    assert sorted(slept) == [float(second) for second in range(1, 191)]


def test_a_target_has_buckets_of_its_own_in_memory_too():
    slept = []
    limiter = LocalRateLimiter(RATES, Clock(now=lambda: 0.0, sleep=slept.append))
    for prefix in ("", "arn:aws:ecs:eu-central-1:222222222222:"):
        assert limiter.take(REGISTER, 19, 0.0, prefix)
    assert not slept
    assert limiter.take(REGISTER, 1, 0.0) and len(slept) == 1
