"""Account, region and time of the command line, which runs outside of AWS."""

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
"""Maximum difference in seconds that is not corrected."""


class ServerTime:
    """Seconds since the epoch: this machine's clock, corrected by the `Date` of AWS's responses.

    Leases, rates and times in the ledger are shared with functions, whose clocks agree. A `Date`
    has whole seconds, and a response takes time: the correction stays within these bounds. For any
    number of threads.
    """

    def __init__(self, clock: Callable[[], float] = time.time):
        self._clock = clock
        self._correction = 0.0
        self._local = threading.local()

    def __call__(self) -> float:
        return self._clock() + self._correction

    def observe(self, events: Any) -> None:
        """Reads the responses to the clients of these botocore `events`."""
        events.register("request-created", self._sent)
        events.register("response-received", self._received)

    def _sent(self, **_: Any) -> None:
        self._local.sent_at = self._clock()

    def _received(self, response_dict: dict[str, Any] | None, **_: Any) -> None:
        date = parsedate_tz(response_dict["headers"].get("Date", "")) if response_dict else None
        if date is None:
            return
        moment = mktime_tz(date)
        least, most = moment - self._clock(), moment + 1 - self._local.sent_at
        if not least - _TOLERATED <= self._correction <= most + _TOLERATED:
            self._correction = (least + most) / 2


def use(profile: str | None, region: str | None, server_time: ServerTime) -> str:
    """Sets profile and region of later clients, by default those of the environment.

    Returns the region. `server_time` observes the responses. Raises AwsFailure without such a
    profile, or without a region.
    """
    try:
        with translated("Session"):
            session.cache_clear()
            current = session()
            if profile is not None:
                current.set_config_variable("profile", profile)
            # Other SDKs read AWS_REGION, botocore does not.
            if region := region or os.environ.get("AWS_REGION"):
                current.set_config_variable("region", region)
            server_time.observe(current.get_component("event_emitter"))
            found: str | None = current.get_config_variable("region")
            if not found:
                raise NoRegionError()
            # Raises the errors of an invalid endpoint or region.
            current.create_client("ecs")
            return found
    except ValueError as error:
        raise AwsFailure("Session", Outcome.REFUSED, "InvalidSetting", str(error)) from error


def table_arn(name: str, client: Any = None) -> str | None:
    """Returns the ARN of a table, which has the account. None: it does not exist.

    Raises AwsFailure.
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
