"""Which fields of a task definition RegisterTaskDefinition takes, derived from the SDK's model of
ECS: no list to keep by hand.

A shape is botocore's description of a JSON value: ``type_name``, and ``members`` (structure),
``member`` (list) or ``value`` (map).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RegistrableFields:
    """The fields that the SDK knows. A newer ECS may have more: those are unknown, not wrong."""

    registered: Any
    """The shape RegisterTaskDefinitionRequest."""
    described: Any
    """The shape TaskDefinition."""

    @property
    def read_only(self) -> frozenset[str]:
        """Fields that ECS adds to what was registered, such as ``revision`` and
        ``registeredAt``.
        """
        return frozenset(self.described.members) - frozenset(self.registered.members)

    def unknown(self, revision: dict[str, Any]) -> Iterator[str]:
        """Paths of the fields in ``revision`` that the SDK does not know, such as
        ``containerDefinitions[0].newField``.
        """
        return _unknown(revision, self.registered, "")

    def known(self, revision: dict[str, Any]) -> dict[str, Any]:
        """``revision`` without the fields that the SDK does not know, at any depth."""
        known: dict[str, Any] = _known(revision, self.registered)
        return known


def _unknown(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in value.items():
            here = f"{path}.{name}" if path else name
            if name in shape.members:
                yield from _unknown(member, shape.members[name], here)
            else:
                yield here
    elif shape.type_name == "list" and isinstance(value, list):
        for index, member in enumerate(value):
            yield from _unknown(member, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for name, member in value.items():
            yield from _unknown(member, shape.value, f"{path}.{name}")


def _known(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        members = {
            name: _known(member, shape.members[name])
            for name, member in value.items()
            if name in shape.members
        }
        return {
            name: member
            for name, member in members.items()
            if not _lost_its_member(member, value[name], shape.members[name])
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_known(member, shape.member) for member in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _known(member, shape.value) for name, member in value.items()}
    return value


def _lost_its_member(known: Any, value: Any, shape: Any) -> bool:
    """Whether a union, which must have one member, has none left because its only one is
    unknown.
    """
    return getattr(shape, "is_tagged_union", False) and not known and bool(value)
