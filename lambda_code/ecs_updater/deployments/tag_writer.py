"""Writes the service's tags, and restores them.

Tags are added before any is removed, so that the service is never without tags. The order is
reversed if both together exceed the limit.
"""

import json
from collections.abc import Callable
from functools import partial

from ..aws.ecs import Ecs
from ..errors import AwsFailure, EcsUpdaterError, Outcome, ServiceTagsError, ServiceTagsRefusedError
from ..model.tags import LIMIT, TagChanges

UNCHANGED = "the service is as it was"


def write(ecs: Ecs, service_arn: str, changes: TagChanges, unused: str = "") -> None:
    """Writes tag changes. `unused`: what a failure leaves behind, for the message.

    Raises ServiceTagsError or ServiceTagsRefusedError, after it restored the tags.
    """
    has_begun = False
    for call in _calls(ecs, service_arn, changes):
        try:
            call()
        except AwsFailure as failure:
            state: str = UNCHANGED
            details: dict[str, object] = {}
            if has_begun or failure.outcome is Outcome.UNKNOWN:
                state, details = put_back(ecs, service_arn, changes)
            error: EcsUpdaterError = ServiceTagsError(f"{failure}; {state}{unused}")
            if failure.outcome is Outcome.REFUSED:
                sentence = f"service tags could not be updated {failure.reason}; {state}{unused}"
                error = ServiceTagsRefusedError(sentence)
            raise error.with_details(details).caused_by(failure) from failure
        has_begun = True


def put_back(ecs: Ecs, service_arn: str, changes: TagChanges) -> tuple[str, dict[str, object]]:
    """Reverses tag changes, even if only a part of them was written.

    Returns the state of the service as a sentence and, after a failure, the earlier tags for the
    log.
    """
    for call in _calls(ecs, service_arn, changes.reverse):
        try:
            call()
        except AwsFailure as failure:
            # The next call would remove the new tags although the old ones could not be set.
            tags = dict(changes.before)
            return (
                "the service runs its old revision, but its tags could not be put back "
                f"({failure.reason}): they may be partly new; "
                f"they were {json.dumps(tags, sort_keys=True)}",
                {"tags_before": tags},
            )
    return UNCHANGED, {}


def _calls(ecs: Ecs, service_arn: str, changes: TagChanges) -> list[Callable[[], None]]:
    """Returns the calls for tag changes, in their order."""
    calls: list[Callable[[], None]] = []
    if changes.to_set:
        calls.append(partial(ecs.tag_resource, service_arn, changes.to_set))
    if changes.to_remove:
        calls.append(partial(ecs.untag_resource, service_arn, changes.to_remove))
    return calls[::-1] if removes_first(changes) else calls


def removes_first(changes: TagChanges) -> bool:
    """Returns whether old and new tags together exceed the limit."""
    return len(changes.before.keys() | changes.after.keys()) > LIMIT
