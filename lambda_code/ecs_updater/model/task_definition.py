"""A task definition: its containers, and the new revision with other images.

Works on the wire JSON of ECS: the SDK drops the fields that are newer than its model.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import AmbiguousContainerError, ContainerNotFoundError, InvalidImageError
from .arn import revision_name
from .image import ImageReference
from .tags import is_reserved

Json = Mapping[str, Any]


def container(task_definition: Json, name: str) -> Json:
    """Returns the definition of the container `name`. Raises ContainerNotFoundError."""
    definitions: Sequence[Json] = task_definition["containerDefinitions"]
    for definition in definitions:
        if definition["name"] == name:
            return definition
    revision = revision_name(task_definition["taskDefinitionArn"])
    raise ContainerNotFoundError(
        f"container {name} not found in task definition {revision}, which has {_names(definitions)}"
    )


def addressed_container(
    task_definition: Json, name: str | None, image: ImageReference | None
) -> Json:
    """Returns the definition of the container that gets `image`, or the settings of an event.

    That is the container `name`. Without a name it is the only container, else the only one whose
    image has the same repository. Raises ContainerNotFoundError or AmbiguousContainerError.
    """
    if name is not None:
        return container(task_definition, name)
    definitions: Sequence[Json] = task_definition["containerDefinitions"]
    if len(definitions) == 1:
        return definitions[0]
    if image is None:
        raise AmbiguousContainerError(
            f"the task definition has several containers: name one of {_names(definitions)} in "
            "ecs_container_name"
        )
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


def with_images(task_definition: Json, images: Mapping[str, str]) -> Json:
    """Returns the task definition with other images, by container."""
    definitions = [
        {**definition, "image": images[definition["name"]]}
        if definition["name"] in images
        else definition
        for definition in task_definition["containerDefinitions"]
    ]
    return {**task_definition, "containerDefinitions": definitions} if images else task_definition


def registrable_tags(tags: Sequence[Json]) -> list[Json]:
    """Returns the tags that a new revision can have: all but those that only AWS sets."""
    return [tag for tag in tags if not is_reserved(tag["key"])]


def essential_containers(task_definition: Json, addressed: str) -> list[str]:
    """Returns the names of the essential containers, the addressed one first."""
    names = [
        definition["name"]
        for definition in task_definition["containerDefinitions"]
        if definition.get("essential", True)
    ]
    return sorted(names, key=lambda name: name != addressed)


def container_images(task_definition: Json) -> dict[str, str]:
    """Returns the image of each container."""
    return {
        definition["name"]: definition.get("image", "")
        for definition in task_definition["containerDefinitions"]
    }


def memory(task_definition: Json, definition: Json) -> int | str | None:
    """Returns the container's hard limit in MiB, by default the task's."""
    limit = definition.get("memory") or task_definition.get("memory")
    return int(limit) if isinstance(limit, str) and limit.isdecimal() else limit


def _has_repository(definition: Json, repository: str) -> bool:
    try:
        return ImageReference.parse(definition.get("image") or "").repository == repository
    except InvalidImageError:
        return False


def _names(definitions: Sequence[Json]) -> str:
    return ", ".join(sorted(definition["name"] for definition in definitions))


@dataclass(frozen=True)
class RegistrableFields:
    """Fields that the SDK knows, as shapes of its request and answer. ECS can have newer ones."""

    registered: Any
    returned: Any

    @property
    def read_only(self) -> frozenset[str]:
        """Returns the fields that ECS adds, such as `revision` and `registeredAt`."""
        return frozenset(self.returned.members) - frozenset(self.registered.members)

    def registrable(self, task_definition: Json) -> dict[str, Any]:
        """Returns a task definition without the fields that ECS adds."""
        read_only = self.read_only
        return {name: value for name, value in task_definition.items() if name not in read_only}

    def split(self, revision: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Returns `revision` without unknown fields, and the paths of these.

        A path is, for example, `containerDefinitions[0].newField`.
        """
        unknown: list[str] = []
        return _known(revision, self.registered, "", unknown), unknown


def _known(value: Any, shape: Any, path: str, unknown: list[str]) -> Any:
    """Returns `value` without unknown fields, at any depth. Adds their paths to `unknown`."""
    kind = shape.type_name
    if kind == "list" and isinstance(value, list):
        return [
            _known(member, shape.member, f"{path}[{index}]", unknown)
            for index, member in enumerate(value)
        ]
    if kind not in ("structure", "map") or not isinstance(value, dict):
        return value
    known = {}
    for name, member in value.items():
        here = f"{path}.{name}" if path else name
        inner = shape.members.get(name) if kind == "structure" else shape.value
        if inner is None:
            unknown.append(here)
            continue
        kept = _known(member, inner, here, unknown)
        # A union must have one member: one whose only member is unknown is left out.
        if kept or not member or not getattr(inner, "is_tagged_union", False):
            known[name] = kept
    return known
