"""What a word in YAML means, and how it was written.

YAML 1.1, which PyYAML reads, takes many a word for something else than text: ``1.10`` for a number, ``on`` for true,
``2026-01-31`` for a date. A field that wants text is told so, with the word as it stands in the file.
https://yaml.org/type/
"""

import datetime
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

_TEXT = "tag:yaml.org,2002:str"
_TYPED = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null", "timestamp"))


class Date:
    """A date, which is no value of JSON and fits no field. It looks as it is written."""

    def __init__(self, written: str):
        self._written = written

    def __repr__(self) -> str:
        return self._written


class Number(float):
    """A number with a fraction that looks as it is written: ``1.10`` is not ``1.1`` to who wrote it."""

    written = ""

    def __repr__(self) -> str:
        return self.written


def meaning(node: yaml.ScalarNode) -> tuple[Any, str | None]:
    """The value of a word, and how it is written where that is no text. Raises ValueError with a sentence."""
    if node.tag == _TEXT:
        return node.value, None
    if node.tag not in _TYPED:
        raise ValueError(f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} means nothing here: leave it out")
    try:
        data = SafeConstructor().construct_object(node, deep=True)
    except ValueError:
        data = Date(node.value)  # A day that there is not, or a number of thousands of digits.
    if isinstance(data, datetime.date):
        data = Date(node.value)
    if type(data) is float:  # pylint: disable=unidiomatic-typecheck  # A bool is none, and neither is what is made here.
        data = Number(data)
        data.written = node.value
    return data, node.value


def hint(data: Any, written: str) -> str:
    """What to do about a value that was to be text, and how it is written."""
    kinds = {bool: "true or false", int: "a number", float: "a number", Number: "a number", Date: "a date", type(None): "nothing"}
    return f'{written or "an empty value"} is {kinds[type(data)]} here: write "{written}", in quotes'
