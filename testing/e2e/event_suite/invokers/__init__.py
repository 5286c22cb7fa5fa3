"""Ways of invoking the function.

Each is called with the file of an event and gives an ``Invocation``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..comparison import in_words

# API Gateway refuses a body that does not fit the schema before the function sees it, and names no
# violation. Its documented answer is compared instead:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
VIOLATION = "the violation that the gateway has found"
STAGE = "[ERROR][json_validation] wrong input event format: "
MESSAGE = f"{STAGE}the body is not what the schema in /openapi.json says"


class InvocationFailed(Exception):
    """The function was not reached, or did not answer; the text says why in one line."""


@dataclass(frozen=True)
class Invocation:
    """What came back: the function's answer, or its error."""

    answer: Any = None
    error_type: str | None = None
    error_message: str | None = None
    cannot_show: frozenset[str] = field(default_factory=frozenset)
    """What this way of invoking does not show (``errorType``): it is skipped, and said so."""

    def __str__(self) -> str:
        return in_words(self.answer, self.error_message)


Invoker = Callable[[Path], Invocation]


def lambda_endpoint(environment: Mapping[str, str]) -> str | None:
    """``$LAMBDA_ENDPOINT_URL``, which is `sam local start-lambda`, else the one of every service;
    None is AWS's own.
    """
    return environment.get("LAMBDA_ENDPOINT_URL") or environment.get("AWS_ENDPOINT_URL") or None


def cannot_show(environment: Mapping[str, str]) -> frozenset[str]:
    """``errorType`` where the emulator runs the function, else nothing.

    MiniStack calls every error of a Python function Runtime.HandlerError. Lambda reports its
    class, and so does `sam local start-lambda`.
    """
    is_emulator = environment.get("AWS_ENDPOINT_URL") and not environment.get("LAMBDA_ENDPOINT_URL")
    return frozenset({"errorType"}) if is_emulator else frozenset()


def from_payload(payload: Any, hidden: frozenset[str] = frozenset()) -> Invocation:
    """The invocation whose answer is ``payload``: an error object of Lambda has
    ``errorMessage``, an answer never has.
    """
    if isinstance(payload, dict) and "errorMessage" in payload:
        return Invocation(None, payload.get("errorType"), payload["errorMessage"], hidden)
    return Invocation(payload, cannot_show=hidden)


def from_text(text: str | bytes, hidden: frozenset[str]) -> Invocation:
    """The invocation whose answer is this payload. Raises InvocationFailed when it is not JSON."""
    try:
        return from_payload(json.loads(text), hidden)
    except ValueError:
        raise InvocationFailed(f"the function's answer is not JSON: {text[:300]!r}") from None
