"""Writes the service's tags, and restores them.

Tags are added before any is removed, so that the service is never without tags. The order is
reversed if both together exceed the limit.
"""

import json

from ..aws.ecs import Ecs
from ..aws.errors import AwsFailure, Outcome
from ..errors import EcsUpdaterError, ServiceTagsError, ServiceTagsRefusedError
from ..model.tags import LIMIT, TagChanges

UNCHANGED = "the service is as it was"


def write(ecs: Ecs, service_arn: str, changes: TagChanges, unused: str = "") -> None:
    """Writes tag changes. `unused`: what a failure leaves behind, for the message.

    Raises ServiceTagsError or ServiceTagsRefusedError, after it restored the tags.
    """
    has_begun = False
    for to_set, to_remove in _steps(changes):
        try:
            _write_step(ecs, service_arn, to_set, to_remove)
        except AwsFailure as failure:
            state: str = UNCHANGED
            details: dict[str, object] = {}
            if has_begun or failure.outcome is Outcome.UNKNOWN:
                state, details = put_back(ecs, service_arn, changes)
            error = _error(failure, f"{state}{unused}")
            raise error.with_details(details).caused_by(failure) from failure
        has_begun = True


def put_back(ecs: Ecs, service_arn: str, changes: TagChanges) -> tuple[str, dict[str, object]]:
    """Reverses tag changes, even if only a part of them was written.

    Returns the state of the service as a sentence and, after a failure, the earlier tags for the
    log.
    """
    for to_set, to_remove in _steps(changes.reverse):
        try:
            _write_step(ecs, service_arn, to_set, to_remove)
        except AwsFailure as failure:
            # The next step would remove the new tags although the old ones could not be set.
            tags = dict(changes.before)
            return (
                "the service runs its old revision, but its tags could not be put back "
                f"({failure.reason}): they may be partly new; "
                f"they were {json.dumps(tags, sort_keys=True)}",
                {"tags_before": tags},
            )
    return UNCHANGED, {}


def _steps(changes: TagChanges) -> list[tuple[dict[str, str], list[str]]]:
    """Returns tags to set or keys to remove, for each call."""
    steps: list[tuple[dict[str, str], list[str]]] = []
    if changes.to_set:
        steps.append((changes.to_set, []))
    if changes.to_remove:
        steps.append(({}, changes.to_remove))
    return steps[::-1] if removes_first(changes) else steps


def removes_first(changes: TagChanges) -> bool:
    """Returns whether old and new tags together exceed the limit."""
    return len(changes.before.keys() | changes.after.keys()) > LIMIT


def _write_step(ecs: Ecs, service_arn: str, to_set: dict[str, str], to_remove: list[str]) -> None:
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
