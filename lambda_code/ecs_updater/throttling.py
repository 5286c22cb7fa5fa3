"""Request rates of the Amazon ECS API, per account and region, and the delay before a retry.

ECS has token buckets, each shared by several actions.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
"""

import re
import threading
from collections.abc import Mapping
from typing import NamedTuple

from .context import REAL_TIME, Clock


class Rate(NamedTuple):
    """Size of a token bucket."""

    burst: float
    """Tokens of a full bucket: calls that can be made at once."""
    per_second: float

    def share(self, part: float) -> "Rate":
        """Returns this part of the rate, between 0 and 1."""
        return Rate(self.burst * part, self.per_second * part)

    def with_margin(self) -> "Rate":
        """Returns a rate that is a token and 2% lower.

        Clocks that differ, or a network whose latency varies, shorten the time between two calls.
        """
        return Rate(max(1, self.burst - 1), self.per_second * 0.98)


REGISTER = "RegisterTaskDefinition"
DESCRIBE_REVISION = "DescribeTaskDefinition"
UPDATE = "UpdateService"
TAG = "TagResource"
DESCRIBE = "DescribeServices"
LIST_CLUSTERS = "ListClusters"
SERVICE_DEPLOYMENTS = "DescribeServiceDeployments"
SERVICE_REVISIONS = "DescribeServiceRevisions"
TASKS = "DescribeTasks"

RATES: Mapping[str, Rate] = {
    REGISTER: Rate(20, 1),
    DESCRIBE_REVISION: Rate(50, 20),
    UPDATE: Rate(50, 5),
    TAG: Rate(20, 10),
    DESCRIBE: Rate(100, 20),
    LIST_CLUSTERS: Rate(50, 20),
    SERVICE_DEPLOYMENTS: Rate(50, 20),
    SERVICE_REVISIONS: Rate(50, 20),
    TASKS: Rate(100, 20),
}
"""Buckets of ECS, by the name of one action."""

SHARED = {
    TAG: "UntagResource",
    DESCRIBE: "ListServices",
    SERVICE_DEPLOYMENTS: "ListServiceDeployments",
    TASKS: "ListTasks",
}
"""The second action of a bucket."""

_RATE = re.compile(
    r"\s*(?P<name>\w+)\s*=\s*(?P<burst>\d{1,5})\s*/\s*(?P<rate>\d{1,4}(\.\d{1,3})?)\s*"
)


def parse_rates(text: str) -> dict[str, Rate]:
    """Returns `RATES`, changed by `text`: burst and calls per second by action.

    For example `RegisterTaskDefinition=20/1,UpdateService=50/5`. Raises ValueError.
    """
    rates = dict(RATES)
    for part in filter(str.strip, text.split(",")):
        rate = _RATE.fullmatch(part)
        if not rate or float(rate["rate"]) == 0 or int(rate["burst"]) == 0:
            raise ValueError(
                f"{part.strip()[:60]!r} is not a valid rate: write a burst and calls per second, "
                f"for example {REGISTER}=20/1"
            )
        if rate["name"] not in RATES:
            raise ValueError(
                f"{rate['name'][:60]!r} has no rate of its own: write one of {', '.join(RATES)}"
            )
        rates[rate["name"]] = Rate(int(rate["burst"]), float(rate["rate"]))
    return rates


class TokenBucket:
    """A token bucket in memory, for any number of threads."""

    def __init__(self, burst: float, rate: float, clock: Clock = REAL_TIME):
        """`burst`: tokens of a full bucket; `rate`: tokens added per second."""
        self._burst, self._rate, self._clock = burst, rate, clock
        self._tokens = burst
        self._updated_at = clock.now()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Takes a token and waits until it is there. Callers are served in order."""
        with self._lock:
            now = self._clock.now()
            added = (now - self._updated_at) * self._rate
            self._tokens = min(self._burst, self._tokens + added) - 1
            self._updated_at = now
            missing = -self._tokens
        if missing > 0:
            self._clock.sleep(missing / self._rate)


class LocalRateLimiter:
    """A token bucket in memory for each rate. It ignores `most_seconds` and always waits."""

    def __init__(self, rates: Mapping[str, Rate], clock: Clock = REAL_TIME):
        self._rates, self._clock = rates, clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._lock = threading.Lock()

    def take(self, bucket: str, count: int, most_seconds: float, prefix: str = "") -> bool:
        """Takes `count` tokens. `prefix`: see `ledger.rate_limiter`. Returns True."""
        del most_seconds
        with self._lock:
            if (prefix, bucket) not in self._buckets:
                rate = self._rates[bucket].with_margin()
                self._buckets[prefix, bucket] = TokenBucket(*rate, self._clock)
        for _ in range(count):
            self._buckets[prefix, bucket].take()
        return True


def backoff(attempt: int, first: float, longest: float, factor: float = 2) -> float:
    """Returns the seconds to wait after a failed attempt; `attempt` counts from 0."""
    return min(longest, first * factor ** min(attempt, 20))
