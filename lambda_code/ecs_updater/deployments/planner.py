"""From a request to a plan: reads the service, the registry and the ledger, and writes nothing."""

from collections.abc import Callable
from dataclasses import replace

from ..aws.ecs import Ecs
from ..context import Call
from ..errors import RollbackTargetError
from ..ledger.entry import Entry, Side
from ..ledger.store import History
from ..model import task_definition as td
from ..model.arn import revision_name
from ..model.image import ImageReference
from ..model.plan import Applied, Plan, make_plan, make_rollback_plan, registration
from ..model.request import Request, RollbackRequest, UpdateRequest
from ..model.service import ServiceDescription, Snapshot
from ..model.tags import REPLACE
from ..registry.manifest import needed_platform
from ..registry.verify import Registries, Verified, verify_all
from ..settings import OFF, REQUIRE, TAG, Settings
from .reader import check_family, read, read_errors
from .response import of_plan
from .rollback_target import TargetSearch

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
        self._verified: dict[str, Verified] | None = None

    @property
    def notes(self) -> list[str]:
        """Unverified facts about the images, and the revisions that a rollback passes over."""
        doubts = (image.doubt for image in (self._verified or {}).values())
        return [*filter(None, doubts), *self._passed_over]

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
        family = self._settings.family if isinstance(request, UpdateRequest) else None
        return self.plan_from(read(self._ecs, request, family, description), request)

    def plan_from(self, snapshot: Snapshot, request: Request) -> Plan:
        """Returns the plan for a service that was read."""
        if isinstance(request, UpdateRequest):
            plan = make_plan(snapshot, request, self._ecs.fields, self._settings)
            has_to_verify = plan.deploys and self._settings.verify_image != OFF
            if request.images and (has_to_verify or self._settings.pin_digest != OFF):
                pinned = self._verify_and_pin(request, snapshot)
                plan = make_plan(snapshot, pinned, self._ecs.fields, self._settings)
            return plan
        assert isinstance(request, RollbackRequest)
        return self._rollback(snapshot, request)

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
            task_definition=task_definition,
            task_definition_tags=tuple(tags),
            deployment_ids=plan.snapshot.deployment_ids
            | {other["id"], applied.deployment_id or ""},
            updated_on=other.get("updatedAt"),
            tags=plan.tags.after,
        )
        # The deployment was forced already.
        again = self.plan_from(snapshot, replace(request, force_new_deployment=False))
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
            ),
            after=Side(
                # A revision to be registered has none yet.
                planned.get("taskDefinitionArn"),
                td.container_images(planned),
                plan.tags.after,
                td.essential_containers(planned, plan.container),
            ),
            rollback_on_failure=update is not None and update.rollback_on_failure,
            rollback_to=snapshot.completed,
            replaces_tags=update is not None
            and update.tags is not None
            and update.tag_mode == REPLACE,
            deploys=plan.deploys,
            digests={name: sorted(digests) for name, digests in self.digests(plan).items()},
            previous_deployment_id=snapshot.deployment_id,
            previous_service_deployment_arn=snapshot.service_deployment_arn,
            answer=of_plan(plan),
        )

    def _pin(self, verified: Verified) -> ImageReference:
        if self._settings.pin_digest == OFF:
            return verified.image
        return verified.pinned(keep_tag=self._settings.pin_digest == TAG)

    def _rollback(self, snapshot: Snapshot, request: RollbackRequest) -> Plan:
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
