"""Decides what an update writes, possibly nothing. Raises its errors before the first write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..errors import InvalidEventError, ServiceTagsRefusedError
from ..settings import DROP, ENABLE, Settings
from . import task_definition as td
from .request import RunBefore, UpdateRequest
from .revision_settings import SettingChange, check_fargate_size, setting_changes, with_settings
from .service import Snapshot
from .service_settings import (
    ALARMS,
    BREAKER,
    COUNT,
    UNCHANGED,
    SettingsChange,
    configuration_with,
    settings_change,
)
from .strategy import ROLLING
from .tags import REPLACE, TagChanges, tag_changes
from .task_definition import RegistrableFields


@dataclass(frozen=True)
class ImageChange:
    """Image of one container before and after."""

    container: str
    before: str
    after: str


@dataclass(frozen=True)
class Plan:
    """What to write to one service."""

    snapshot: Snapshot
    container: str
    images: tuple[ImageChange, ...]
    tags: TagChanges
    revision: Mapping[str, Any] | None
    """Wire JSON of RegisterTaskDefinition. None: neither an image nor a setting changes."""
    unknown_fields: tuple[str, ...]
    """Paths of fields of the running revision that are newer than the SDK."""
    drops_unknown_fields: bool
    force_new_deployment: bool
    settings: tuple[SettingChange, ...] = ()
    """Changed settings of the revision."""
    target: Mapping[str, Any] | None = None
    """Existing revision to deploy. With `revision`, its content is registered again."""
    service_settings: SettingsChange = UNCHANGED
    """Settings of the service that the event names."""
    adds_breaker: bool = False
    """Whether the service gets a circuit breaker by CIRCUIT_BREAKER."""
    adds_alarms: Sequence[str] = ()
    """Names of the alarms that the service gets by DEPLOYMENT_ALARMS."""
    run_before: RunBefore | None = None
    """Task to run before the deployment, with its container. None: there is none."""
    stops: str | None = None
    """Service deployment that ECS itself rolls back to the target, instead of UpdateService."""
    express: Mapping[str, Any] | None = None
    """Wire JSON of UpdateExpressGatewayService, for a revision that ECS registers. Empty: the
    revision is given by its ARN. None: it is not an Express service.
    """

    after: Mapping[str, Any] = field(init=False)
    """Task definition that the service runs afterwards. It may have no ARN yet."""
    deploys: bool = field(init=False)
    updates_service: bool = field(init=False)
    """Whether UpdateService is called."""
    changes_tags: bool = field(init=False)
    writes: bool = field(init=False)
    desired_count: int | None = field(init=False)
    """The new desired count. None: it does not change."""
    deployment_configuration: Mapping[str, Any] | None = field(init=False)
    """Wire JSON that replaces the service's. None: it does not change."""

    def __post_init__(self) -> None:
        has_revision = self.revision is not None or self.target is not None
        derived: dict[str, Any] = {
            "after": self.revision or self.target or self.snapshot.task_definition,
            "deploys": has_revision or self.force_new_deployment,
            "changes_tags": bool(self.tags),
        }
        count, configuration, has_settings = None, None, False
        if self.service_settings is not UNCHANGED or self.adds_breaker or self.adds_alarms:
            has_settings = bool(self.service_settings)
            count, configuration = self.service_settings.changed.get(COUNT), self._configuration()
        derived |= {"desired_count": count, "deployment_configuration": configuration}
        derived["updates_service"] = derived["deploys"] or has_settings
        derived["writes"] = derived["updates_service"] or derived["changes_tags"]
        vars(self).update(derived)

    def _configuration(self) -> Mapping[str, Any] | None:
        current, changed = self.snapshot.deployment_configuration, self.service_settings.changed
        if self.adds_breaker:
            breaker = {**(current.get(BREAKER) or {}), "enable": True, "rollback": True}
            changed = {**changed, BREAKER: breaker}
        if self.adds_alarms:
            names = list(self.adds_alarms)
            changed = {**changed, ALARMS: {"alarmNames": names, "enable": True, "rollback": True}}
        return configuration_with(current, changed)


@dataclass(frozen=True)
class Applied:
    """Result of a plan's writes."""

    arn: str
    """Revision that the service runs or will run."""
    deployment_id: str | None
    """Deployment of this update, or the running one of an update that only changes settings.

    None: it made none.
    """
    updated_on: datetime | None
    service_deployment_arn: str | None = None
    """Its service deployment. None: ECS has none."""
    other_deployment: Mapping[str, Any] | None = None
    """Deployment of another caller between read and write, as in DescribeServices."""
    deployed_arn: str | None = None
    """Revision of the deployment. A forced one has that of the service."""
    service: Mapping[str, Any] = field(default_factory=dict)
    """Answer of UpdateService. Empty: it was not called."""


_AS_SET = Settings()


def make_plan(
    snapshot: Snapshot,
    request: UpdateRequest,
    fields: RegistrableFields,
    settings: Settings = _AS_SET,
    target: td.Json | None = None,
) -> Plan:
    """Returns what to write for `request`.

    `fields`: the fields of RegisterTaskDefinition. `settings`: `unknown_fields` and
    `circuit_breaker` count. `target`: the requested revision, if it does not run. Raises
    ContainerNotFoundError, AmbiguousContainerError, InvalidEventError, DesiredCountError or
    ServiceTagsRefusedError.
    """
    running = snapshot.task_definition
    if target is not None:
        return _to_target(snapshot, request, settings, target)
    addressed = _addressed(running, request, settings)
    images = _image_changes(running, addressed, request)
    changed = td.with_images(running, {change.container: change.after for change in images})
    changed_settings: tuple[SettingChange, ...] = ()
    if request.settings:
        changed = with_settings(changed, request.settings, addressed)
        changed_settings = setting_changes(running, changed)
        check_fargate_size(changed, running, snapshot.on_fargate)
    revision: Mapping[str, Any] | None = None
    unknown: tuple[str, ...] = ()
    if images or changed_settings:
        revision, unknown = registration(changed, snapshot.task_definition_tags, fields, settings)
    service_settings = UNCHANGED
    if wanted := request.service_settings:
        service_settings = settings_change(request.service, snapshot.service, wanted)
    deploys = revision is not None or request.force_new_deployment
    return Plan(
        snapshot=snapshot,
        container=addressed,
        images=images,
        settings=changed_settings,
        tags=_checked(snapshot, tag_changes(snapshot.tags, request.tags, request.tag_mode)),
        revision=revision,
        unknown_fields=unknown,
        drops_unknown_fields=bool(unknown) and settings.unknown_fields == DROP,
        force_new_deployment=request.force_new_deployment,
        service_settings=service_settings,
        adds_breaker=deploys and _adds_breaker(snapshot, settings, service_settings),
        adds_alarms=_added_alarms(snapshot, settings) if deploys else (),
        run_before=_run_before(running, addressed, request)
        if request.run_before and deploys
        else None,
    )


def _to_target(
    snapshot: Snapshot, request: UpdateRequest, settings: Settings, target: td.Json
) -> Plan:
    """Returns what to write so that the service runs an existing revision."""
    wanted = tag_changes(snapshot.tags, request.tags, request.tag_mode).after
    container = _named(target, request, settings)
    plan = make_rollback_plan(snapshot, target, wanted, container, settings)
    changes = settings_change(request.service, snapshot.service, request.service_settings)
    return replace(
        plan,
        service_settings=changes,
        adds_breaker=_adds_breaker(snapshot, settings, changes),
        adds_alarms=_added_alarms(snapshot, settings),
        force_new_deployment=request.force_new_deployment,
        run_before=_run_before(target, plan.container, request),
    )


def registration(
    task_definition: Mapping[str, Any],
    tags: Sequence[Mapping[str, str]],
    fields: RegistrableFields,
    settings: Settings = _AS_SET,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns the wire JSON to register a task definition, and the paths of its unknown fields."""
    revision = fields.registrable(task_definition)
    known, unknown = fields.split(revision)
    if settings.unknown_fields == DROP:
        revision = known
    if registrable := td.registrable_tags(tags):
        revision["tags"] = registrable
    return revision, tuple(unknown)


def make_rollback_plan(
    snapshot: Snapshot,
    target: Mapping[str, Any],
    tags: Mapping[str, str] | None,
    container: str | None = None,
    settings: Settings = _AS_SET,
    *,
    again: tuple[dict[str, Any], tuple[str, ...]] | None = None,
) -> Plan:
    """Returns what to write so that the service runs `target`, an earlier revision.

    `tags`: the tags afterwards; None: unchanged. `again`: the `registration` of a target that ECS
    does not deploy any more. `container`: the container in the response, by default CONTAINER_NAME
    if the target has it. Raises ContainerNotFoundError or ServiceTagsRefusedError.
    """
    revision, unknown = again or (None, ())
    before, after = td.container_images(snapshot.task_definition), td.container_images(target)
    images = tuple(
        ImageChange(name, before.get(name, ""), image)
        for name, image in after.items()
        if before.get(name) != image
    )
    if container is not None:
        td.container(target, container)
    names = list(after)
    default = settings.container if settings.container in names else None
    return Plan(
        snapshot=snapshot,
        container=container or default or next((image.container for image in images), names[0]),
        images=images,
        settings=setting_changes(snapshot.task_definition, target),
        tags=_checked(snapshot, tag_changes(snapshot.tags, tags, REPLACE)),
        revision=revision,
        unknown_fields=unknown,
        drops_unknown_fields=bool(unknown) and settings.unknown_fields == DROP,
        force_new_deployment=False,
        target=target,
        adds_breaker=_adds_breaker(snapshot, settings),
        adds_alarms=_added_alarms(snapshot, settings),
    )


def _adds_breaker(
    snapshot: Snapshot, settings: Settings, changes: SettingsChange = UNCHANGED
) -> bool:
    """Returns whether to add a circuit breaker. An event that names it decides itself."""
    if settings.circuit_breaker != ENABLE or BREAKER in changes.after:
        return False
    configuration = snapshot.deployment_configuration
    breaker = configuration.get(BREAKER) or {}
    is_rolling = (configuration.get("strategy") or ROLLING) == ROLLING
    return is_rolling and not breaker.get("enable")


def _added_alarms(snapshot: Snapshot, settings: Settings) -> Sequence[str]:
    """Returns the alarms to add. A service with alarms keeps its own, also if they are off."""
    if not settings.deployment_alarms:
        return ()
    alarms = snapshot.deployment_configuration.get(ALARMS) or {}
    return () if alarms.get("alarmNames") else settings.deployment_alarms


def _checked(snapshot: Snapshot, changes: TagChanges) -> TagChanges:
    if snapshot.has_short_arn and changes:
        raise ServiceTagsRefusedError(
            f"service tags could not be updated {snapshot.service_arn} is an ARN of the short "
            "form, and ECS takes tags only for "
            "services with the long one, which has the cluster in it: create the service again, or "
            "send the tags that it has"
        )
    return changes


def _addressed(running: td.Json, request: UpdateRequest, settings: Settings) -> str:
    """Returns the name of the addressed container.

    An event about no container shows the one that it or CONTAINER_NAME names, or the first one.
    """
    if request.image or request.is_about_container:
        return str(td.addressed_container(running, request.container, request.image)["name"])
    name = _named(running, request, settings) or next(iter(td.container_images(running)))
    return str(td.container(running, name)["name"])


def _named(task_definition: td.Json, request: UpdateRequest, settings: Settings) -> str | None:
    """Returns the container that an event about none names. CONTAINER_NAME may not exist."""
    is_default = request.container == settings.container
    exists = request.container in td.container_images(task_definition)
    return None if is_default and not exists else request.container


def _run_before(running: td.Json, addressed: str, request: UpdateRequest) -> RunBefore | None:
    """Returns the task to run first, with its container. Raises ContainerNotFoundError."""
    if request.run_before is None:
        return None
    name = request.run_before.container or addressed
    return replace(request.run_before, container=td.container(running, name)["name"])


def _image_changes(
    running: td.Json, addressed: str, request: UpdateRequest
) -> tuple[ImageChange, ...]:
    """Returns the images that differ, in the order of the containers."""
    wanted = {name: image.text for name, image in request.container_images.items()}
    for name in wanted:
        td.container(running, name)
    image = request.image.text if request.image else None
    if image is not None and wanted.setdefault(addressed, image) != image:
        raise InvalidEventError(
            f"ecs_container_images.{addressed}: this container gets ecs_image_name, "
            f"{image}, and cannot have "
            f"{wanted[addressed]} as well"
        )
    return tuple(
        ImageChange(definition["name"], definition.get("image", ""), wanted[definition["name"]])
        for definition in running["containerDefinitions"]
        if wanted.get(definition["name"], definition.get("image")) != definition.get("image")
    )
