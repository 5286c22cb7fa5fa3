"""Values of JSON and YAML with their positions in the file.

YAML 1.1, which PyYAML reads, turns many words into other types: `1.10` is a number, `on` is true,
`2026-01-31` is a date. So each value keeps its spelling, for the error of a field that needs text.
https://yaml.org/type/ https://pyyaml.org/wiki/PyYAMLDocumentation
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

_YAML = "tag:yaml.org,2002:"
_TEXT, _TIME = f"{_YAML}str", f"{_YAML}timestamp"
_TYPED = frozenset(f"{_YAML}{name}" for name in ("bool", "int", "float", "null", "timestamp"))


@dataclass(frozen=True, order=True)
class Position:
    """Line and column in a file, both from 1. A tab is one column."""

    line: int
    column: int


NOWHERE = Position(0, 0)


@dataclass(frozen=True)
class Problem:
    """A problem that must be corrected before anything is sent."""

    position: Position
    """`NOWHERE` outside of a file, for example for an argument."""
    path: str
    """The value, for example `deployments[3].ecs_image_name`; empty for the whole file."""
    sentence: str

    def in_file(self, file: str) -> str:
        """Returns a line that editors can open."""
        line, column = self.position.line, self.position.column
        where = f"{file}:{line}:{column}" if line else file
        return ": ".join(part for part in (where, self.path, self.sentence) if part)


class ManifestError(ValueError):
    """The file has problems."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.sentence for problem in problems))

    @classmethod
    def at(cls, position: Position, sentence: str) -> ManifestError:
        """Returns the error of a file with one problem."""
        return cls([Problem(position, "", sentence)])


@dataclass(frozen=True)
class Value:
    """A map, a list or a scalar."""

    position: Position
    data: Any
    """The value as `json.loads` returns it; a date or a fraction of YAML is `Spelled`."""
    members: Mapping[str, Value] = field(default_factory=dict)
    items: tuple[Value, ...] = ()
    spelling: str | None = None
    """Text in the file of a scalar that is not a string, such as `1.10`."""
    named_at: Position = NOWHERE
    """Position of its name in a map."""
    size: int = 1
    """Number of values in it, itself and the values of its aliases included."""
    levels: int = 0
    """Nesting below it."""

    def at(self, path: Iterable[str | int]) -> Value:
        """Returns the value at `path`, or the last existing value on the way."""
        found = self
        for step in path:
            if isinstance(step, int) and step < len(found.items):
                found = found.items[step]
            elif isinstance(step, str) and step in found.members:
                found = found.members[step]
            else:
                break
        return found


@dataclass(frozen=True)
class Document:
    """Content of a file, with the problems of its syntax."""

    value: Value
    problems: Sequence[Problem]
    ends_at: Position | None = None
    """Where the reading ended early. None: the file was read as a whole."""

    def ended_by(self, problem: Problem) -> Document:
        """Returns the content before a problem after which it cannot be read."""
        earlier = [other for other in self.problems if other.position < problem.position]
        return Document(self.value, [*earlier, problem], problem.position)


@dataclass(frozen=True)
class Spelled:
    """A date or a fraction, which no field accepts. Its representation is its spelling.

    So an error shows `1.10`, not `1.1`.
    """

    spelling: str
    kind: str

    def __repr__(self) -> str:
        return self.spelling


def scalar(node: yaml.ScalarNode) -> tuple[Any, str | None]:
    """Returns the value of a scalar, and its spelling if it is not a string.

    Raises ValueError with a sentence.
    """
    if node.tag == _TEXT:
        return node.value, None
    tag = node.tag.replace(_YAML, "!!")
    if node.tag not in _TYPED:
        raise ValueError(f"the tag {tag} means nothing here: leave it out")
    spelled = Spelled(node.value, "a date" if node.tag == _TIME else "a number")
    try:
        data = SafeConstructor().construct_object(node, deep=True)
    except (ValueError, ArithmeticError, LookupError, AttributeError):
        # PyYAML does not check that the word suits an explicit tag.
        if resolved_tag(node.value, (True, False)) != node.tag:
            raise ValueError(f'the tag {tag} does not suit "{node.value}": leave it out') from None
        # A day that does not exist, or a number of thousands of digits.
        return spelled, node.value
    return (spelled if isinstance(data, (datetime.date, float)) else data), node.value


def resolved_tag(text: str, is_implicit: tuple[bool, bool]) -> str:
    """Returns the tag of a scalar without one; `is_implicit`: if it is plain, and if quoted."""
    tag: str = Resolver().resolve(yaml.ScalarNode, text, is_implicit)  # type: ignore[no-untyped-call]  # Untyped stub.
    return tag


def text_advice(value: Value, *, is_hidden: bool = False) -> str:
    """Returns what to do about a value that must be text; empty if it is.

    `is_hidden`: the value can be a secret, and is not shown.
    """
    data, spelling = value.data, value.spelling
    if spelling is None:
        return ""
    if data is None and spelling and not is_hidden:
        return (
            f'; {spelling} is nothing: leave it out, or write "{spelling}", in quotes, '
            "where the word is meant"
        )
    kinds = {bool: "true or false", type(None): "nothing"}
    kind = data.kind if isinstance(data, Spelled) else kinds.get(type(data), "a number")
    if is_hidden:
        return f"; it is {kind} here: write it in quotes"
    return f'; {spelling or "an empty value"} is {kind} here: write "{spelling}", in quotes'


def number_advice(value: Value) -> str:
    """Returns what to do about a value that must be a number; empty if it is not one in quotes."""
    text = value.data
    is_number = isinstance(text, str) and text.isascii() and text.isdecimal()
    return f"; it is text here: write {text}, without quotes" if is_number else ""


def position_of(mark: Any) -> Position:
    """Returns the position of a mark of PyYAML, which may be None."""
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
