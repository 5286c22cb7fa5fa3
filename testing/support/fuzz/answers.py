"""Events and their answers, as the ways in have them in common."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

from ecs_updater.errors import EcsUpdaterError, InvalidImageError

from .mutation import SECRET, Generator, hidden_secrets, text_of

READ_STAGES = ("json_validation", "ecs_service_read", "http_request", "configuration")
"""Stages of errors before the first write."""


@dataclass
class Answer:
    """What came of one event."""

    names: list[str] = field(default_factory=list)
    """Classes of errors, HTTP statuses or exit codes."""
    is_refused: bool = False
    """Whether everything was refused before the first write."""
    is_error: bool = False
    texts: list[str] = field(default_factory=list)
    """What the caller sees."""
    wrong: list[str] = field(default_factory=list)
    """What is wrong with the answer."""


@dataclass
class Event:
    """One event: what to show of it, the values that it hides, and its invocation."""

    text: str
    hidden: set[str]
    invoke: Callable[[], Answer]


def hidden_in(value: Any) -> set[str]:
    """Returns the secrets that stand only where secrets belong."""
    shown, hidden = hidden_secrets(value)
    return hidden - shown


def hidden_in_text(text: str) -> set[str]:
    """Like `hidden_in` for a JSON text. Nothing of a text that cannot be read is shown."""
    try:
        return hidden_in(json.loads(text))
    except (ValueError, RecursionError):
        return set(SECRET.findall(text))


def delivered(draw: Generator, make: Callable[[Generator], Any]) -> tuple[str, Any]:
    """Returns an event as text and as Lambda reads it. What it cannot read never comes."""
    while True:
        text = text_of(make(draw))
        try:
            return text, json.loads(text)
        except (ValueError, RecursionError):
            continue


def envelope(draw: Generator, event: Any) -> Any:
    """Returns the event, in some cases changed where AWS writes it."""
    return draw.mutated(event, 2) if draw.chance(0.25) else event


def context_of(seconds: int) -> Any:
    """Returns Lambda's context of a function with so much time left."""
    return SimpleNamespace(
        aws_request_id="11111111-0000-4000-8000-000000000000",
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:ecs-updater",
        get_remaining_time_in_millis=lambda: seconds * 1000,
    )


@contextlib.contextmanager
def replaced(module: Any, **values: Any) -> Iterator[None]:
    """Replaces what a handler has at module scope."""
    with mock.patch.multiple(module, **values):
        yield


def answer_of(call: Callable[[], Any]) -> Answer:
    """Returns the answer of a handler, as Lambda's runtime returns it."""
    try:
        response = call()
    except EcsUpdaterError as error:
        is_refused = error.stage in READ_STAGES or isinstance(error, InvalidImageError)
        return Answer([type(error).__name__], is_refused, True, [str(error), error.hint or ""])
    deployment = (
        response.get("body", {}).get("deployment", {}) if isinstance(response, Mapping) else {}
    )
    verdict = deployment.get("verdict") or "answered"
    return Answer([str(verdict)], texts=[json.dumps(response, ensure_ascii=False, allow_nan=False)])
