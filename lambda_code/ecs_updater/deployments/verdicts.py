"""The verdict of one ended update: its event, and how a function without a table sends it.

Such a function has no reconciler: it sends the verdict itself, after the update.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..aws.ecs import Ecs
from ..aws.notifications import Channel, channels_of
from ..aws.targets import TargetAccess
from ..context import Call
from ..errors import AwsFailure, EcsUpdaterError
from ..ledger.entry import Entry, seconds
from ..ledger.memory import MemoryLedger
from ..log import logger
from ..model.verdict_event import VerdictEvent
from .deploy import deploy
from .response import Answer, with_notes


def deploy_and_send(event: Any, environment: Mapping[str, str], ecs: Ecs, call: Call) -> Answer:
    """Runs one update without a table, like `deploy`, and sends its verdict if it has one.

    Adds a note to the response, or to the error's details, if the verdict cannot be sent.
    """
    ledger, channels = MemoryLedger(call.clock.epoch), channels_of(environment)
    try:
        answer = deploy(event, environment, ecs, call, ledger)
    except EcsUpdaterError as error:
        if notes := _send_ended(ledger, channels, ecs.targets):
            earlier: Any = error.details.get("notes", [])
            error.details["notes"] = [*earlier, *notes]
        raise
    if notes := _send_ended(ledger, channels, ecs.targets):
        return with_notes(answer, [*answer["body"]["deployment"].get("notes", []), *notes])
    return answer


def _send_ended(
    ledger: MemoryLedger, channels: Sequence[Channel], targets: TargetAccess
) -> list[str]:
    """Sends the verdict of the ended update. Returns why it was not sent to a channel."""
    events = [event_of(entry, targets) for entry in ledger.history.ended()]
    notes = []
    for channel in channels if events else ():
        try:
            reasons = list(channel.send(events).values())
        except AwsFailure as failure:
            reasons = [str(failure)]
        notes += [f"the verdict was not sent to {channel.address}: {each}" for each in reasons]
    for note in notes:
        logger.warning(note)
    return notes


def event_of(entry: Entry, targets: TargetAccess) -> VerdictEvent:
    """Returns the event of an ended entry. One call if the service is in a target, or none."""
    begun_at, ended_at = entry.begun_at or "", entry.ended_at or ""
    identity = [entry.service, entry.number, entry.request_id, begun_at]
    body: Any = (entry.answer or {}).get("body") or {}
    event = VerdictEvent(
        id=hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32],
        request_id=entry.request_id,
        action=entry.action,
        verdict=entry.verdict or "",
        cause=entry.cause or "",
        service=entry.service,
        service_arn=entry.service_arn,
        begun_at=begun_at,
        ended_at=ended_at,
        duration_seconds=round((seconds(ended_at) or 0.0) - (seconds(begun_at) or 0.0), 3),
        images_before=entry.before.images,
        images_after=entry.after.images,
        task_definition_before=entry.before.task_definition_arn,
        task_definition_after=entry.after.task_definition_arn,
        changed=body.get("changed"),
        batch=entry.batch,
        caller=entry.caller,
        error_type=entry.error_type,
    )
    with suppress(EcsUpdaterError):  # The targets cannot be read, or do not have it any more.
        target = targets.find(entry.service)
        return replace(event, target=target.name if target else None)
    return event
