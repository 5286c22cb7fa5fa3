"""Checks the JSON text of a parameter against its schema, see `schemas/targets.json`.

Only an invocation that needs such a parameter imports this.
"""

from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError, best_match

from ..errors import InvalidEventError, one_line
from .event_parser import Schema, parse_json


def sentence_of(violation: ValidationError) -> str:
    """Returns path and reason of a violation without its value, which may be an external id."""
    path = ".".join(map(str, violation.absolute_path))
    reason = violation.message.replace(repr(violation.instance), "the value", 1)
    return one_line(f"{path}: {reason}" if path else reason)


def document_of(
    text: str, schema: str, sentence: Callable[[ValidationError], str] = sentence_of
) -> Any:
    """Returns the value of a text that fits this schema.

    `sentence` returns the sentence of a violation. Raises ValueError, with the path in the value.
    """
    try:
        document = parse_json(text, "its value")
    except InvalidEventError as error:
        raise ValueError(error.violation) from None
    except RecursionError:
        raise ValueError("its value is nested too deeply") from None
    validator = Draft4Validator(Schema(schema).document)
    if violation := best_match(validator.iter_errors(document)):
        raise ValueError(sentence(violation))
    # In Python's regular expressions, `$` lets a newline through.
    for path in _with_newline(document):
        raise ValueError(f"{one_line(path)}: it ends with a newline")
    return document


def _with_newline(value: Any, path: str = "") -> Iterator[str]:
    """Yields the path of each key and string that ends with a newline."""
    if isinstance(value, str) and value.endswith("\n"):
        yield path
    named = value.items() if isinstance(value, dict) else ()
    numbered = enumerate(value) if isinstance(value, list) else ()
    for name, part in (*named, *numbered):
        shown = str(name).strip()
        if str(name).endswith("\n"):
            yield f"{path}.{shown}".lstrip(".")
        yield from _with_newline(part, f"{path}.{shown}".lstrip("."))
