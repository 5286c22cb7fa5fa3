"""Ways of invoking the function.

Each is called with the file of an event and gives an ``Invocation``.
"""

from collections.abc import Callable
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


def from_payload(payload: Any, cannot_show: frozenset[str] = frozenset()) -> Invocation:
    """The invocation whose answer is ``payload``: an error object of Lambda has
    ``errorMessage``, an answer never has.
    """
    if isinstance(payload, dict) and "errorMessage" in payload:
        return Invocation(None, payload.get("errorType"), payload["errorMessage"], cannot_show)
    return Invocation(payload, cannot_show=cannot_show)
