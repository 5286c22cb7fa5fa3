"""Finds a registered revision with the content of a new one.

An interrupted attempt at the same update may have registered it, or another update of the batch:
services of a batch that run the same revision and get the same change share the new one, see
`ledger.shared_revisions`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..aws.ecs import Ecs
from ..aws.errors import NO_SUCH_REVISION
from ..context import Clock
from ..errors import AwsFailure, Outcome
from ..ledger.entry import Entry
from ..ledger.shared_revisions import NO_CLAIM, Claim
from ..model import task_definition as td
from ..model.plan import Plan
from ..model.request import fingerprint
from ..model.task_definition import RegistrableFields
from ..throttling import backoff
from .journal import Journal

_TRIES = 13
"""Maximum tries to find a revision that another update registers: longer than its claim."""

_FIRST_PAUSE, _LONGEST_PAUSE, _PAUSE_FACTOR = 0.2, 3.0, 1.5


def shared_key(plan: Plan) -> str | None:
    """Returns the key of the plan's new revision in a batch. None: the revision is not shared."""
    if plan.revision is None or plan.target is not None or plan.express is not None:
        return None
    return fingerprint([plan.snapshot.task_definition_arn, plan.revision])


def find_or_claim(ecs: Ecs, plan: Plan, journal: Journal, clock: Clock) -> Claim:
    """Returns the shared revision of an update of a batch, or the claim to register it.

    Waits while another update registers it. Returns `NO_CLAIM` if the update has to register a
    revision of its own. Raises LedgerError, or AwsFailure after a transient failure.
    """
    entry, key = journal.entry, shared_key(plan)
    if key is None or entry.batch is None:
        return NO_CLAIM
    shared, unusable = journal.history.shared_revisions(entry.batch), ""
    if not shared.may_use(key, entry.service, entry.request_id):
        return NO_CLAIM
    for attempt in range(_TRIES):
        claim = shared.claim(key, entry.request_id, unusable)
        if claim.is_own:
            return claim
        if claim.arn is None:
            journal.keep_lease()
            clock.sleep(backoff(attempt, _FIRST_PAUSE, _LONGEST_PAUSE, _PAUSE_FACTOR))
            continue
        try:
            found, tags = ecs.describe_task_definition(claim.arn)
        except AwsFailure as failure:
            if failure.outcome is not Outcome.REFUSED:
                raise  # A retry finds it. To register another one would leave that one unused.
            if NO_SUCH_REVISION not in failure.reason:
                return NO_CLAIM
            found, tags = {}, []
        if found.get("status") != "ACTIVE":
            unusable = claim.arn  # It was deregistered.
        elif is_registered_as(plan.revision or {}, found, tags, ecs.fields):
            return claim
        else:
            return NO_CLAIM  # Its tags were changed.
    return NO_CLAIM


def unused(entry: Entry) -> str:
    """Returns that the revision of an update is not used, after its name in a message."""
    return "was registered and is not used" + (" by this service" if entry.batch else "")


def find_registered(ecs: Ecs, revision: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the family's latest active revision, if it has the content of `revision`."""
    try:
        latest, tags = ecs.describe_task_definition(revision["family"])
    except AwsFailure as failure:
        if NO_SUCH_REVISION in failure.reason:
            return None
        raise
    return latest if is_registered_as(revision, latest, tags, ecs.fields) else None


def is_registered_as(
    revision: Mapping[str, Any],
    task_definition: Mapping[str, Any],
    tags: Sequence[Mapping[str, str]],
    fields: RegistrableFields,
) -> bool:
    """Returns whether to register `revision` makes this output of DescribeTaskDefinition."""
    # Fields that ECS adds, also those that are newer than the SDK, do not count.
    body = {
        name: value
        for name, value in task_definition.items()
        if name in revision or name in fields.registered.members
    }
    if registrable := td.registrable_tags(tags):
        body["tags"] = registrable
    return _in_any_order(body) == _in_any_order(revision)


def _in_any_order(value: object) -> object:
    """Returns a value with sorted lists: ECS guarantees no order of environment and tags.

    An empty list is the same as none: ECS adds some, and can leave others out.
    """
    if isinstance(value, Mapping):
        return {name: _in_any_order(member) for name, member in value.items() if member != []}
    if isinstance(value, list):
        members = [_in_any_order(member) for member in value]
        if any(isinstance(member, dict) for member in members):
            return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))
        return members
    return value
