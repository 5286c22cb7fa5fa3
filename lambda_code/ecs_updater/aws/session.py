"""Account, region and time of a process that runs on a person's machine and not as a function."""

import os
import threading
import time
from collections.abc import Callable
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from botocore.config import Config
from botocore.exceptions import NoRegionError

from .clients import session
from .errors import AwsFailure, Outcome, translated

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_appid="ecs-updater",
)

_TOLERATED = 1.0
"""Seconds by which the two clocks may differ and nothing is corrected."""


class ServerTime:
    """Seconds since the epoch by AWS's clocks: those of this machine, corrected by the ``Date`` of
    AWS's answers.

    Leases, rates and times in the ledger are shared with functions, whose clocks agree. A ``Date``
    has whole seconds, and an answer takes time: so it bounds the correction, which stays as it is
    within these bounds. For any number of threads.
    """

    def __init__(self, clock: Callable[[], float] = time.time):
        self._clock = clock
        self._correction = 0.0
        self._own = threading.local()

    def __call__(self) -> float:
        return self._clock() + self._correction

    def watch(self, events: Any) -> None:
        """Reads the answers to the clients of these ``events`` of botocore, of one client or of a
        session.
        """
        events.register("request-created", self._sent)
        events.register("response-received", self._received)

    def _sent(self, **_: Any) -> None:
        self._own.sent_at = self._clock()

    def _received(self, response_dict: dict[str, Any] | None, **_: Any) -> None:
        date = parsedate_tz(response_dict["headers"].get("Date", "")) if response_dict else None
        if date is None:
            return
        moment = mktime_tz(date)
        least, most = moment - self._clock(), moment + 1 - self._own.sent_at
        if not least - _TOLERATED <= self._correction <= most + _TOLERATED:
            self._correction = (least + most) / 2


def use(profile: str | None, region: str | None, server_time: ServerTime) -> str:
    """Lets the clients that are made from now on take this profile and region, or those of the
    environment; the region.

    ``server_time`` is corrected by all answers that they get. Raises AwsFailure where there is no
    such profile, or no region.
    """
    try:
        with translated("Session"):
            session.cache_clear()
            current = session()
            if profile is not None:
                current.set_config_variable("profile", profile)
            # AWS_REGION is what other SDKs read, and botocore does not.
            if region := region or os.environ.get("AWS_REGION"):
                current.set_config_variable("region", region)
            server_time.watch(current.get_component("event_emitter"))
            found: str | None = current.get_config_variable("region")
            if not found:
                raise NoRegionError()
            # What cannot be an address, or a region, is said when a client is made.
            current.create_client("ecs")
            return found
    except ValueError as error:
        raise AwsFailure("Session", Outcome.REFUSED, "InvalidSetting", str(error)) from error


def table_arn(name: str, client: Any = None) -> str | None:
    """The ARN of the table of this name, which says in which account it is; None where there is
    none. Raises AwsFailure.
    """
    try:
        with translated("DescribeTable"):
            table = (client or session().create_client("dynamodb", config=_CONFIG)).describe_table(
                TableName=name
            )["Table"]
            arn: str = table["TableArn"]
            return arn
    except AwsFailure as failure:
        if failure.code == "ResourceNotFoundException":
            return None
        raise
