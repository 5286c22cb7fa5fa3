"""What an answer has that it should not, and the other way round; the words for an answer."""

import re
from collections.abc import Iterator
from typing import Any


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """One line per difference; none when ``actual`` is as ``expected``, where regular expressions
    stand for texts.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in sorted({*expected, *actual}):
            here = f"{path}.{name}" if path else name
            if name not in actual:
                yield f"{here} is missing"
            elif name not in expected:
                yield f"{here} should not be there: {actual[name]!r}"
            else:
                yield from differences(expected[name], actual[name], here)
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(wanted, got, f"{path}[{index}]")
    elif isinstance(expected, re.Pattern):
        if not isinstance(actual, str) or not expected.fullmatch(actual):
            yield f"{path} is {actual!r}, not like {expected.pattern}"
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path} is {actual!r}, not {expected!r}"


def in_words(answer: Any, error_message: Any) -> str:
    """An answer by its status and verdict, an error by the stage that refused the event. A message
    may be a regular expression.
    """
    if error_message is not None:
        text = getattr(error_message, "pattern", error_message).replace("\\", "")
        return f"refused: {text.removeprefix('[ERROR][').partition(']')[0]}"[:60]
    try:
        return f"{answer['statusCode']} {answer['body']['deployment']['verdict']}"
    except (KeyError, TypeError):
        return f"{answer!r}"[:60]
