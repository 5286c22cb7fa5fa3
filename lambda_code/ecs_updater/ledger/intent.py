"""What an update is about to do, as an entry. Pure."""

from collections.abc import Iterable, Mapping

from .. import task_definition as td
from ..plan import Plan
from ..request import Request, RollbackRequest, UpdateRequest
from ..result import of_plan
from ..tags import REPLACE
from .entry import Entry, Side
from .key import service_key


def intent(
    plan: Plan, request: Request, digests: Mapping[str, Iterable[str]], rollback_to: str | None
) -> Entry:
    """The entry of ``plan``, without what only a lease gives: its number and its owner.

    ``digests`` is what each container may show as the digest of its image, where that is known.
    """
    snapshot = plan.snapshot
    before = {
        one["name"]: one.get("image", "")
        for one in snapshot.task_definition["containerDefinitions"]
    }
    after = {one["name"]: one.get("image", "") for one in plan.after["containerDefinitions"]}
    return Entry(
        service=service_key(snapshot.service_arn, snapshot.cluster_arn),
        number=0,
        request_id="",
        owner="",
        fence=0,
        cluster_arn=snapshot.cluster_arn,
        service_arn=snapshot.service_arn,
        action="rollback" if isinstance(request, RollbackRequest) else "update",
        before=Side(
            snapshot.task_definition_arn,
            before,
            snapshot.tags,
            td.essential_containers(snapshot.task_definition, plan.container),
        ),
        after=Side(
            plan.after.get("taskDefinitionArn") if plan.revision is None else None,
            after,
            plan.tags.after,
            td.essential_containers(plan.after, plan.container),
        ),
        rollback_on_failure=isinstance(request, UpdateRequest) and request.rollback_on_failure,
        rollback_to=rollback_to,
        replaces_tags=isinstance(request, UpdateRequest)
        and request.tags is not None
        and request.tag_mode == REPLACE,
        deploys=plan.deploys,
        digests={container: sorted(several) for container, several in digests.items()},
        previous_deployment_id=snapshot.deployment_id,
        previous_service_deployment_arn=snapshot.service_deployment_arn,
        answer=of_plan(plan),
    )
