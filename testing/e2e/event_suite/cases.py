"""The events of ``testing/events`` and what each must answer, with this run's names filled in.

Beside ``NAME.json``, the event, lies ``NAME.expected.json``:

* ``starts_from``: image and tags of the service before the event;
* ``answer``, the whole answer, or ``error``, its type and message; a text that begins with ``re:``
  becomes a regular expression;
* ``ends_with``: image and tags of the service afterwards, read from ECS and not from the answer.

``${NAME}`` in either file is the Makefile's setting of that name.
"""

import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .comparison import in_words

EVENTS_DIR = Path(__file__).parents[2] / "events"
_PREFIX = "lambda-ecs-updater.testevent-"
_PATTERN = "re:"
# The regular case first: it is what a reader of the table looks for.
_ORDER = (
    "base",
    "MULTIPLE_TAGS",
    "SAME_INITIAL_VALUES",
    "MISSING_JSON_FIELD",
    "WRONG_JSON_FORMAT",
    "MISSING_ECS_CLUSTER",
    "MISSING_ECS_SERVICE",
    "WRONG_IMAGE_NAME",
)


class CannotRun(Exception):
    """The events cannot be sent: a setting, the service or the file is at fault. The text says why
    in one line.
    """


@dataclass(frozen=True)
class ServiceState:
    """What of the service an event can change."""

    image: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        tags = ", ".join(f"{key}={value}" for key, value in sorted(self.tags.items()))
        return f"{self.image} [{tags}]"


@dataclass(frozen=True)
class Expected:
    """What an invocation must answer: an answer, or an error's type and message."""

    answer: Any = None
    error_type: str | None = None
    error_message: str | None = None

    def __str__(self) -> str:
        return in_words(self.answer, self.error_message)


@dataclass(frozen=True)
class Case:
    """One event."""

    name: str
    description: str
    event: Any
    starts_from: ServiceState
    expected: Expected
    ends_with: ServiceState


def load(settings: Mapping[str, str]) -> list[Case]:
    """All cases, the regular one first.

    Raises KeyError for a setting that an event uses and ``settings`` has not, and CannotRun when an
    event would not change the service.
    """
    return [_load(name, settings) for name in _ORDER]


def _load(name: str, settings: Mapping[str, str]) -> Case:
    event, expected = (
        _filled_in(
            json.loads((EVENTS_DIR / f"{_PREFIX}{name}{ending}").read_text("utf-8")), settings
        )
        for ending in (".json", ".expected.json")
    )
    error = expected.get("error", {})
    if "answer" in expected:
        _sort(expected["answer"]["body"])
        _check_changes(expected["answer"]["body"]["changes"])
    return Case(
        name=name,
        description=expected["description"],
        event=event,
        starts_from=ServiceState(**expected["starts_from"]),
        expected=Expected(
            expected.get("answer"), error.get("errorType"), error.get("errorMessage")
        ),
        ends_with=ServiceState(**expected["ends_with"]),
    )


def _sort(body: dict[str, Any]) -> None:
    """Puts tags into the order of the contract, which depends on the names that this run fills
    in.
    """
    for state in (body["BEFORE"], body["AFTER"]):
        state["tags"].sort(key=lambda tag: tag["key"])
    body["changes"].sort(
        key=lambda change: (not change["what"].startswith("image."), change["what"])
    )


def _check_changes(changes: list[dict[str, Any]]) -> None:
    """Raises CannotRun when a setting is what the event sets itself, so that nothing would
    change there.
    """
    names = [change["what"] for change in changes]
    for change in changes:
        if change["from"] == change["to"] or names.count(change["what"]) > 1:
            raise CannotRun(
                f"an event changes {change['what']} itself: choose another "
                "CONTAINER_IMAGE or TAG_NAME"
            )


def _filled_in(value: Any, settings: Mapping[str, str]) -> Any:
    """``value`` with every ``${NAME}`` replaced, after parsing: a setting with a quote in it, or
    with an ``re:``, stays a text.
    """
    if isinstance(value, dict):
        return {
            _filled_in(key, settings): _filled_in(member, settings) for key, member in value.items()
        }
    if isinstance(value, list):
        return [_filled_in(member, settings) for member in value]
    if not isinstance(value, str):
        return value
    if value.startswith(_PATTERN):
        pattern = string.Template(value.removeprefix(_PATTERN))
        return re.compile(
            pattern.substitute({name: re.escape(setting) for name, setting in settings.items()})
        )
    return string.Template(value).substitute(settings)
