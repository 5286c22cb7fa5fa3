"""Decides what an update has to write, possibly nothing. Pure: whatever can be refused is refused here, before the first write."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import task_definition as td
from .errors import InvalidEventError, ServiceTagsRefusedError
from .event import UpdateRequest
from .fields import RegistrableFields
from .settings import DROP, KEEP
from .snapshot import Snapshot
from .tags import TagChanges, tag_changes


@dataclass(frozen=True)
class ImageChange:
    """One container's image, before and after."""

    container: str
    before: str
    after: str


@dataclass(frozen=True)
class Plan:
    """What to write to one service."""

    snapshot: Snapshot
    container: str
    """The name of the container that was addressed."""
    images: tuple[ImageChange, ...]
    tags: TagChanges
    revision: Mapping[str, Any] | None
    """The body of RegisterTaskDefinition, as it goes over the wire; None when no image changes."""
    unknown_fields: tuple[str, ...]
    """Paths in the running revision of fields that are newer than the SDK."""
    drops_unknown_fields: bool
    """Whether ``revision`` is without them."""
    force_new_deployment: bool

    @property
    def deploys(self) -> bool:
        """Whether the service gets a new deployment."""
        return self.revision is not None or self.force_new_deployment

    @property
    def writes(self) -> bool:
        """Whether anything has to be written at all."""
        return self.deploys or bool(self.tags)


@dataclass(frozen=True)
class Applied:
    """What came of a plan, as the answers of its writes say."""

    task_definition: Mapping[str, Any]
    """The revision that the service runs or is about to run."""
    deployment_id: str | None
    """The deployment that this update made; None when it made none."""
    updated_on: datetime | None


def make_plan(snapshot: Snapshot, request: UpdateRequest, fields: RegistrableFields, unknown_fields: str = KEEP) -> Plan:
    """What to write so that the service of ``snapshot`` is as ``request`` says.

    ``fields`` knows what RegisterTaskDefinition takes; ``unknown_fields`` is the setting of that name, ``keep`` or ``drop``.
    Raises ContainerNotFoundError, AmbiguousContainerError, InvalidEventError or ServiceTagsRefusedError.
    """
    running = snapshot.task_definition
    addressed = td.addressed_container(running, request.container, request.image)["name"]
    images = _image_changes(running, addressed, request)
    revision, unknown = None, ()
    if images:
        revision = td.new_revision(running, {change.container: change.after for change in images}, fields.read_only)
        unknown = tuple(fields.unknown(revision))
        if unknown_fields == DROP:
            revision = fields.known(revision)
        if tags := td.registrable_tags(snapshot.task_definition_tags):
            revision["tags"] = tags
    return Plan(
        snapshot=snapshot,
        container=addressed,
        images=images,
        tags=_tag_changes(snapshot, request),
        revision=revision,
        unknown_fields=unknown,
        drops_unknown_fields=bool(unknown) and unknown_fields == DROP,
        force_new_deployment=request.force_new_deployment,
    )


def _tag_changes(snapshot: Snapshot, request: UpdateRequest) -> TagChanges:
    changes = tag_changes(snapshot.tags, request.tags, request.tag_mode)
    if changes and snapshot.has_short_arn:
        raise ServiceTagsRefusedError(
            f"service tags could not be updated {snapshot.service_arn} is an ARN of the short form, and ECS takes tags only for "
            "services with the long one, which has the cluster in it: make the service anew, or send the tags that it has"
        )
    return changes


def _image_changes(running: td.Json, addressed: str, request: UpdateRequest) -> tuple[ImageChange, ...]:
    """The images that differ, in the order of the containers."""
    wanted = {name: str(image) for name, image in request.container_images.items()}
    for name in wanted:
        td.container(running, name)
    if wanted.setdefault(addressed, str(request.image)) != str(request.image):
        raise InvalidEventError(
            f"ecs_container_images.{addressed}: this container gets ecs_image_name, {request.image}, and cannot have "
            f"{wanted[addressed]} as well"
        )
    return tuple(
        ImageChange(definition["name"], definition.get("image", ""), wanted[definition["name"]])
        for definition in running["containerDefinitions"]
        if wanted.get(definition["name"], definition.get("image")) != definition.get("image")
    )
