"""How fast Amazon ECS lets its API be called, per account and region: token buckets, each shared by
several actions.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
"""

import re
import threading
from collections.abc import Mapping
from typing import NamedTuple

from .context import REAL_TIME, Clock


class Rate(NamedTuple):
    """A token bucket."""

    burst: float
    """The tokens of a full bucket: the calls that may be made at once."""
    per_second: float
    """The tokens that come back."""

    def share(self, part: float) -> "Rate":
        """The same, smaller."""
        return Rate(self.burst * part, self.per_second * part)


REGISTER = "RegisterTaskDefinition"
DESCRIBE_REVISION = "DescribeTaskDefinition"
UPDATE = "UpdateService"
TAG = "TagResource"
DESCRIBE = "DescribeServices"
LIST_CLUSTERS = "ListClusters"

RATES: Mapping[str, Rate] = {
    REGISTER: Rate(20, 1),
    DESCRIBE_REVISION: Rate(50, 20),
    UPDATE: Rate(50, 5),
    TAG: Rate(20, 10),
    DESCRIBE: Rate(100, 20),
    LIST_CLUSTERS: Rate(50, 20),
}
"""ECS's buckets, each by the name of one of its actions: TagResource's is UntagResource's too,
DescribeServices' ListServices'.
"""

_PART = re.compile(
    r"\s*(?P<name>\w+)\s*=\s*(?P<burst>\d{1,5})\s*/\s*(?P<rate>\d{1,4}(\.\d{1,3})?)\s*"
)


def parse(text: str) -> dict[str, Rate]:
    """``RATES`` with what ``text`` says instead:
    ``RegisterTaskDefinition=20/1,UpdateService=50/5``, burst and calls per second.

    Raises ValueError with a sentence that says what is wrong.
    """
    found = dict(RATES)
    for part in filter(str.strip, text.split(",")):
        rate = _PART.fullmatch(part)
        if not rate or float(rate["rate"]) == 0 or int(rate["burst"]) == 0:
            raise ValueError(
                f"{part.strip()[:60]!r} is no rate such as {REGISTER}=20/1, a burst "
                "and calls per second"
            )
        if rate["name"] not in RATES:
            raise ValueError(
                f"{rate['name'][:60]!r} has no rate of its own: it is one of {', '.join(RATES)}"
            )
        found[rate["name"]] = Rate(int(rate["burst"]), float(rate["rate"]))
    return found


class Bucket:
    """Lets its callers, any number of threads, wait until there is a token for each."""

    def __init__(self, burst: float, rate: float, clock: Clock = REAL_TIME):
        """``burst``: the tokens of a full bucket; ``rate``: those that come per second."""
        self._burst, self._rate, self._clock = burst, rate, clock
        self._tokens = burst
        self._at = clock.now()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Takes a token, and waits as long as that takes: each caller has a place in the row, so
        none is passed over.
        """
        with self._lock:
            now = self._clock.now()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1
            self._at = now
            missing = -self._tokens
        if missing > 0:
            self._clock.sleep(missing / self._rate)
