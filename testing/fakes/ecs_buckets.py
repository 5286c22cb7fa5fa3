"""ECS's token buckets, as its documentation has them, for stand-ins that throttle as ECS does.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
"""

import threading
from collections import Counter

_BUCKETS = {
    ("RegisterTaskDefinition", "DeregisterTaskDefinition"): (20, 1),
    ("DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"): (50, 20),
    ("CreateService", "DeleteService", "UpdateService"): (50, 5),
    ("DescribeServices", "ListServices"): (100, 20),
    ("DescribeServiceDeployments", "ListServiceDeployments"): (50, 20),
    ("DescribeServiceRevisions",): (50, 20),
    ("DescribeTasks", "ListTasks"): (100, 20),
    ("TagResource", "UntagResource"): (20, 10),
    ("ListTagsForResource",): (50, 20),
    ("DescribeClusters", "ListClusters"): (50, 20),
}
_OF = {operation: operations for operations in _BUCKETS for operation in operations}

THROTTLED = (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})


class Buckets:
    """All of them, full at first. Counts what is asked of them."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """Every call, by operation, those that were throttled included."""
        self.throttled: Counter[str] = Counter()
        self._tokens: dict[tuple[str, ...], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, operation: str, now: float) -> bool:
        """Whether there is a token for a call at the moment ``now``, in seconds.

        For what is in no bucket there always is.
        """
        with self._lock:
            self.calls[operation] += 1
            bucket = _OF.get(operation)
            if bucket is None:
                return True
            burst, rate = _BUCKETS[bucket]
            tokens, at = self._tokens.get(bucket, (float(burst), now))
            tokens = min(burst, tokens + max(0.0, now - at) * rate)
            has = tokens >= 1
            self._tokens[bucket] = tokens - has, max(now, at)
            self.throttled[operation] += not has
            return has
