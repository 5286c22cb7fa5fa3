"""The new revision of a task definition: the running one with other images, and nothing else
changed.

Works on the JSON that ECS sends and takes on the wire, not on what boto3 makes of it: boto3 drops
the fields that are newer than its own model.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import AmbiguousContainerError, ContainerNotFoundError, InvalidImageError
from .image import ImageReference
from .tags import is_reserved

Json = Mapping[str, Any]


def container(task_definition: Json, name: str) -> Json:
    """The definition of the container ``name``.

    Raises ContainerNotFoundError, which lists the names that there are.
    """
    definitions: Sequence[Json] = task_definition["containerDefinitions"]
    for definition in definitions:
        if definition["name"] == name:
            return definition
    raise ContainerNotFoundError(
        f"container {name} not found in task definition {revision_name(task_definition)}, "
        f"which has {_names(task_definition['containerDefinitions'])}"
    )


def addressed_container(task_definition: Json, name: str | None, image: ImageReference) -> Json:
    """The container that ``image`` is for.

    It is the one called ``name``; without a name the only one; among several the one whose image
    has the same repository. Raises ContainerNotFoundError or AmbiguousContainerError, which list
    the names that there are.
    """
    if name is not None:
        return container(task_definition, name)
    definitions: Sequence[Json] = task_definition["containerDefinitions"]
    if len(definitions) == 1:
        return definitions[0]
    matching = [
        definition for definition in definitions if _has_repository(definition, image.repository)
    ]
    if len(matching) == 1:
        return matching[0]
    raise AmbiguousContainerError(
        f"{'several containers run' if matching else 'no container runs'} an image of "
        f"{image.repository}: name one of "
        f"{_names(matching or definitions)} in ecs_container_name"
    )


def new_revision(
    task_definition: Json, images: Mapping[str, str], read_only: Collection[str]
) -> dict[str, Any]:
    """What to register so that the containers named in ``images`` run those images.

    ``read_only`` are the fields of a task definition that RegisterTaskDefinition does not take.
    """
    revision = {name: value for name, value in task_definition.items() if name not in read_only}
    revision["containerDefinitions"] = [
        {**definition, "image": images[definition["name"]]}
        if definition["name"] in images
        else definition
        for definition in task_definition["containerDefinitions"]
    ]
    return revision


def registrable_tags(tags: Sequence[Json]) -> list[Json]:
    """The task definition's tags that a new revision can be given: all but those that only AWS may
    set.
    """
    return [tag for tag in tags if not is_reserved(tag["key"])]


def essential_containers(task_definition: Json, addressed: str) -> list[str]:
    """Names of the containers whose end is the task's end: the addressed one first, if it is one,
    then in their order.
    """
    names = [
        one["name"] for one in task_definition["containerDefinitions"] if one.get("essential", True)
    ]
    return sorted(names, key=lambda name: name != addressed)


def memory(task_definition: Json, definition: Json) -> int | str | None:
    """The container's hard limit in MiB or, where it has none, the task's."""
    limit = definition.get("memory") or task_definition.get("memory")
    return int(limit) if isinstance(limit, str) and limit.isdecimal() else limit


def revision_name(task_definition: Json) -> str:
    """``family:revision``, as people write it."""
    return f"{task_definition['family']}:{task_definition['revision']}"


def _has_repository(definition: Json, repository: str) -> bool:
    try:
        return ImageReference.parse(definition.get("image") or "").repository == repository
    except InvalidImageError:
        return False


def _names(definitions: Sequence[Json]) -> str:
    return ", ".join(sorted(definition["name"] for definition in definitions))


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
