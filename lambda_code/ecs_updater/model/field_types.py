"""Builds and checks data from outside, such as a message or an item of the ledger."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Data = TypeVar("Data")


def build(kind: Callable[..., Data], values: Mapping[str, Any]) -> Data:
    """Returns a dataclass from the values of its fields, and of the dataclasses in its fields.

    Values without a field are left out. Raises TypeError for a missing value or a wrong type.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{getattr(kind, '__name__', kind)} is {type(values).__name__}")
    known: dict[str, Any] = {}
    for name, hint in _type_hints(kind).items():
        if name in values:
            inner: Any = next(filter(is_dataclass, (hint, *get_args(hint))), None)
            value = values[name]
            if inner and isinstance(value, list):
                known[name] = [build(inner, element) for element in value]
            else:
                known[name] = build(inner, value) if inner else value
    data = kind(**known)
    check_types(data)
    return data


def check_types(data: Any) -> None:
    """Checks each field of a dataclass, and of the dataclasses in its fields.

    Raises TypeError for the first value that does not have the type of its field.
    """
    kind: type = type(data)
    for name, hint in _type_hints(kind).items():
        value = getattr(data, name)
        if not _has_type(value, hint):
            raise TypeError(f"{name} is {type(value).__name__}")
        if is_dataclass(value):
            check_types(value)


@cache
def _type_hints(kind: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _has_type(value: Any, hint: Any) -> bool:
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return any(_has_type(value, argument) for argument in arguments)
    if kind is Mapping:
        return isinstance(value, Mapping) and all(
            _has_type(element, arguments[1]) for element in value.values()
        )
    if kind is Sequence:
        return isinstance(value, list | tuple) and all(
            _has_type(element, arguments[0]) for element in value
        )
    return hint is Any or isinstance(value, hint)
