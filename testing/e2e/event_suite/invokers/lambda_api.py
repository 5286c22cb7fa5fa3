"""The Lambda API through the SDK: the function is invoked by its name, at AWS, on the emulator, or
at `sam local start-lambda`.
"""

import random
import time
from collections.abc import Mapping
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from . import Invocation, InvocationFailed, Invoker, cannot_show, from_text, lambda_endpoint

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


def invoker(environment: Mapping[str, str]) -> Invoker:
    """Invokes ``$LAMBDA_FUNCTION_NAME``; `sam local start-lambda` knows it by its logical id.

    With a reserved concurrency of 1 a call is refused while another one runs: it waits and calls
    again.
    """
    client = boto3.client("lambda", endpoint_url=lambda_endpoint(environment), config=_CONFIG)

    def invoke(event_file: Path) -> Invocation:
        payload, name = event_file.read_bytes(), environment["LAMBDA_FUNCTION_NAME"]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = client.invoke(FunctionName=name, Payload=payload)
                return from_text(answer["Payload"].read(), cannot_show(environment))
            except (BotoCoreError, ClientError) as error:
                is_busy = isinstance(error, client.exceptions.TooManyRequestsException)
                if not is_busy or attempt == _ATTEMPTS:
                    raise InvocationFailed(
                        f"the function was not invoked: {' '.join(str(error).split())[:300]}"
                    ) from error
            # With jitter, so that two that wait for the same function do not meet again.
            time.sleep(min(_LONGEST_WAIT, 2 ** (attempt - 1)) * random.uniform(0.5, 1))
        raise AssertionError("the last attempt returns or raises")

    return invoke
