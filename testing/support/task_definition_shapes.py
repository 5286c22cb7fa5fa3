"""What ECS's own model says a task definition is made of, and documents that use all of it."""

from typing import Any

import botocore.session
from botocore.model import Shape

_MODEL = botocore.session.Session().get_service_model("ecs")

REGISTERED: Shape = _MODEL.shape_for("RegisterTaskDefinitionRequest")

EACH_KIND: dict[str, Any] = {
    "string": "text",
    "integer": 7,
    "long": 7,
    "float": 0.5,
    "double": 0.5,
    "boolean": True,
}
FALSY: dict[str, Any] = {
    "string": "",
    "integer": 0,
    "long": 0,
    "float": 0.0,
    "double": 0.0,
    "boolean": False,
}


def with_every_field(shape: Shape, scalars: dict[str, Any]) -> Any:
    """A value of ``shape`` with every member set at every depth (a union's first one), made of
    ``scalars`` by type.
    """
    match shape.type_name:
        case "structure":
            members = list(shape.members.items())[: 1 if shape.is_tagged_union else None]
            return {name: with_every_field(member, scalars) for name, member in members}
        case "list":
            return [with_every_field(shape.member, scalars)]
        case "map":
            return {"key": with_every_field(shape.value, scalars)}
    return _allowed(shape, scalars[shape.type_name])


def _allowed(shape: Shape, scalar: Any) -> Any:
    """``scalar``, or what the model allows in its place."""
    smallest = shape.metadata.get("min", 0)
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else scalar or "k" * smallest
    return max(scalar, smallest) if shape.type_name == "integer" else scalar
