"""JSON or YAML as values with places, which PyYAML's nodes tell for both.

https://pyyaml.org/wiki/PyYAMLDocumentation
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import yaml

from ecs_updater.errors import one_line

from .nodes import MOST_DEPTH, TOO_DEEP, Aliases, check_size, composed, place_of
from .place import ManifestError, Position, Problem, wrong
from .scalar import meaning
from .value import Member, Value

MOST_BYTES = 16 << 20
MOST_VALUES = 500_000
"""The most values of a file, those of its aliases counted each time: a few lines of aliases can
stand for billions.
"""

_MERGE = "tag:yaml.org,2002:merge"

# What JSON may have in a string, or between values, and YAML counts as another line, or refuses.
_ODD_IN_YAML = re.compile("[\t\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

# What Python's reader takes for a number and JSON does not know; and strings, in which these words
# are none.
_STRING_OR_CONSTANT = re.compile(r'"(?:\\.|[^"\\])*"|-?Infinity|NaN')

# Half a character: whatever stands behind a backslash, so that an escaped backslash is none of its
# own.
_ESCAPE = re.compile(r"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")


def read(content: bytes, name: str) -> Value:
    """The value that a file of this name and content is. Raises InvalidDocument."""
    text = _text(content)
    is_called_json = name.lower().endswith(".json")
    looks_like_json = is_called_json or text.lstrip()[:1] in ("[", "{")
    if looks_like_json:
        # What is wrong with JSON is said in JSON's words.
        with suppress(yaml.MarkedYAMLError, yaml.reader.ReaderError):
            check_size(_as_yaml(text))
    is_json = looks_like_json and (is_called_json or _is_json(text))
    if is_json:
        _check_json(text)
    try:
        # One character for another, so that whatever follows stays in its column.
        node, aliases = composed(_as_yaml(text) if is_json else text)
    except yaml.MarkedYAMLError as error:
        raise wrong(place_of(error.problem_mark or error.context_mark), _said(error)) from None
    except yaml.reader.ReaderError as error:
        # The first of its kind: libyaml counts bytes to it, and PyYAML's own reader characters.
        odd = chr(error.character)
        raise wrong(
            _place(text, text.index(odd)), f"the character {odd!r} cannot be in YAML"
        ) from None
    if node is None:
        raise wrong(Position(1, 1), "the file is empty")
    reader = _Reader(_json_meaning(text) if is_json else meaning, aliases)
    value = reader.value(node, ())
    if reader.problems:
        raise ManifestError(reader.problems)
    return value


def _as_yaml(text: str) -> str:
    """JSON that YAML reads, with each value where it was; what the strings say is asked of JSON
    itself.
    """
    return _ESCAPE.sub(
        lambda escape: "------" if len(escape[0]) == 6 else escape[0], _ODD_IN_YAML.sub(" ", text)
    )


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise wrong(Position(1, 1), f"the file has more than {MOST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        raise wrong(
            _place(before, len(before)), f"the byte 0x{content[error.start]:02x} is no UTF-8"
        ) from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_json(text: str) -> None:
    def refuse(word: str) -> None:
        index = next(one.start() for one in _STRING_OR_CONSTANT.finditer(text) if one[0] == word)
        raise json.JSONDecodeError(f"{word} is no value of JSON", text, index)

    try:
        json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise wrong(Position(error.lineno, error.colno), f"this is no JSON: {error.msg}") from None
    except RecursionError:
        raise wrong(Position(1, 1), "it is nested too deeply") from None
    except ValueError as error:
        raise wrong(Position(1, 1), f"this is no JSON: {one_line(str(error))}") from None


def _json_meaning(text: str) -> Callable[[yaml.ScalarNode], tuple[Any, str | None]]:
    """As JSON has it, whose strings are written otherwise than YAML's: an emoji may be two
    escapes.
    """

    def of(node: yaml.ScalarNode) -> tuple[Any, str | None]:
        written = text[node.start_mark.index : node.end_mark.index]
        data = json.loads(written)
        return data, None if isinstance(data, str) else written.strip()

    return of


class _Reader:
    def __init__(
        self, scalar: Callable[[yaml.ScalarNode], tuple[Any, str | None]], aliases: Aliases
    ):
        self._scalar, self._aliases = scalar, aliases
        self._left = MOST_VALUES
        self._deepest = 0
        self._known: dict[int, tuple[Value, int, int]] = {}
        """Values, how many there are in each and how deep it is nested, by the identity of their
        nodes: an alias is read once.
        """
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, above: tuple[int, ...]) -> Value:
        """The value of a node, which is in those ``above``, by their identity."""
        place = place_of(node.start_mark)
        if id(node) in above:
            raise wrong(place, "an alias leads to a value that it is in")
        known, size, levels = self._known.get(id(node), (None, 1, 0))
        self._left -= size
        if self._left < 0:
            raise wrong(place, f"with its aliases the file has more than {MOST_VALUES:,} values")
        depth = len(above) + levels
        if depth > MOST_DEPTH:
            raise wrong(place, f"with its aliases it is {TOO_DEEP}")
        if known is None:
            left, deepest, self._deepest = self._left, self._deepest, depth
            known = self._read(node, place, (*above, id(node)))
            self._known[id(node)] = known, 1 + left - self._left, self._deepest - depth
            depth, self._deepest = self._deepest, deepest
        self._deepest = max(self._deepest, depth)
        return known

    def _read(self, node: yaml.Node, place: Position, within: tuple[int, ...]) -> Value:
        if isinstance(node, yaml.MappingNode):
            members = self._members(node, within)
            return Value(place, {name: one.value.data for name, one in members.items()}, members)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(self._item(node, number, within) for number in range(len(node.value)))
            return Value(place, [one.data for one in items], items=items)
        assert isinstance(node, yaml.ScalarNode)  # PyYAML composes only these three kinds.
        try:
            data, written = self._scalar(node)
        except ValueError as error:
            self._refuse(place, str(error))
            data, written = None, None
        return Value(place, data, written=written)

    def _item(self, node: yaml.SequenceNode, number: int, within: tuple[int, ...]) -> Value:
        """An item of a list: it stands where its alias stands, and what is in it where that is
        written.
        """
        item = self.value(node.value[number], within)
        alias = self._aliases.get((node.start_mark.index, number))
        return replace(item, place=alias) if alias else item

    def _members(self, node: yaml.MappingNode, above: tuple[int, ...]) -> dict[str, Member]:
        own: dict[str, Member] = {}
        merged: dict[str, Member] = {}
        for key, value in node.value:
            place = place_of(key.start_mark)
            if key.tag == _MERGE:
                for map_ in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    merged = {**self.value(map_, above).members, **merged}
                continue
            name = self._name(key, place)
            if name in own:
                first = own[name].place
                self._refuse(
                    place,
                    f"{name!r} stands here twice, first in line {first.line}, "
                    f"column {first.column}",
                )
            own[name] = Member(place, self.value(value, above))
        return {**merged, **own}

    def _name(self, key: yaml.Node, place: Position) -> str:
        name = None
        if isinstance(key, yaml.ScalarNode):
            try:
                name, written = self._scalar(key)
                if not isinstance(name, str):
                    self._refuse(place, f'a name has to be text: write "{written}", in quotes')
                    text: str = key.value
                    return text
            except ValueError as error:
                self._refuse(place, str(error))
        else:
            self._refuse(place, "a name has to be text")
        return name or ""

    def _refuse(self, place: Position, sentence: str) -> None:
        self.problems.append(Problem(place, "", one_line(sentence)))


def _said(error: yaml.MarkedYAMLError) -> str:
    return (
        "this is no YAML: "
        f"{', '.join(one_line(part) for part in (error.context, error.problem) if part)}"
    )


def _place(text: str, index: int) -> Position:
    return Position(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))
