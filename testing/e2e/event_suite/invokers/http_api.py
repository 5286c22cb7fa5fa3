"""``POST /update``: the event goes to the API over HTTP, with its key.

An error has its type here, wherever the API is deployed.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..api import JSON, Api, ApiUnusable, Reply, from_environment
from . import Invocation, InvocationFailed, Invoker

_ATTEMPTS = 10
# API Gateway refuses a body that does not fit the schema before the function sees it, and names no
# violation. Its documented answer is compared instead:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
VIOLATION = "the violation that the gateway has found"
STAGE = "[ERROR][json_validation] wrong input event format: "
MESSAGE = f"{STAGE}the body is not what the schema in /openapi.json says"


def invoker(
    environment: Mapping[str, str],
    sleep: Callable[[float], object] = time.sleep,
    api: Api | None = None,
) -> Invoker:
    """Invokes through the API at ``$API_URL``.

    A service that another update holds is tried again when the API says so.
    """
    try:
        api = (api or from_environment(environment)).wait()
    except ApiUnusable as reason:
        raise InvocationFailed(str(reason)) from None

    def invoke(event_file: Path) -> Invocation:
        try:
            for _ in range(_ATTEMPTS):
                reply = api.call("POST", "update", event_file.read_bytes(), {"Content-Type": JSON})
                if reply.status != 409:
                    return _invocation(reply)
                sleep(float(reply.headers.get("retry-after", 1)))
        except ApiUnusable as reason:
            raise InvocationFailed(str(reason)) from None
        raise InvocationFailed(
            f"another update held the service at each of {_ATTEMPTS} attempts: "
            f"{reply.content[:300]!r}"
        )

    return invoke


def _invocation(reply: Reply) -> Invocation:
    """What came back: the contract's body and the id of the request, or an error with that id."""
    answer: Any = reply.json()
    number = answer.pop("requestId", None) if isinstance(answer, dict) else None
    if not isinstance(number, str) or not number:
        raise InvocationFailed(
            f"the API answered {reply.status} without a requestId: {reply.content[:300]!r}"
        )
    if reply.status < 300:
        return Invocation({"statusCode": reply.status, "body": answer})
    if not isinstance(answer.get("errorMessage"), str):
        raise InvocationFailed(
            f"the API answered {reply.status} without an errorMessage: {reply.content[:300]!r}"
        )
    hidden = frozenset({VIOLATION}) if refused_the_body(reply) else frozenset()
    return Invocation(None, answer.get("errorType"), answer["errorMessage"], hidden)


def refused_the_body(reply: Reply) -> bool:
    """Whether the gateway refused the body: its error has a header that no function sets."""
    return (
        reply.status == 400
        and reply.headers.get("x-amzn-errortype") == "BadRequestException"
        and reply.json().get("errorMessage") == MESSAGE
    )
