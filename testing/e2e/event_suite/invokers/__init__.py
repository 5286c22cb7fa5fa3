"""Ways of invoking the function.

Each is called with the file of an event and gives an ``Invocation``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


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
        if self.error_message is not None and "errorType" in self.cannot_show:
            stage = self.error_message.removeprefix("[ERROR][").partition("]")[0]
            return f"error in {stage}"[:60]
        if self.error_message is not None:
            return self.error_type or "an error"
        try:
            return f"{self.answer['statusCode']} {self.answer['body']['deployment']['verdict']}"
        except (KeyError, TypeError):
            return f"{self.answer!r}"[:60]


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
