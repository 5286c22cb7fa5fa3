"""The session that makes every client, and account, region and time of the command line.

It is botocore's session, because boto3 takes longer to import. boto3 wraps this session and adds
resources and transfers to Amazon S3.
"""

import os
import threading
import time
from collections.abc import Callable
from email.utils import mktime_tz, parsedate_tz
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import NoRegionError
from botocore.session import Session, get_session

from .botocore_hooks import call
from .errors import AwsFailure, Outcome, translated, unless_missing

_TOLERATED = 1.0
"""Maximum difference in seconds that is not corrected."""


@cache
def session() -> Session:
    """Returns the session of this process, made at the first call."""
    return get_session()


def client_config(connect: float, read: float, attempts: int, **options: Any) -> Config:
    """Returns the settings of a client: time-outs in seconds, and maximum attempts of a call.

    Standard mode retries throttles and transient errors with jitter, and has a quota against retry
    storms.
    """
    return Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_appid="ecs-updater",
        **options,
    )


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
    client = client or session().create_client("dynamodb", config=client_config(2, 5, 3))
    answer = unless_missing(
        ("ResourceNotFoundException",),
        lambda: call(client, "DescribeTable", "Table", TableName=name),
    )
    return answer["Table"]["TableArn"] if answer else None
