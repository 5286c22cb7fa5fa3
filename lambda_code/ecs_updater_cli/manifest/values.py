"""Values of JSON and YAML with their positions in the file.

YAML 1.1, which PyYAML reads, turns many words into other types: `1.10` is a number, `on` is true,
`2026-01-31` is a date. So each value keeps its spelling, for the error of a field that needs text.
https://yaml.org/type/ https://pyyaml.org/wiki/PyYAMLDocumentation
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

MAX_DEPTH = 50
"""Maximum nesting of a file, aliases included; an event needs three levels."""

MAX_ITEMS = 10_000
"""Maximum items of a list, or names of a map: the maximum of deployments."""

MAX_NODES = 1_000_000
"""Maximum nodes of a file, names included."""

TOO_DEEP = f"nested deeper than {MAX_DEPTH} times"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_YAML = "tag:yaml.org,2002:"
_TEXT, _TIME = f"{_YAML}str", f"{_YAML}timestamp"
_TYPED = frozenset(f"{_YAML}{name}" for name in ("bool", "int", "float", "null", "timestamp"))


@dataclass(frozen=True, order=True)
class Position:
    """Line and column in a file, both from 1. A tab is one column."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """A problem that must be corrected before anything is sent."""

    position: Position | None
    """None outside of a file, for example for an argument."""
    path: str
    """The value, for example `deployments[3].ecs_image_name`; empty for the whole file."""
    sentence: str

    def in_file(self, file: str) -> str:
        """Returns a line that editors can open."""
        where = f"{file}:{self.position.line}:{self.position.column}" if self.position else file
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
class Member:
    """A name in a map, with its value."""

    position: Position
    """Position of the name."""
    value: Value


@dataclass(frozen=True)
class Value:
    """A map, a list or a scalar."""

    position: Position
    data: Any
    """The value as `json.loads` returns it; a date of YAML is a `Date`."""
    members: Mapping[str, Member] = field(default_factory=dict)
    """Members of a map."""
    items: tuple[Value, ...] = ()
    """Items of a list."""
    spelling: str | None = None
    """Text in the file of a scalar that is not a string, such as `1.10`."""

    def at(self, path: Iterable[str | int]) -> Value:
        """Returns the value at `path`, or the last existing value on the way."""
        found = self
        for step in path:
            if isinstance(step, int) and step < len(found.items):
                found = found.items[step]
            elif isinstance(step, str) and step in found.members:
                found = found.members[step].value
            else:
                break
        return found


class Date:
    """A date, which no field accepts. Its representation is its spelling."""

    def __init__(self, spelling: str):
        self._spelling = spelling

    def __repr__(self) -> str:
        return self._spelling


class Number(float):
    """A number whose representation is its spelling: `1.10`, not `1.1`."""

    spelling = ""

    @classmethod
    def of(cls, value: float, spelling: str) -> Number:
        """Returns the number of a value and its spelling."""
        number = cls(value)
        number.spelling = spelling
        return number

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
    try:
        data = SafeConstructor().construct_object(node, deep=True)
    except (ValueError, ArithmeticError, LookupError, AttributeError):
        # PyYAML does not check that the word suits an explicit tag.
        resolved = Resolver().resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]  # Untyped stub.
        if resolved != node.tag:
            raise ValueError(f'the tag {tag} does not suit "{node.value}": leave it out') from None
        # A day that does not exist, or a number of thousands of digits.
        data = Date(node.value) if node.tag == _TIME else Number.of(math.inf, node.value)
    if isinstance(data, datetime.date):
        data = Date(node.value)
    if type(data) is float:  # pylint: disable=unidiomatic-typecheck  # Neither a bool nor a Number.
        data = Number.of(data, node.value)
    return data, node.value


def text_advice(data: Any, spelling: str) -> str:
    """Returns what to do about a value that must be text."""
    if data is None and spelling:
        return (
            f'{spelling} is nothing: leave it out, or write "{spelling}", in quotes, '
            "where the word is meant"
        )
    kinds = {bool: "true or false", Date: "a date", type(None): "nothing"}
    kind = kinds.get(type(data), "a number")
    return f'{spelling or "an empty value"} is {kind} here: write "{spelling}", in quotes'


Aliases = dict[tuple[int, int], Position]
"""Positions of aliases in lists, by the index at which the list begins and the item's from 0."""


@dataclass
class _Collection:
    """A list or a map that is being read."""

    start: Any
    """Mark of PyYAML or libyaml, whose classes have no common base."""
    is_list: bool
    nodes: int = 0

    @property
    def is_too_large(self) -> bool:
        """Whether there are too many items or names."""
        return self.nodes > (MAX_ITEMS if self.is_list else 2 * MAX_ITEMS)


def check_size(text: str) -> None:
    """Raises ManifestError as soon as a text is nested too deeply or has too many values.

    Raises yaml.MarkedYAMLError or yaml.reader.ReaderError for invalid YAML before that.
    """
    for _ in _events(text):
        pass


def compose(text: str) -> tuple[yaml.Node | None, Aliases]:
    """Returns the nodes of a text, and the aliases in its lists, which the nodes do not have.

    Checks the size first: deep nesting overflows libyaml's stack. Raises as `check_size`.
    """
    aliases: Aliases = {}
    for event, parent in _events(text):
        if isinstance(event, yaml.AliasEvent) and parent and parent.is_list:
            aliases[parent.start.index, parent.nodes - 1] = position_of(event.start_mark)
    return yaml.compose(text, Loader=_LOADER), aliases


def _events(text: str) -> Iterator[tuple[yaml.NodeEvent, _Collection | None]]:
    """Yields the nodes of a text with their list or map. Raises as `check_size`."""
    parents: list[_Collection] = []
    left = MAX_NODES
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            parents.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        left -= 1
        if left < 0:
            raise ManifestError.at(
                position_of(event.start_mark),
                f"the file has more than {MAX_NODES:,} values and names",
            )
        parent = parents[-1] if parents else None
        if parent:
            parent.nodes += 1
            if parent.is_too_large:
                what = "deployments" if parent.is_list else "names in one map"
                raise ManifestError.at(
                    position_of(parent.start),
                    f"there are more than {MAX_ITEMS:,} {what}, and {MAX_ITEMS:,} are the most",
                )
        yield event, parent
        if isinstance(event, yaml.CollectionStartEvent):
            parents.append(
                _Collection(event.start_mark, isinstance(event, yaml.SequenceStartEvent))
            )
        if len(parents) > MAX_DEPTH:
            raise ManifestError.at(position_of(event.start_mark), f"it is {TOO_DEEP}")


def position_of(mark: Any) -> Position:
    """Returns the position of a mark of PyYAML, which may be None."""
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
