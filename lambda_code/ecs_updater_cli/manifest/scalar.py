"""What a word in YAML means, and how it was written.

YAML 1.1, which PyYAML reads, takes many a word for something else than text: ``1.10`` for a number,
``on`` for true, ``2026-01-31`` for a date. A field that wants text is told so, with the word as it
stands in the file. https://yaml.org/type/
"""

import datetime
import math
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

_YAML = "tag:yaml.org,2002:"
_TEXT, _TIME = f"{_YAML}str", f"{_YAML}timestamp"
_TYPED = frozenset(f"{_YAML}{name}" for name in ("bool", "int", "float", "null", "timestamp"))


class Date:
    """A date, which is no value of JSON and fits no field. It looks as it is written."""

    def __init__(self, written: str):
        self._written = written

    def __repr__(self) -> str:
        return self._written


class Number(float):
    """A number that looks as it is written: ``1.10`` is not ``1.1`` to who wrote it."""

    written = ""

    @classmethod
    def of(cls, value: float, written: str) -> "Number":
        """That of a value, and how it is written."""
        number = cls(value)
        number.written = written
        return number

    def __repr__(self) -> str:
        return self.written


def meaning(node: yaml.ScalarNode) -> tuple[Any, str | None]:
    """The value of a word, and how it is written where that is no text.

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
        # PyYAML takes it that the word suits its tag.
        resolved = Resolver().resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]  # Untyped stub.
        if resolved != node.tag:
            raise ValueError(f'the tag {tag} does not suit "{node.value}": leave it out') from None
        # A day that there is not, or a number of thousands of digits.
        data = Date(node.value) if node.tag == _TIME else Number.of(math.inf, node.value)
    if isinstance(data, datetime.date):
        data = Date(node.value)
    if type(data) is float:  # pylint: disable=unidiomatic-typecheck  # A bool is none, and neither is what is made here.
        data = Number.of(data, node.value)
    return data, node.value


def hint(data: Any, written: str) -> str:
    """What to do about a value that was to be text, and how it is written."""
    if data is None and written:
        return (
            f'{written} is nothing: leave it out, or write "{written}", in quotes, '
            "where the word is meant"
        )
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        Number: "a number",
        Date: "a date",
        type(None): "nothing",
    }
    return (
        f'{written or "an empty value"} is {kinds[type(data)]} here: write "{written}", in quotes'
    )
