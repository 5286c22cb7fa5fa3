"""Clients of AWS: their session, their calls, and the hooks for raw bodies, retries and counts.

The session is botocore's, because boto3 takes longer to import. boto3 wraps this session and adds
resources and transfers to Amazon S3.
https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

import json
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from email.utils import mktime_tz, parsedate_tz
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import HTTPClientError, NoRegionError
from botocore.session import Session, get_session

from .. import metrics
from ..context import CALLS, REAL_TIME, REQUEST_ID, Clock
from ..errors import AwsFailure, Outcome
from ..throttling import RATES, SHARED, TokenBucket
from .errors import (
    CONCURRENT_REGISTRATION,
    NEVER_SENT,
    SDK_ERRORS,
    UNDECIDED,
    failure_from,
    translated,
    unless_missing,
)

RAW_BODY = "RawBody"
"""Key of a raw body in the parameters and in the response of a call."""

_CONCURRENT_REGISTRATION_DELAYS = (0.2, 0.5, 1.0, 2.0)

_TOLERATED = 1.0
"""Maximum difference in seconds that is not corrected."""


@cache
def session() -> Session:
    """Returns the session of this process, made at the first call."""
    return get_session()


def config(connect: float, read: float, attempts: int, **options: Any) -> Config:
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


class UnansweredWriteError(HTTPClientError):  # type: ignore[misc]  # botocore has no type annotations.
    """A write that is not idempotent got no response, or a server error.

    The SDK does not repeat it: the caller reads first.
    """

    fmt = "no answer to {operation}: {error}"


def call(client: Any, operation: str, *needed: str, **parameters: Any) -> dict[str, Any]:
    """Makes a call. The response and its raw body have the fields `needed`. Raises AwsFailure."""
    try:
        answer: dict[str, Any] = getattr(client, xform_name(operation))(**parameters)
        for name in needed:
            _ = answer[name], answer.get(RAW_BODY, answer)[name]
        return answer
    except SDK_ERRORS as error:
        raise failure_from(operation, error) from error


def receive_raw_body(client: Any, operation: str) -> None:
    """Adds the parsed, unfiltered body to each response of `operation`, as `RAW_BODY`."""

    def add_body(
        response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
    ) -> None:
        if response_dict["status_code"] >= 300:
            return
        with suppress(ValueError):  # The SDK's own parser runs next and raises the error.
            customized_response_dict[RAW_BODY] = json.loads(response_dict["body"])

    client.meta.events.register(f"before-parse.ecs.{operation}", add_body)


def send_raw_body(client: Any, operation: str) -> None:
    """Adds the parameter `RAW_BODY` to `operation`: it is sent unchanged, without the SDK's model.

    The SDK still validates the other parameters.
    """

    def take_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[RAW_BODY] = params.pop(RAW_BODY)

    def set_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        params["body"] = json.dumps(context[RAW_BODY]).encode()

    client.meta.events.register(f"before-parameter-build.ecs.{operation}", take_body)
    client.meta.events.register(f"before-call.ecs.{operation}", set_body)


def retry_throttles_only(client: Any, operation: str) -> None:
    """Limits the SDK's retries of `operation` to errors without an effect.

    These are throttles, failed connections and concurrent registrations in one family. Any other
    error that the SDK would retry becomes an UnansweredWriteError.
    """

    def judge(
        response: Any, attempts: int, caught_exception: Exception | None, **_: Any
    ) -> float | None:
        if isinstance(caught_exception, NEVER_SENT):
            return None
        if caught_exception is not None:
            raise UnansweredWriteError(
                operation=operation, error=caught_exception
            ) from caught_exception
        http, parsed = response
        error = parsed.get("Error", {})
        code, message = error.get("Code"), error.get("Message") or ""
        if http.status_code >= 500 or code in UNDECIDED:
            raise UnansweredWriteError(operation=operation, error=f"{code} {message}".strip())
        is_concurrent = CONCURRENT_REGISTRATION in message
        if is_concurrent and attempts <= len(_CONCURRENT_REGISTRATION_DELAYS):
            return _CONCURRENT_REGISTRATION_DELAYS[attempts - 1]
        return None

    client.meta.events.register_first(f"needs-retry.ecs.{operation}", judge)


def retry_conflicts(client: Any, codes: Collection[str], most_attempts: int) -> None:
    """Adds retries for DynamoDB's errors `codes`, which the SDK does not retry.

    `codes` are codes of a response or reasons for the cancellation of a transaction.
    """

    def judge(response: Any, attempts: int, **_: Any) -> float | None:
        if response is None or response[0].status_code < 300 or attempts >= most_attempts:
            return None
        found = error_codes(response[1])
        is_retried = found & set(codes) and "ConditionalCheckFailed" not in found
        return random.uniform(0.05, 0.2) * attempts if is_retried else None

    client.meta.events.register_first("needs-retry.dynamodb", judge)


def error_codes(answer: Mapping[str, Any]) -> set[str]:
    """Returns the codes of a failed call: its own and those of a transaction's writes."""
    codes = {reason.get("Code", "") for reason in answer.get("CancellationReasons") or []}
    return codes | {answer.get("Error", {}).get("Code", "")}


def count_calls(client: Any, calls: Counter[str]) -> None:
    """Counts each request, retries included, in `calls` and in `context.CALLS`.

    A retry is also a metric.
    """

    def count(event_name: str, request: Any, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        calls[operation] += 1
        if "attempt=1;" not in str(request.headers.get("amz-sdk-request", "attempt=1;")):
            metrics.count_retry(operation)
        if (current := CALLS.get()) is not None:
            current.append(operation)

    client.meta.events.register(
        f"before-send.{client.meta.service_model.service_id.hyphenize()}", count
    )


def send_request_id(client: Any, operations: Collection[str]) -> None:
    """Adds `context.REQUEST_ID` to the user agent of `operations`, which AWS CloudTrail records.

    Characters that a user agent cannot have become hyphens.
    """

    def add_request_id(request: Any, operation_name: str, **_: Any) -> None:
        request_id = REQUEST_ID.get()
        if request_id and operation_name in operations:
            text = re.sub(r"[^\w.+~-]", "-", request_id, flags=re.ASCII)
            agent = f"{request.headers['User-Agent']} md/request-id#{text}"
            request.headers.replace_header("User-Agent", agent)

    # After the SDK's own handler of this event, which writes the header anew.
    client.meta.events.register_last("request-created.ecs", add_request_id)


def limit_calls(client: Any, operation: str, bucket: TokenBucket) -> None:
    """Takes a token of `bucket` before each request of `operation`, retries included."""

    def wait(**_: Any) -> None:
        bucket.take()

    client.meta.events.register(f"before-send.ecs.{operation}", wait)


def limit_to_share(client: Any, share: float, clock: Clock = REAL_TIME) -> None:
    """Limits all calls of ECS to a share of its rates, between 0 and 1. The rest is for others.

    Several processes do not share the buckets: what they call too fast is throttled, and retried.
    """
    for name, rate in RATES.items():
        bucket = TokenBucket(*rate.share(share), clock)
        for operation in filter(None, (name, SHARED.get(name))):
            limit_calls(client, operation, bucket)


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


def arn_prefix(region: str, client: Any = None) -> str:
    """Returns the beginning of ECS's ARNs in a region of the account of the credentials.

    Needs no permission. Raises AwsFailure.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    client = client or session().create_client("sts", config=config(2, 5, 3))
    _, partition, _, _, account, *_ = call(client, "GetCallerIdentity", "Arn")["Arn"].split(":")
    return f"arn:{partition}:ecs:{region}:{account}:"


def table_arn(name: str, client: Any = None) -> str | None:
    """Returns the ARN of a table, which has the account. None: it does not exist.

    Raises AwsFailure.
    """
    client = client or session().create_client("dynamodb", config=config(2, 5, 3))
    answer = unless_missing(
        ("ResourceNotFoundException",),
        lambda: call(client, "DescribeTable", "Table", TableName=name),
    )
    return answer["Table"]["TableArn"] if answer else None
