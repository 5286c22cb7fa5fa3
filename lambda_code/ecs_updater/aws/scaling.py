"""Application Auto Scaling: one read call, for the bounds of a service's desired count.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.session import Session

from . import clients

# An update does not wait long for a check that it can do without.
_CONFIG = clients.config(2, 5, 2)


class Scaling:
    """Client of Application Auto Scaling, made at the first call: most updates need none."""

    def __init__(
        self,
        calls: Counter[str],
        client: Any = None,
        session: Callable[[], Session] = clients.session,
    ):
        self._calls, self._client, self._session = calls, client, session

    def bounds(self, service: str) -> tuple[int, int] | None:
        """Returns minimum and maximum of a service's desired count. None: it is not scaled.

        `service`: `CLUSTER/SERVICE`. Raises AwsFailure.
        """
        if self._client is None:
            self._client = self._session().create_client("application-autoscaling", config=_CONFIG)
            clients.count_calls(self._client, self._calls)
        targets = clients.call(
            self._client,
            "DescribeScalableTargets",
            "ScalableTargets",
            ServiceNamespace="ecs",
            ResourceIds=[f"service/{service}"],
            ScalableDimension="ecs:service:DesiredCount",
        )["ScalableTargets"]
        return next(((item["MinCapacity"], item["MaxCapacity"]) for item in targets), None)
