"""Changes valid JSON values by their structure, and writes them as text, in some cases as
invalid JSON.

Every change is drawn from one `Random`, so a seed makes the same event on every machine.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ..strategies import HOSTILE

MARK = "hush"
SECRET = re.compile(f"{MARK}-[0-9a-f]{{12}}")
"""A value that must not be shown."""

SECRET_NAMES = ("ecs_environment", "ecs_secrets", "ecs_command", "run_before")
"""Fields whose values may be secrets: docs/event.md."""

OTHER_ACCOUNT = "arn:aws:ecs:us-east-1:999999999999:"

TYPOS = (
    *("ecs_enviroment", "ecs_environments", "ecs_commands", "run-before", "environment"),
    *("ecs_tags", "ecs_image", "tags", "ecs_clustername", "__proto__", "constructor", "$ref"),
)

FIELDS = (
    *("action", "target", "ecs_cluster_name", "ecs_service_name", "ecs_image_name", "ecs_tag"),
    *("ecs_container_name", "ecs_container_images", "ecs_tag_mode", "ecs_task_definition"),
    *("ecs_cpu", "ecs_memory", "ecs_task_cpu", "ecs_task_memory", "ecs_desired_count"),
    *("ecs_deployment", "ecs_container_settings", "force_new_deployment", "dry_run"),
    *("wait_seconds", "wait_until", "rollback_on_failure", "request_id", *SECRET_NAMES),
    *("cluster", "service", "image", "tag", "container", "hookId", *TYPOS),
)

TEXTS = (
    *HOSTILE,
    *(
        "\x7f",
        "\x85",
        "\ufeff",
        "a\ud83d",
        "\udc00\ud800",
        "\u0435\u0301cs",
        "ß" * 200,
        "\r\nX-Header: 1",
    ),
    *("NaN", "true", "-1", "1e400", "[ERROR][json_validation] x", "<script>alert(1)</script>"),
    *("%00", "..", "/", "~", "~!!", "~4pyT", "*", "[!a]", "[", "a" * 5000, "\\", '"', "${AWS_KEY}"),
    *(f"{OTHER_ACCOUNT}cluster/ECSCluster", f"{OTHER_ACCOUNT}service/ECSCluster/ecs-dummy-service"),
    "arn:aws:ecs:eu-west-1:123456789012:service/Other/ecs-dummy-service",
    "arn:aws:ecs:eu-west-1:123456789012:service/ecs-dummy-service",
    *("ecs-dummy-task:99999999999", "ecs-dummy-task:0", "ecs-dummy-task", "other:1"),
    *("app:2@sha256:" + "0" * 64, "app:" + "t" * 129, "a/" * 200, "localhost:99999/a", "app:2 "),
)


class Raw(str):
    """A piece of JSON text that is written as it is."""


NUMBERS = tuple(
    map(
        Raw,
        (
            *("0", "-0", "-1", "1", "1.0", "1.5", "2147483648", "9223372036854775808", "1e2"),
            *("1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e-400", "0.1e1", "01", "+1"),
            "9" * 400,
            "9" * 5000,
        ),
    )
)


@dataclass(frozen=True)
class Pairs:
    """An object whose names may occur twice."""

    members: list[tuple[str, Any]]


@dataclass
class Generator:
    """What the samples and the changes of one case have in common."""

    random: Random
    secrets: list[str] = field(default_factory=list)

    def chance(self, share: float) -> bool:
        """Returns whether something happens that happens in this share of the cases."""
        return self.random.random() < share

    def pick(self, choices: Any) -> Any:
        """Returns one of the choices."""
        return self.random.choice(choices)

    def some(self, choices: dict[str, Any], share: float = 0.25) -> dict[str, Any]:
        """Returns some of the fields. A value that can be called is called."""
        return {
            name: value() if callable(value) else value
            for name, value in choices.items()
            if self.chance(share)
        }

    def secret(self) -> str:
        """Returns a value that must not be shown where it stands under a name of SECRET_NAMES."""
        self.secrets.append(f"{MARK}-{self.random.getrandbits(48):012x}")
        return self.secrets[-1]

    def text(self) -> str:
        """Returns a text that breaks what was not written with care."""
        if self.chance(0.8):
            return str(self.pick(TEXTS))
        return "".join(chr(self.random.randrange(0x3000)) for _ in range(self.random.randrange(9)))

    def value(self) -> Any:
        """Returns any JSON value, written or not."""
        return self.pick(
            (
                lambda: None,
                lambda: self.pick((True, False)),
                lambda: self.pick(NUMBERS),
                self.text,
                list,
                dict,
                lambda: [self.text()],
                lambda: {self.text(): self.value()},
                lambda: {self.pick(SECRET_NAMES): {"TOKEN": self.secret()}},
                lambda: nested(self.pick((3, 19, 21, 150, 900, 30_000)), self.pick(("[]", "{}"))),
                lambda: [self.text()] * self.pick((2, 600)),
                lambda: {f"key-{number}": "v" for number in range(self.pick((3, 51, 501)))},
                lambda: "x" * self.pick((41, 256, 2049, 300_000)),
            )
        )()

    def mutated(self, value: Any, most: int = 4) -> Any:
        """Returns the value with up to `most` changes. Most cases have one or two."""
        for _ in range(min(most, self.pick((0, 0, 0, 0, 1, 1, 1, 2, 2, 4)))):
            value = self._changed(value)
        return value

    def written(self, value: Any) -> str:
        """Returns the JSON text of a value, in a few cases damaged."""
        text = text_of(value)
        return self.damaged(text) if self.chance(0.06) else text

    def damaged(self, text: str) -> str:
        """Returns the text with a piece cut out or replaced."""
        begin = self.random.randrange(len(text) + 1)
        end = min(len(text), begin + self.random.randrange(4))
        return text[:begin] + self.pick(("", "", ",", "}", "\0", "\ud800", "\\u12")) + text[end:]

    def _changed(self, value: Any) -> Any:
        """Returns the value with one change at any place of it."""
        places = list(_places(value))
        if not places or self.chance(0.03):
            return self.pick(
                (self.value, lambda: [value], lambda: text_of(value), lambda: {"event": value})
            )()
        path = self.pick(places)
        return self._changed_at(value, path)

    def _changed_at(self, value: Any, path: tuple[int, ...]) -> Any:
        index, *rest = path
        if not rest:
            is_list = isinstance(value, list)
            return (self._element_changed if is_list else self._member_changed)(value, index)
        members = members_of(value)
        name, member = members[index]
        members[index] = name, self._changed_at(member, tuple(rest))
        return [element for _, element in members] if isinstance(value, list) else Pairs(members)

    def _element_changed(self, value: list[Any], index: int) -> list[Any]:
        element = value[index]
        new = self.pick(
            ([], [element, element], [self._replaced(element)], [self._replaced(element)])
        )
        return value[:index] + new + value[index + 1 :]

    def _member_changed(self, value: Any, index: int) -> Pairs:
        pairs = members_of(value)
        name, old = pairs[index]
        new = self.pick(
            (
                list,
                lambda: [(name, self._replaced(old))],
                lambda: [(name, self._replaced(old))],
                lambda: [(name, self._replaced(old))],
                lambda: [(name, self.value())],
                lambda: [(self.pick((*FIELDS, self.text())), old)],
                lambda: [(name, old), (name, self._replaced(old))],
                lambda: [(name, old), (self.pick(FIELDS), self.value())],
                lambda: [(name, old), (self.pick(FIELDS), self.value())],
                lambda: [(name, {self.pick((*SECRET_NAMES, *TYPOS[:5])): {"A": self.secret()}})],
                lambda: [(name, pairs[self.random.randrange(len(pairs))][1])],
            )
        )()
        return Pairs(pairs[:index] + new + pairs[index + 1 :])

    def _replaced(self, value: Any) -> Any:
        """Returns a value like this one, or another one."""
        if not isinstance(value, str) or isinstance(value, Raw) or self.chance(0.3):
            return self.pick((self.value, self.text, lambda: self.pick(NUMBERS)))()
        begin = self.random.randrange(len(value) + 1)
        end = min(len(value), begin + self.random.randrange(4))
        piece = self.pick(
            ("", self.text(), value[begin:end] * 2, value[begin:end].swapcase(), "\n")
        )
        return value[:begin] + piece + value[end:]


def nested(depth: int, kind: str) -> Raw:
    """Returns lists or objects in each other."""
    opening, closing = ("[", "]") if kind == "[]" else ('{"a":', "}")
    return Raw(opening * depth + "1" + closing * depth)


def text_of(value: Any) -> str:
    """Returns the JSON text of a value."""
    match value:
        case Raw():
            return str(value)
        case Pairs() | dict():
            return _object(members_of(value))
        case list() | tuple():
            return f"[{', '.join(map(text_of, value))}]"
    return json.dumps(value)


def _object(pairs: list[tuple[str, Any]]) -> str:
    return f"{{{', '.join(f'{json.dumps(name)}: {text_of(member)}' for name, member in pairs)}}}"


def members_of(value: Any) -> list[tuple[Any, Any]]:
    """Returns the members of an object, or the elements of a list with their indexes."""
    match value:
        case Pairs():
            return list(value.members)
        case dict():
            return list(value.items())
        case list():
            return list(enumerate(value))
    return []


def _places(value: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    for index, (_, member) in enumerate(members_of(value)[:60]):
        yield (*path, index)
        yield from _places(member, (*path, index))


def hidden_secrets(value: Any) -> tuple[set[str], set[str]]:
    """Returns the secrets of a JSON value at places where values are shown, and at those where they
    are hidden: under a name of SECRET_NAMES or of a name that is almost one, or in a text with one.

    The value of a variable is hidden if the name says that it is a token: docs/event.md.
    """
    shown: set[str] = set()
    hidden: set[str] = set()

    def visit(value: Any, is_hidden: bool, parent: Any = None) -> None:
        if isinstance(value, str):
            found = SECRET.findall(value)
            (hidden if is_hidden or _is_secret(value) else shown).update(found)
        for name, member in members_of(value):
            is_shown = parent == "ecs_environment" and isinstance(member, str) and name != "TOKEN"
            is_secret = isinstance(name, str) and _is_secret(name)
            visit(member, not is_shown and (is_hidden or is_secret), name)

    visit(value, False)
    return shown, hidden


def _is_secret(text: str) -> bool:
    return any(name in text for name in (*SECRET_NAMES, *TYPOS[:5]))
