"""From a request to a plan: reads the service, the registry and the ledger, and writes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import NO_SUCH_REVISION
from ..context import Call
from ..errors import (
    AwsFailure,
    DesiredCountError,
    RollbackTargetError,
    TaskDefinitionNotUsableError,
)
from ..ledger.entry import Entry, Side, TaskRun
from ..ledger.store import History
from ..model import task_definition as td
from ..model.arn import account_prefix, family, revision_name
from ..model.image import ImageReference
from ..model.plan import Applied, Plan, make_plan, make_rollback_plan, registration
from ..model.request import (
    TASK_DEFINITION,
    AllowLists,
    Request,
    RollbackRequest,
    UpdateRequest,
)
from ..model.service import ServiceDescription, Snapshot
from ..model.tags import REPLACE
from ..registry.manifest import needed_platform
from ..registry.verify import Registries, Verified, verify_all
from ..settings import OFF, REQUIRE, TAG, Settings
from .ecs_rollback import EcsRollback, find_ecs_rollback
from .express import plan_express
from .reader import check_family, read, read_errors
from .response import of_plan
from .rollback_target import TargetSearch, tags_with

_REGISTRY_SECONDS = 20.0
"""Maximum duration of the reads of all images of an event."""

RateLimit = Callable[[Plan], None]
"""Waits before the lease until the calls of a plan may be made. Raises RateError."""


class Planner:
    """Makes the plans of one request."""

    def __init__(
        self,
        ecs: Ecs,
        settings: Settings,
        registries: Callable[[Settings], Registries],
        call: Call,
        history: History,
    ):
        self._ecs, self._settings, self._call, self._history = ecs, settings, call, history
        self._registries = registries
        self._passed_over: list[str] = []
        self._scaling_note: str | None = None
        self._verified: dict[str, Verified] | None = None

    @property
    def notes(self) -> list[str]:
        """Unverified facts about the images, the revisions that a rollback passes over, and what
        auto scaling does to the desired count.
        """
        doubts = [image.doubt for image in (self._verified or {}).values()]
        return [*filter(None, (*doubts, self._scaling_note)), *self._passed_over]

    def not_verified(self, plan: Plan, request: Request) -> list[str]:
        """Returns a note if no registry was asked for the images of an update."""
        if not isinstance(request, UpdateRequest) or not plan.deploys or self._verified is not None:
            return []
        if not request.images:
            return []
        images = ", ".join(map(str, request.images))
        return [f"not verified: the registry was not asked for {images} (VERIFY_IMAGE is off)"]

    def plan(self, request: Request, description: ServiceDescription | None = None) -> Plan:
        """Reads the service with two calls, or one with a `description`, and plans the writes.

        Reads the registry and the ledger if the request needs them, and raises their errors.
        """
        # A rollback may leave a revision of a wrong family.
        required = self._settings.family if isinstance(request, UpdateRequest) else None
        return self.plan_from(read(self._ecs, request, required, description), request)

    def plan_from(self, snapshot: Snapshot, request: Request) -> Plan:
        """Returns the plan for a service that was read."""
        if isinstance(request, UpdateRequest):
            target = (
                self._requested_revision(snapshot, request) if request.task_definition else None
            )
            plan = make_plan(snapshot, request, self._ecs.fields, self._settings, target)
            if plan.desired_count is not None:
                self._check_bounds(snapshot, plan.desired_count)
            has_to_verify = plan.deploys and self._settings.verify_image != OFF
            if (has_to_verify or self._settings.pin_digest != OFF) and request.images:
                pinned = self._verify_and_pin(request, snapshot)
                plan = make_plan(snapshot, pinned, self._ecs.fields, self._settings)
        else:
            assert isinstance(request, RollbackRequest)
            plan = self._rollback(snapshot, request)
        return plan_express(self._ecs, plan, request) if snapshot.is_express else plan

    def plan_again(self, plan: Plan, request: UpdateRequest, applied: Applied) -> Plan | None:
        """Returns the plan after this update replaced another one's new deployment.

        None: that deployment had the revision that was read, so nothing of it is lost.
        """
        other = applied.other_deployment
        if other is None or other["taskDefinition"] == plan.snapshot.task_definition_arn:
            return None
        with read_errors(
            f"; deployment {other['id']} of somebody else came in between, and its "
            f"revision, {revision_name(other['taskDefinition'])}, could not be read: the "
            "service runs this update's revision"
        ):
            task_definition, tags = self._ecs.describe_task_definition(other["taskDefinition"])
        snapshot = replace(
            plan.snapshot,
            deployment_configuration=plan.deployment_configuration
            or plan.snapshot.deployment_configuration,
            task_definition=task_definition,
            task_definition_tags=tuple(tags),
            deployment_ids=plan.snapshot.deployment_ids
            | {other["id"], applied.deployment_id or ""},
            updated_on=other.get("updatedAt"),
            tags=plan.tags.after,
        )
        # The deployment was forced, and the service's settings are changed already.
        rest = replace(request, force_new_deployment=False, service_settings={})
        again = self.plan_from(snapshot, rest)
        if again.revision is None and (plan.revision is not None or plan.target is not None):
            # The other deployment had the requested images.
            return replace(again, target=task_definition)
        return again

    def digests(self, plan: Plan) -> dict[str, frozenset[str]]:
        """Returns the expected image digests by container, if the registry returned all of them."""
        by_image: dict[str, Verified] = {}
        for verified in (self._verified or {}).values():
            by_image.setdefault(str(verified.image), verified)
            by_image.setdefault(str(self._pin(verified)), verified)
        return {
            container["name"]: by_image[image].digests
            for container in plan.after["containerDefinitions"]
            if (image := container.get("image", "")) in by_image and by_image[image].platform_digest
        }

    def _verify_and_pin(self, request: UpdateRequest, snapshot: Snapshot) -> UpdateRequest:
        """Returns the request with verified images, each as it is deployed."""
        if self._verified is None:
            platform = needed_platform(snapshot.task_definition, snapshot.on_fargate)
            registries = self._registries(self._settings)
            seconds = self._call.seconds_to_wait(_REGISTRY_SECONDS)
            is_required = self._settings.verify_image == REQUIRE
            self._verified = verify_all(request.images, platform, registries, is_required, seconds)
        pinned = {text: self._pin(verified) for text, verified in self._verified.items()}
        further = {name: pinned[str(image)] for name, image in request.container_images.items()}
        image = pinned[str(request.image)] if request.image else None
        return replace(request, image=image, container_images=further)

    def make_entry(self, plan: Plan, request: Request) -> Entry:
        """Returns the ledger's entry of a plan, without number and owner, which need a lease."""
        snapshot, planned = plan.snapshot, plan.after
        update = request if isinstance(request, UpdateRequest) else None
        return Entry(
            service=snapshot.key,
            number=0,
            request_id="",
            owner="",
            fence=0,
            cluster_arn=snapshot.cluster_arn,
            service_arn=snapshot.service_arn,
            action="update" if update else "rollback",
            before=Side(
                snapshot.task_definition_arn,
                td.container_images(snapshot.task_definition),
                snapshot.tags,
                td.essential_containers(snapshot.task_definition, plan.container),
                plan.service_settings.before,
            ),
            after=Side(
                # A revision to be registered has none yet.
                planned.get("taskDefinitionArn"),
                td.container_images(planned),
                plan.tags.after,
                td.essential_containers(planned, plan.container),
                plan.service_settings.after,
            ),
            rollback_on_failure=update is not None and update.rollback_on_failure,
            rollback_to=snapshot.completed,
            replaces_tags=update is not None
            and update.tags is not None
            and update.tag_mode == REPLACE,
            deploys=plan.deploys,
            registers=plan.target is None,
            digests={name: sorted(digests) for name, digests in self.digests(plan).items()},
            previous_deployment_id=snapshot.deployment_id,
            previous_service_deployment_arn=snapshot.service_deployment_arn,
            task=_task_of(plan) if plan.run_before else None,
            answer=of_plan(plan),
        )

    def _pin(self, verified: Verified) -> ImageReference:
        if self._settings.pin_digest == OFF:
            return verified.image
        return verified.pinned(keep_tag=self._settings.pin_digest == TAG)

    def _requested_revision(
        self, snapshot: Snapshot, request: UpdateRequest
    ) -> Mapping[str, Any] | None:
        """Returns the existing revision that the event names, or None if it runs already.

        Raises TaskDefinitionNotUsableError or NotAllowedError.
        """
        name, running = request.task_definition, snapshot.task_definition
        if name is None:
            return None
        found = running
        if name not in (snapshot.task_definition_arn, revision_name(snapshot.task_definition_arn)):
            found = self._describe_revision(name, running)
        images = td.container_images(found)
        for error in AllowLists.of(self._settings).rejections_of_revision(images):
            raise error
        if self._call.scope:
            self._call.scope.check_revision(request, images)
        return None if found is running else found

    def _describe_revision(self, name: str, running: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns another revision of the running family with its roles."""
        sentence = f"{TASK_DEFINITION} {name}"
        if family(name) != running["family"]:
            raise TaskDefinitionNotUsableError(
                f"{sentence} is not of the family {running['family']}, which the service runs"
            )
        place = account_prefix(running["taskDefinitionArn"])
        if name.startswith("arn:") and account_prefix(name) != place:
            raise TaskDefinitionNotUsableError(
                f"{sentence} is in another account or region than the service"
            )
        with read_errors():
            try:
                found, _ = self._ecs.describe_task_definition(name)
            except AwsFailure as failure:
                if NO_SUCH_REVISION not in failure.reason:
                    raise
                error = TaskDefinitionNotUsableError(f"{sentence} not found")
                raise error.caused_by(failure) from failure
        if (status := found.get("status")) != "ACTIVE":
            raise TaskDefinitionNotUsableError(f"{sentence} is {status}, not ACTIVE")
        for role in ("taskRoleArn", "executionRoleArn"):
            if found.get(role) != running.get(role):
                raise TaskDefinitionNotUsableError(
                    f"{sentence} has another {role} than the running revision "
                    f"{revision_name(running['taskDefinitionArn'])}: an update never changes roles"
                )
        return found

    def _check_bounds(self, snapshot: Snapshot, count: int) -> None:
        """Raises DesiredCountError for a count outside the bounds of auto scaling. Reads once."""
        if self._scaling_note is not None:
            return
        names = snapshot.key.partition("service/")[2]
        try:
            bounds = self._ecs.scaling.bounds(names)
        except AwsFailure as failure:
            self._scaling_note = (
                f"not checked: the bounds of Application Auto Scaling could not be read: {failure}"
            )
            return
        self._scaling_note = ""
        if bounds is None:
            return
        least, most = bounds
        if not least <= count <= most:
            raise DesiredCountError(
                f"ecs_desired_count {count} is outside the bounds of the service's Application "
                f"Auto Scaling: minCapacity {least}, maxCapacity {most}"
            )
        self._scaling_note = (
            f"Application Auto Scaling may change the desired count between {least} and {most}"
        )

    def _rollback(self, snapshot: Snapshot, request: RollbackRequest) -> Plan:
        """Returns the plan to the last revision that worked, or to that of ECS's own rollback."""
        with read_errors():
            going_on = None if snapshot.has_completed else find_ecs_rollback(self._ecs, snapshot)
            is_same = going_on and going_on.task_definition == snapshot.task_definition_arn
            # The same revision: a forced deployment, for example of an image whose tag has moved.
            if going_on and (going_on.is_rolling_back or is_same):
                return self._ecs_rollback(snapshot, request, going_on)
        plan = self._to_last_good(snapshot, request)
        is_target = going_on is not None and plan.revision is None and plan.target is not None
        if going_on and is_target and plan.after["taskDefinitionArn"] == going_on.task_definition:
            arn = going_on.service_deployment_arn
            return replace(plan, stops=arn, adds_breaker=False, adds_alarms=())
        return plan

    def _ecs_rollback(
        self, snapshot: Snapshot, request: RollbackRequest, going_on: EcsRollback
    ) -> Plan:
        """Returns the plan for ECS's own rollback. If that has begun, only tags may be written."""
        past = self._history.latest(snapshot.key)
        tags = tags_with(going_on.task_definition, past)
        is_primary = going_on.task_definition == snapshot.task_definition_arn
        for entry in past:
            if is_primary and entry.deployment_id == snapshot.deployment_id:
                tags = entry.before.tags
        target = snapshot.task_definition
        if not is_primary:
            target, _ = self._ecs.describe_task_definition(going_on.task_definition)
        plan = make_rollback_plan(snapshot, target, tags, request.container, self._settings)
        stops = going_on.service_deployment_arn
        return replace(
            plan,
            adds_breaker=False,
            adds_alarms=(),
            **({"target": None} if is_primary and going_on.is_rolling_back else {"stops": stops}),
        )

    def _to_last_good(self, snapshot: Snapshot, request: RollbackRequest) -> Plan:
        running, settings = snapshot.task_definition_arn, self._settings
        search = TargetSearch(
            self._ecs,
            settings,
            self._history,
            snapshot.cluster_arn,
            snapshot.service_arn,
            leaves=running,
            completed=snapshot.completed,
        )
        with read_errors():
            target = search.first()
        self._passed_over = search.notes
        if target is None:
            check_family(snapshot.task_definition, request, settings.family)
            sentence = (
                f"ecs_service_name {request.service} has no earlier revision than "
                f"{revision_name(running)} that is known to have worked"
            )
            raise RollbackTargetError(
                "; ".join([sentence, *search.notes]) + ": name the image in an update event"
            ).with_hint(f"next: ecs-updater update {request.cluster} {request.service} IMAGE")
        again = None
        if not target.is_active:
            again = registration(
                target.task_definition, target.task_definition_tags, self._ecs.fields, settings
            )
        return make_rollback_plan(
            snapshot, target.task_definition, target.tags, request.container, settings, again=again
        )


def _task_of(plan: Plan) -> TaskRun | None:
    """Returns the task to run before the deployment. None: there is none."""
    if plan.run_before is None:
        return None
    return TaskRun(
        container=plan.run_before.container or plan.container,
        timeout_seconds=plan.run_before.timeout_seconds,
        force_new_deployment=plan.force_new_deployment,
        adds_breaker=plan.adds_breaker,
        adds_alarms=plan.adds_alarms,
    )
