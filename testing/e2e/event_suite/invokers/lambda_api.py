"""The Lambda API through the SDK: the function is invoked by its name, at AWS, on the emulator, or
at `sam local start-lambda`.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from . import Invocation, InvocationFailed, Invoker, endpoint

# The SDK's own retries are off, since most of them would invoke again what has run or still runs:
# after a time-out, after a lost answer. Only a throttle is repeated: the function has not
# run. Its own limit is 900 seconds.
_CONFIG = Config(
    connect_timeout=10,
    read_timeout=930,
    tcp_keepalive=True,
    retries={"mode": "standard", "total_max_attempts": 1},
)
_ATTEMPTS = 10
_LONGEST_WAIT = 20


def invoker(
    environment: Mapping[str, str], sleep: Callable[[float], object] = time.sleep
) -> Invoker:
    """Invokes ``$LAMBDA_FUNCTION_NAME``; `sam local start-lambda` knows it by its logical id.

    With a reserved concurrency of 1 a call is refused while another one runs: it waits, with
    ``sleep``, and calls again.
    """
    url = endpoint.of_lambda(environment)
    client = boto3.client("lambda", endpoint_url=url, config=_CONFIG)
    hidden = endpoint.cannot_show(url)

    def invoke(event_file: Path) -> Invocation:
        payload = event_file.read_bytes()
        for attempt in range(_ATTEMPTS):
            if attempt:
                # With jitter, so that two who wait for the same function do not meet again.
                sleep(min(_LONGEST_WAIT, 2 ** (attempt - 1)) * random.uniform(0.5, 1))
            try:
                answer = client.invoke(
                    FunctionName=environment["LAMBDA_FUNCTION_NAME"], Payload=payload
                )
                return _invocation(answer, answer["Payload"].read(), hidden)
            except client.exceptions.TooManyRequestsException as error:
                refusal = error
            except (BotoCoreError, ClientError) as error:
                raise InvocationFailed(
                    f"the function was not invoked: {' '.join(str(error).split())[:300]}"
                ) from error
        raise InvocationFailed(
            f"the function was busy at each of {_ATTEMPTS} attempts: "
            f"{' '.join(str(refusal).split())[:300]}"
        )

    return invoke


def _invocation(answer: Mapping[str, Any], content: bytes, hidden: frozenset[str]) -> Invocation:
    """What came back.

    Lambda says in a header, and not in the payload, whether the function failed.
    """
    try:
        payload = json.loads(content)
        if "FunctionError" not in answer and not _is_raised(payload):
            return Invocation(payload, cannot_show=hidden)
        return Invocation(None, payload.get("errorType"), payload["errorMessage"], hidden)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise InvocationFailed(f"the function's answer cannot be read: {content[:300]!r}") from None


def _is_raised(payload: Any) -> bool:
    """Whether the runtime made this payload of an error: `sam local start-lambda` omits the header
    when the payload has a requestId.
    """
    return isinstance(payload, dict) and payload.keys() == {
        "errorMessage",
        "errorType",
        "requestId",
        "stackTrace",
    }
