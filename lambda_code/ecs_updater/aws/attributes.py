"""The form in which DynamoDB's values travel. Pure.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

import re
from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]
"""An item's attributes: strings, numbers, booleans, mappings and lists.

None is an attribute that is not there.
"""

Attributes = dict[str, dict[str, Any]]
"""The same as they travel."""


def to_key(pk: str, sk: str) -> Attributes:
    """An item's key."""
    return {"pk": to_wire(pk), "sk": to_wire(sk)}


def to_values(values: Mapping[str, Any]) -> Attributes:
    """The values of an expression, each by ``:name``."""
    return {f":{name}": to_wire(value) for name, value in values.items()}


def to_item(attributes: Mapping[str, Any]) -> Item:
    """An item, from its attributes as they travelled."""
    return {name: _value(value) for name, value in attributes.items()}


def to_wire(value: Any) -> dict[str, Any]:
    """One value. Raises TypeError for what has no form in a table."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            # A lone surrogate, which JSON can bring, is no character that DynamoDB could keep.
            return {"S": value.encode("utf-8", "backslashreplace").decode()}
        case int() | float():
            return {"N": str(value)}
        case Mapping():
            return {
                "M": {name: to_wire(member) for name, member in value.items() if member is not None}
            }
        case list() | tuple():
            return {"L": [to_wire(member) for member in value]}
    raise TypeError(f"{type(value).__name__} has no form in a table")


def _value(wire: Mapping[str, Any]) -> Any:
    ((kind, value),) = wire.items()
    match kind:
        case "N":
            return float(value) if re.search(r"[.eE]", value) else int(value)
        case "M":
            return to_item(value)
        case "L":
            return [_value(member) for member in value]
    return value
