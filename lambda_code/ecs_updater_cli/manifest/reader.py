"""Reads JSON or YAML as values with positions, which PyYAML's nodes have for both."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import yaml

from ecs_updater.errors import one_line

from .values import (
    MAX_DEPTH,
    TOO_DEEP,
    Aliases,
    ManifestError,
    Member,
    Position,
    Problem,
    Value,
    check_size,
    compose,
    position_of,
    scalar,
)

MAX_BYTES = 16 << 20
MAX_VALUES = 500_000
"""Maximum values of a file, with those of each alias: a few aliases can expand to billions."""

_MERGE = "tag:yaml.org,2002:merge"

# Characters that JSON allows in strings or between values, and that YAML rejects or reads as the
# end of a line.
_ODD_IN_YAML = re.compile("[\t\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

# Constants that Python's parser accepts and JSON does not have, and strings, which may contain
# these words.
_STRING_OR_CONSTANT = re.compile(r'"(?:\\.|[^"\\])*"|-?Infinity|NaN')

# The escape of half a surrogate pair. The second part skips other escapes, such as that of a
# backslash.
_ESCAPE = re.compile(r"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")

Scalar = Callable[[yaml.ScalarNode], tuple[Any, str | None]]
"""Returns the value of a scalar, and its spelling if it is not a string."""


def read(content: bytes, name: str) -> Value:
    """Returns the value of a file of this name and content. Raises ManifestError."""
    text = _decode(content)
    is_named_json = name.lower().endswith(".json")
    may_be_json = is_named_json or text.lstrip()[:1] in ("[", "{")
    if may_be_json:
        # Invalid JSON gets the error of the JSON parser.
        with suppress(yaml.MarkedYAMLError, yaml.reader.ReaderError):
            check_size(_as_yaml(text))
    is_json = may_be_json and (is_named_json or _is_json(text))
    if is_json:
        _check_json(text)
    try:
        node, aliases = compose(_as_yaml(text) if is_json else text)
    except yaml.MarkedYAMLError as error:
        parts = (one_line(part) for part in (error.context, error.problem) if part)
        position = position_of(error.problem_mark or error.context_mark)
        raise ManifestError.at(position, f"this is not valid YAML: {', '.join(parts)}") from None
    except yaml.reader.ReaderError as error:
        # The position in the error is in bytes with libyaml, and in characters with PyYAML.
        character = chr(error.character)
        raise ManifestError.at(
            _position(text, text.index(character)), f"the character {character!r} cannot be in YAML"
        ) from None
    if node is None:
        raise ManifestError.at(Position(1, 1), "the file is empty")
    reader = _Reader(_json_scalar(text) if is_json else scalar, aliases)
    value = reader.value(node, ())
    if reader.problems:
        raise ManifestError(reader.problems)
    return value


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


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_json(text: str) -> None:
    def reject(word: str) -> None:
        found = (match for match in _STRING_OR_CONSTANT.finditer(text) if match[0] == word)
        raise json.JSONDecodeError(f"JSON has no value {word}", text, next(found).start())

    try:
        json.loads(text, parse_constant=reject)
    except json.JSONDecodeError as error:
        position = Position(error.lineno, error.colno)
        raise ManifestError.at(position, f"this is not valid JSON: {error.msg}") from None
    except RecursionError:
        raise ManifestError.at(Position(1, 1), "it is nested too deeply") from None
    except ValueError as error:
        sentence = f"this is not valid JSON: {one_line(str(error))}"
        raise ManifestError.at(Position(1, 1), sentence) from None


def _json_scalar(text: str) -> Scalar:
    """Returns the function that reads scalars as JSON, where an emoji may be two escapes."""

    def read_scalar(node: yaml.ScalarNode) -> tuple[Any, str | None]:
        spelling = text[node.start_mark.index : node.end_mark.index]
        data = json.loads(spelling)
        return data, None if isinstance(data, str) else spelling.strip()

    return read_scalar


class _Reader:
    def __init__(self, read_scalar: Scalar, aliases: Aliases):
        self._scalar, self._aliases = read_scalar, aliases
        self._left = MAX_VALUES
        self._deepest = 0
        # Value, number of values in it and depth, by the id of its node: aliases are read once.
        self._known: dict[int, tuple[Value, int, int]] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, parents: tuple[int, ...]) -> Value:
        """Returns the value of a node; `parents` are the ids of the nodes that contain it."""
        position = position_of(node.start_mark)
        if id(node) in parents:
            raise ManifestError.at(position, "an alias leads to a value that it is in")
        value, size, levels = self._known.get(id(node), (None, 1, 0))
        self._left -= size
        if self._left < 0:
            raise ManifestError.at(
                position, f"with its aliases the file has more than {MAX_VALUES:,} values"
            )
        depth = len(parents) + levels
        if depth > MAX_DEPTH:
            raise ManifestError.at(position, f"with its aliases it is {TOO_DEEP}")
        if value is None:
            left, deepest, self._deepest = self._left, self._deepest, depth
            value = self._read(node, position, (*parents, id(node)))
            self._known[id(node)] = value, 1 + left - self._left, self._deepest - depth
            depth, self._deepest = self._deepest, deepest
        self._deepest = max(self._deepest, depth)
        return value

    def _read(self, node: yaml.Node, position: Position, parents: tuple[int, ...]) -> Value:
        if isinstance(node, yaml.MappingNode):
            members = self._members(node, parents)
            data = {name: member.value.data for name, member in members.items()}
            return Value(position, data, members)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(self._item(node, number, parents) for number in range(len(node.value)))
            return Value(position, [item.data for item in items], items=items)
        assert isinstance(node, yaml.ScalarNode)  # PyYAML composes only these three kinds.
        try:
            scalar_, spelling = self._scalar(node)
        except ValueError as error:
            self._reject(position, str(error))
            return Value(position, None)
        return Value(position, scalar_, spelling=spelling)

    def _item(self, node: yaml.SequenceNode, number: int, parents: tuple[int, ...]) -> Value:
        """Returns an item with the position of its alias; its content keeps its own positions."""
        item = self.value(node.value[number], parents)
        alias = self._aliases.get((node.start_mark.index, number))
        return replace(item, position=alias) if alias else item

    def _members(self, node: yaml.MappingNode, parents: tuple[int, ...]) -> dict[str, Member]:
        own: dict[str, Member] = {}
        merged: dict[str, Member] = {}
        for key, value in node.value:
            position = position_of(key.start_mark)
            if key.tag == _MERGE:
                for map_ in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    merged = {**self.value(map_, parents).members, **merged}
                continue
            name = self._name(key, position)
            if name in own:
                first = own[name].position
                self._reject(
                    position,
                    f"{name!r} stands here twice, first in line {first.line}, "
                    f"column {first.column}",
                )
            own[name] = Member(position, self.value(value, parents))
        return {**merged, **own}

    def _name(self, key: yaml.Node, position: Position) -> str:
        if not isinstance(key, yaml.ScalarNode):
            self._reject(position, "a name has to be text")
            return ""
        try:
            name, spelling = self._scalar(key)
        except ValueError as error:
            self._reject(position, str(error))
            return ""
        if isinstance(name, str):
            return name
        self._reject(position, f'a name has to be text: write "{spelling}", in quotes')
        return str(key.value)

    def _reject(self, position: Position, sentence: str) -> None:
        self.problems.append(Problem(position, "", one_line(sentence)))


def _position(text: str, index: int) -> Position:
    return Position(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))
