"""Reads JSON or YAML as values with positions, which PyYAML's events have for both."""

import itertools
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, NoReturn

import yaml

from ecs_updater.errors import one_line

from .values import (
    Document,
    ManifestError,
    Position,
    Problem,
    Value,
    position_of,
    resolved_tag,
    scalar,
)

MAX_BYTES = 16 << 20
MAX_VALUES = 500_000
"""Maximum values of a file, with those of each alias: a few aliases can expand to billions."""

MAX_ITEMS = 10_000
"""Maximum items of a list, or names of a map: the maximum of deployments."""

MAX_DEPTH = 50
"""Maximum nesting of a file, aliases included; an event needs three levels."""

# The next event after a syntax error: all lists and maps end.
_END = yaml.CollectionEndEvent()

_TOO_DEEP = f"nested deeper than {MAX_DEPTH} times"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MERGE = "tag:yaml.org,2002:merge"

# Characters that JSON allows in strings or between values, and that YAML rejects or reads as the
# end of a line.
_ODD_IN_YAML = re.compile("[\t\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

# The escape of half a surrogate pair. The second part skips other escapes, such as that of a
# backslash.
_ESCAPE = re.compile(r"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")

Scalar = Callable[[yaml.ScalarNode], tuple[Any, str | None]]
"""Returns the value of a scalar, and its spelling if it is not a string."""


def read(content: bytes, name: str) -> Document:
    """Returns the content of a file of this name. Raises ManifestError if it is too large."""
    text = _decode(content)
    is_named_json = name.lower().endswith(".json")
    if is_named_json or text.lstrip()[:1] in ("[", "{"):
        found = _read_yaml(_as_yaml(text), _json_scalar(text))
        # Invalid JSON gets the error of the JSON parser.
        problem = _json_problem(text)
        if problem and is_named_json:
            return found.ended_by(problem)
        if not problem:
            return found
    return _read_yaml(text, scalar)


def _read_yaml(text: str, read_scalar: Scalar) -> Document:
    reader = _Reader(text, read_scalar)
    value = reader.document()
    found = Document(value or Value(Position(1, 1), {}), reader.problems)
    if reader.syntax_problem:
        return found.ended_by(reader.syntax_problem)
    if value is None:
        raise ManifestError.at(Position(1, 1), "the file is empty")
    return found


def _as_yaml(text: str) -> str:
    """Returns JSON that YAML can read, with the same positions. The strings may differ."""
    return _ESCAPE.sub(
        lambda escape: "------" if len(escape[0]) == 6 else escape[0], _ODD_IN_YAML.sub(" ", text)
    )


def _decode(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise ManifestError.at(Position(1, 1), f"the file has more than {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        byte = content[error.start]
        raise ManifestError.at(
            _position(before, len(before)), f"the byte 0x{byte:02x} is not valid UTF-8"
        ) from None


def _json_problem(text: str) -> Problem | None:
    """Returns why a text is not JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        position = Position(error.lineno, error.colno)
        return Problem(position, "", f"this is not valid JSON: {error.msg}")
    except (RecursionError, ValueError):
        pass  # The value itself has a problem, such as a number of thousands of digits.
    return None


def _json_scalar(text: str) -> Scalar:
    """Returns the function that reads scalars as JSON, where an emoji may be two escapes."""

    def read_scalar(node: yaml.ScalarNode) -> tuple[Any, str | None]:
        spelling = text[node.start_mark.index : node.end_mark.index]
        data = json.loads(spelling, parse_constant=_reject_constant)
        return data, None if isinstance(data, str) else spelling.strip()

    return read_scalar


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"this is not valid JSON: JSON has no value {name}")


# Data of an anchored value while it is read.
_UNREAD = object()


class _Reader:
    """Reads the events of PyYAML, and stops as soon as they are too many.

    Not its nodes: deep nesting overflows libyaml's stack.
    """

    def __init__(self, text: str, read_scalar: Scalar):
        self._text, self._events = text, yaml.parse(text, Loader=_LOADER)
        self._scalar = read_scalar
        self._left = MAX_VALUES
        self._anchors: dict[str, Value] = {}
        self.problems: list[Problem] = []
        self.syntax_problem: Problem | None = None
        """Why the reading ended early."""

    def document(self) -> Value | None:
        """Returns the value of the only document, None if the text has none.

        Raises ManifestError if it is too large.
        """
        value: Value | None = None
        while not isinstance(event := self._next(), (yaml.StreamEndEvent, yaml.CollectionEndEvent)):
            if isinstance(event, yaml.DocumentStartEvent):
                if value:
                    self._reject_yaml(event, "expected a single document, but found another one")
                    break
                value = self._value(self._next(), 0)
        return value

    def _next(self) -> Any:
        try:
            return next(self._events, _END)
        except yaml.MarkedYAMLError as error:
            parts = (one_line(part) for part in (error.context, error.problem) if part)
            position = position_of(error.problem_mark or error.context_mark)
            sentence = f"this is not valid YAML: {', '.join(parts)}"
        except yaml.reader.ReaderError as error:
            # The position in the error is in bytes with libyaml, and in characters with PyYAML.
            character = chr(error.character)
            position = _position(self._text, self._text.index(character))
            sentence = f"the character {character!r} cannot be in YAML"
        self.syntax_problem = Problem(position, "", sentence)
        return _END

    def _value(self, event: Any, depth: int) -> Value:
        """Returns the value that starts with `event`, in `depth` lists and maps."""
        position = position_of(event.start_mark)
        if event is _END:
            return Value(position, {})
        if isinstance(event, yaml.AliasEvent):
            value = self._anchors.get(str(event.anchor)) or self._reject_yaml(
                event, "found undefined alias"
            )
        else:
            if event.anchor in self._anchors:
                self._reject_yaml(event, "found duplicate anchor")
            if event.anchor:
                self._anchors[event.anchor] = Value(position, _UNREAD)
            value = self._new_value(event, position, depth)
            if event.anchor:
                self._anchors[event.anchor] = value
        if value.data is _UNREAD:
            value = self._reject(value.position, "an alias leads to a value that it is in")
        self._left -= value.size if isinstance(event, yaml.AliasEvent) else 1
        if self._left < 0:
            sentence = f"with its aliases the file has more than {MAX_VALUES:,} values"
            raise ManifestError.at(position, sentence)
        if depth + value.levels > MAX_DEPTH:
            raise ManifestError.at(position, f"with its aliases it is {_TOO_DEEP}")
        return value

    def _new_value(self, event: Any, position: Position, depth: int) -> Value:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar_value(event, position)
        if depth == MAX_DEPTH:
            raise ManifestError.at(position, f"it is {_TOO_DEEP}")
        is_list = isinstance(event, yaml.SequenceStartEvent)
        return (self._list if is_list else self._map)(position, depth + 1)

    def _children(self, position: Position, what: str) -> Iterator[Any]:
        """Yields the events with which the items or names of a list or map start."""
        for number in itertools.count():
            event = self._next()
            if isinstance(event, yaml.CollectionEndEvent):
                return
            if number == MAX_ITEMS:
                sentence = (
                    f"there are more than {MAX_ITEMS:,} {what}, and {MAX_ITEMS:,} are the most"
                )
                raise ManifestError.at(position, sentence)
            yield event

    def _list(self, position: Position, depth: int) -> Value:
        # An item has the position of its alias; its content keeps its own positions.
        items = tuple(
            replace(self._value(event, depth), position=position_of(event.start_mark))
            for event in self._children(position, "deployments")
        )
        return _collection(position, [item.data for item in items], items, items=items)

    def _map(self, position: Position, depth: int) -> Value:
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for event in self._children(position, "names in one map"):
            if isinstance(event, yaml.ScalarEvent) and _node(event).tag == _MERGE:
                value = self._value(self._next(), depth)
                for map_ in value.items or [value]:
                    merged = {**map_.members, **merged}
                continue
            key = self._name(event, depth)
            if key.data in own:
                first = own[key.data].named_at
                self._reject(
                    key.position,
                    f"{key.data!r} stands here twice, first in line {first.line}, "
                    f"column {first.column}",
                )
            own[key.data] = replace(self._value(self._next(), depth), named_at=key.position)
        members = {**merged, **own}
        data = {name: member.data for name, member in members.items()}
        return _collection(position, data, members.values(), members=members)

    def _name(self, event: Any, depth: int) -> Value:
        """Returns the name of a member as text."""
        if isinstance(event, yaml.ScalarEvent) and not event.anchor:
            name = self._scalar_value(event, position_of(event.start_mark))
        else:
            name = self._value(event, depth)
        if isinstance(name.data, str):
            return name
        advice = "" if name.spelling is None else f': write "{name.spelling}", in quotes'
        self._reject(name.position, f"a name has to be text{advice}")
        return Value(name.position, name.spelling or "")

    def _scalar_value(self, event: Any, position: Position) -> Value:
        try:
            data, spelling = self._scalar(_node(event))
        except ValueError as error:
            return self._reject(position, str(error))
        return Value(position, data, spelling=spelling)

    def _reject_yaml(self, event: Any, sentence: str) -> Value:
        return self._reject(position_of(event.start_mark), f"this is not valid YAML: {sentence}")

    def _reject(self, position: Position, sentence: str) -> Value:
        """Adds a problem. Returns a value with which the reading goes on."""
        self.problems.append(Problem(position, "", one_line(sentence)))
        return Value(position, "")


def _collection(position: Position, data: Any, values: Collection[Value], **content: Any) -> Value:
    size = 1 + sum(value.size for value in values)
    levels = 1 + max((value.levels for value in values), default=-1)
    return Value(position, data, size=size, levels=levels, **content)


def _node(event: Any) -> yaml.ScalarNode:
    """Returns the node of a scalar, with the tag that YAML gives to its text."""
    tag = event.tag if event.tag not in (None, "!") else resolved_tag(event.value, event.implicit)
    return yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)


def _position(text: str, index: int) -> Position:
    return Position(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))
