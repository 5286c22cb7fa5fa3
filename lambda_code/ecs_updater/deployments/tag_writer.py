"""Writes the service's tags, and puts them back.

Adding comes before removing, so that the service is never without tags; the other way round where
both would not fit.
"""

import json

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..errors import EcsUpdaterError, ServiceTagsError, ServiceTagsRefusedError
from ..model.tags import LIMIT, TagChanges

AS_IT_WAS = "the service is as it was"


def write(ecs: Ecs, service_arn: str, changes: TagChanges, unused: str = "") -> None:
    """Writes tag changes. ``unused`` is what a failure leaves behind, for the message.

    Raises ServiceTagsError or ServiceTagsRefusedError, after putting back what was written.
    """
    begun = False
    for step in _steps(changes):
        try:
            _do(ecs, service_arn, step)
        except AwsFailure as failure:
            written = begun or failure.outcome is Outcome.UNKNOWN
            state, details = put_back(ecs, service_arn, changes) if written else (AS_IT_WAS, {})
            raise (
                _error(failure, f"{state}{unused}").with_details(details).caused_by(failure)
            ) from failure
        begun = True


def put_back(ecs: Ecs, service_arn: str, changes: TagChanges) -> tuple[str, dict[str, object]]:
    """Takes tag changes back, however far they came.

    A sentence that says in which state the service is then and, where that failed, what its tags
    were, for the log.
    """
    back, failed = changes.reverse, None
    for step in _steps(back):
        try:
            _do(ecs, service_arn, step)
        except AwsFailure as failure:
            failed = failure
            break  # To go on would remove the new tags although the old ones could not be set.
    if failed is None:
        return AS_IT_WAS, {}
    tags = dict(changes.before)
    return (
        "the service runs its old revision, but its tags could not be put back "
        f"({failed.reason}): they may be partly new; "
        f"they were {json.dumps(tags, sort_keys=True)}",
        {"tags_before": tags},
    )


Step = tuple[dict[str, str], list[str]]
"""What one call does: tags to set, or keys to remove."""


def _steps(changes: TagChanges) -> list[Step]:
    steps: list[Step] = []
    if changes.to_set:
        steps.append((changes.to_set, []))
    if changes.to_remove:
        steps.append(({}, changes.to_remove))
    return steps[::-1] if removes_first(changes) else steps


def removes_first(changes: TagChanges) -> bool:
    """Whether removing cannot wait for adding: old and new tags together would not fit."""
    return len(changes.before.keys() | changes.after.keys()) > LIMIT


def _do(ecs: Ecs, service_arn: str, step: Step) -> None:
    to_set, to_remove = step
    if to_set:
        ecs.tag_resource(service_arn, to_set)
    else:
        ecs.untag_resource(service_arn, to_remove)


def _error(failure: AwsFailure, state: str) -> EcsUpdaterError:
    if failure.outcome is Outcome.REFUSED:
        return ServiceTagsRefusedError(
            f"service tags could not be updated {failure.reason}; {state}"
        )
    return ServiceTagsError(f"{failure}; {state}")
