"""Whether the fields of a dataclass have values of the types that they are declared with. Pure.

Only the kinds of types that an entry has: classes, unions, mappings and sequences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints


def check_types(data: Any) -> None:
    """Raises TypeError for the first field, of a dataclass or of one in it, whose value has another
    type.
    """
    kind: type = type(data)
    for name, hint in _types(kind).items():
        value = getattr(data, name)
        if not _fits(value, hint):
            raise TypeError(f"{name} is {type(value).__name__}")
        if is_dataclass(value):
            check_types(value)


@cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return any(_fits(value, one) for one in arguments)
    if kind is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(one, arguments[1]) for one in value.values()
        )
    if kind is Sequence:
        return isinstance(value, (list, tuple)) and all(_fits(one, arguments[0]) for one in value)
    return isinstance(value, hint)
