"""What is hung into the SDK's clients through botocore's events: raw bodies, careful retries,
counting, pace.

https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

import json
import random
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import HTTPClientError

from ..context import CALLS
from ..throttling import TokenBucket
from .errors import CONCURRENT_REGISTRATION, NEVER_SENT, UNDECIDED

RAW_BODY = "RawBody"
"""The key under which a raw body travels through the SDK, in the parameters of a call or in its
answer.
"""

_CONCURRENT_REGISTRATION_DELAYS = (0.2, 0.5, 1.0, 2.0)


class UnansweredWriteError(HTTPClientError):  # type: ignore[misc]  # botocore has no type annotations.
    """A write that is not idempotent got no answer, or a server error: it is not sent again without
    looking first.
    """

    fmt = "no answer to {operation}: {error}"


def receive_raw_body(client: Any, operation: str) -> None:
    """Gives the answer of ``operation`` its body, parsed but unfiltered, as
    ``answer[RAW_BODY]``.
    """

    def add_body(
        response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
    ) -> None:
        if response_dict["status_code"] >= 300:
            return
        try:
            customized_response_dict[RAW_BODY] = json.loads(response_dict["body"])
        except ValueError:
            pass  # The SDK's own parser comes next and says so.

    client.meta.events.register(f"before-parse.ecs.{operation}", add_body)


def send_raw_body(client: Any, operation: str) -> None:
    """Lets ``operation`` be called with ``RawBody=…``, which goes over the wire as it is, whatever
    the SDK's model says.
    """

    def take_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[RAW_BODY] = params.pop(RAW_BODY)

    def set_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        params["body"] = json.dumps(context[RAW_BODY]).encode()

    client.meta.events.register(f"before-parameter-build.ecs.{operation}", take_body)
    client.meta.events.register(f"before-call.ecs.{operation}", set_body)


def retry_only_what_had_no_effect(client: Any, operation: str) -> None:
    """Lets the SDK repeat ``operation`` after a throttle only, and after ECS refused two
    registrations at once.

    Anything else that the SDK would repeat may have had its effect: it ends as
    UnansweredWriteError.
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
        if http.status_code >= 500 or error.get("Code") in UNDECIDED:
            raise UnansweredWriteError(
                operation=operation,
                error=f"{error.get('Code')} {error.get('Message') or ''}".strip(),
            )
        refused_for_now = CONCURRENT_REGISTRATION in (error.get("Message") or "")
        if refused_for_now and attempts <= len(_CONCURRENT_REGISTRATION_DELAYS):
            return _CONCURRENT_REGISTRATION_DELAYS[attempts - 1]
        return None

    client.meta.events.register_first(f"needs-retry.ecs.{operation}", judge)


def count_calls(client: Any, calls: Counter[str]) -> None:
    """Counts every request that goes over the wire, in ``calls`` and for the work that sends it,
    retries included.
    """

    def sent(event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        calls[operation] += 1
        if (own := CALLS.get()) is not None:
            own.append(operation)

    client.meta.events.register(
        f"before-send.{client.meta.service_model.service_id.hyphenize()}", sent
    )


def pace_calls(client: Any, operation: str, bucket: TokenBucket) -> None:
    """Lets every request of ``operation``, retries included, wait for a token of ``bucket`` before
    it goes over the wire.
    """

    def wait(**_: Any) -> None:
        bucket.take()

    client.meta.events.register(f"before-send.ecs.{operation}", wait)


def retry_conflicts(client: Any, codes: Collection[str], most_attempts: int) -> None:
    """Lets the SDK repeat a write that met another write of the same item, which it does not by
    itself.

    ``codes``: of such an answer, and of a transaction's cancellation.
    """

    def judge(response: Any, attempts: int, **_: Any) -> float | None:
        if response is None or response[0].status_code < 300 or attempts >= most_attempts:
            return None
        found = error_codes(response[1])
        again = found & set(codes) and "ConditionalCheckFailed" not in found
        return random.uniform(0.05, 0.2) * attempts if again else None

    client.meta.events.register_first("needs-retry.dynamodb", judge)


def error_codes(answer: Mapping[str, Any]) -> set[str]:
    """Returns the codes of a failed call: its own and, of a transaction, those of its writes."""
    codes = {reason.get("Code", "") for reason in answer.get("CancellationReasons") or []}
    return codes | {answer.get("Error", {}).get("Code", "")}
