"""From a request to a plan: reads the service, and asks the registry and the history where they are
asked for. Writes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure
from ..context import Call
from ..errors import RollbackTargetError, ServiceReadError
from ..ledger.entry import Entry
from ..ledger.store import History
from ..model.image import ImageReference
from ..model.plan import Applied, Plan, make_plan, make_rollback_plan, registration
from ..model.request import Request, RollbackRequest, UpdateRequest
from ..model.service import Snapshot
from ..registry.manifest import needed_platform
from ..registry.verify import Registries, Verified, verify_all
from ..settings import OFF, REQUIRE, TAG, Settings
from .reader import Told, check_family, read
from .target_search import TargetSearch

_REGISTRY_SECONDS = 20.0
"""For all images of an event together."""

Pace = Callable[[Plan], None]
"""Waits, before anything is held or written, until the calls of a plan may be made.

Raises RateError where that is too late.
"""


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

    def past_of(self, snapshot: Snapshot) -> Sequence[Entry]:
        """Returns the service's past updates, the latest first. Raises LedgerError."""
        return self._history.latest(snapshot.key)

    @property
    def notes(self) -> list[str]:
        """What could not be found out about the images, and what a rollback does not return to."""
        if not self._verified:
            return list(self._passed_over)
        doubts = [image.doubt for image in self._verified.values() if image.doubt]
        return [*doubts, *self._passed_over]

    def not_verified(self, plan: Plan, request: Request) -> list[str]:
        """That no registry was asked for the images that ``plan`` deploys.

        A rollback deploys images that ran before.
        """
        if not isinstance(request, UpdateRequest) or not plan.deploys or self._verified is not None:
            return []
        return [
            (
                "not verified: the registry was not asked for "
                f"{', '.join(map(str, request.images))} (VERIFY_IMAGE is off)"
            )
        ]

    def plan(self, request: Request, told: Told | None = None) -> Plan:
        """Reads the service and decides what to write: two calls, and what registry and history
        cost. Raises what these raise.

        ``told`` is what DescribeServices has said already: then it is one call.
        """
        # What a rollback leaves may be of another family: that can be what went wrong.
        family = self._settings.family if isinstance(request, UpdateRequest) else None
        return self.plan_from(read(self._ecs, request, family, told), request)

    def plan_from(self, snapshot: Snapshot, request: Request) -> Plan:
        """The plan for a service that has been read."""
        if isinstance(request, UpdateRequest):
            plan = make_plan(snapshot, request, self._ecs.fields, self._settings)
            has_to_verify = plan.deploys and self._settings.verify_image != OFF
            if has_to_verify or self._settings.pin_digest != OFF:
                pinned = self._pinned(request, snapshot)
                plan = make_plan(snapshot, pinned, self._ecs.fields, self._settings)
            return plan
        assert isinstance(request, RollbackRequest)
        return self._rollback(snapshot, request)

    def plan_again(self, plan: Plan, request: UpdateRequest, applied: Applied) -> Plan | None:
        """The plan after somebody else's deployment, which ours, just made, has taken the place of.

        None where nothing of theirs is lost: they deployed what was there.
        """
        foreign = applied.foreign
        if foreign is None or foreign["taskDefinition"] == plan.snapshot.task_definition_arn:
            return None
        try:
            task_definition, tags = self._ecs.describe_task_definition(foreign["taskDefinition"])
        except AwsFailure as failure:
            raise ServiceReadError(
                f"{failure}; deployment {foreign['id']} of somebody else came in "
                "between, and its revision, "
                f"{foreign['taskDefinition'].rpartition('/')[2]}, could not be read: the service "
                "runs this update's revision"
            ).caused_by(failure) from failure
        snapshot = replace(
            plan.snapshot,
            task_definition=task_definition,
            task_definition_tags=tuple(tags),
            deployment_ids=plan.snapshot.deployment_ids
            | {foreign["id"], applied.deployment_id or ""},
            updated_on=foreign.get("updatedAt"),
            tags=plan.tags.after,
        )
        # It has been forced already.
        again = self.plan_from(snapshot, replace(request, force_new_deployment=False))
        has_replaced_theirs = plan.revision is not None or plan.target is not None
        # Theirs has the images that are asked for already: then theirs it is.
        return (
            replace(again, target=task_definition)
            if has_replaced_theirs and again.revision is None
            else again
        )

    def digests(self, plan: Plan) -> dict[str, frozenset[str]]:
        """What each container of the plan may show as the digest of its image, where the registry
        said all of it.
        """
        if not self._verified:
            return {}
        return {
            container["name"]: verified.digests
            for container in plan.after["containerDefinitions"]
            if (verified := self._by_image(container.get("image", ""))) and verified.platform_digest
        }

    def _by_image(self, image: str) -> Verified | None:
        every = (self._verified or {}).values()
        return next((one for one in every if image in (str(one.image), str(self._pin(one)))), None)

    def _pinned(self, request: UpdateRequest, snapshot: Snapshot) -> UpdateRequest:
        """The request with the images that the registry knows, each as it is to be deployed."""
        if self._verified is None:
            platform = needed_platform(snapshot.task_definition, snapshot.on_fargate)
            registries = self._registries(self._settings)
            seconds = self._call.seconds_to_wait(_REGISTRY_SECONDS)
            self._verified = verify_all(
                request.images,
                platform,
                registries,
                self._settings.verify_image == REQUIRE,
                seconds,
            )
        pinned = {text: self._pin(verified) for text, verified in self._verified.items()}
        further = {name: pinned[str(image)] for name, image in request.container_images.items()}
        return replace(request, image=pinned[str(request.image)], container_images=further)

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
        try:
            target = search.first()
        except AwsFailure as failure:
            raise ServiceReadError(str(failure)).caused_by(failure) from failure
        self._passed_over = search.notes
        if target is None:
            check_family(snapshot.task_definition, request, settings.family)
            sentence = (
                f"ecs_service_name {request.service} has no earlier revision than "
                f"{running.rpartition('/')[2]} that is known to "
                "have worked"
            )
            raise RollbackTargetError(
                "; ".join([sentence, *search.notes]) + ": name the image in an update event"
            )
        again = None
        if not target.is_active:
            again = registration(
                target.task_definition, target.task_definition_tags, {}, self._ecs.fields, settings
            )
        return make_rollback_plan(
            snapshot, target.task_definition, target.tags, request.container, settings, again=again
        )
