"""What the caller is told: the service before and after, what changed, and which deployment that
made. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ..errors import EcsUpdaterError, rebuilt
from ..ledger.entry import Entry
from ..model import task_definition as td
from ..model.arn import revision_name
from ..model.plan import Plan
from ..model.verdict import Verdict
from ..rollout.judgement import Judgement, PollResult

DRY_RUN = "dry run: nothing was written"

Answer = Mapping[str, Any]


def of_plan(plan: Plan) -> Answer:
    """The response to an update that is about to be done: what has no name yet is null.

    ``of_entry`` fills it in.
    """
    snapshot = plan.snapshot
    if plan.deploys:
        deployment = _deployment(
            None, Verdict.IN_PROGRESS, "the deployment was started, and not waited for"
        )
    else:
        deployment = _deployment(
            None, Verdict.NO_CHANGE, "only tags changed" if plan.writes else "nothing differs"
        )
    return {
        "statusCode": 200,
        "body": {
            "BEFORE": _state(plan, snapshot.task_definition, plan.tags.before),
            "AFTER": _state(plan, plan.after, plan.tags.after),
            "changed": plan.writes,
            "changes": _changes(plan),
            "taskDefinitionArn": {
                "before": snapshot.task_definition_arn,
                "after": None if plan.revision is not None else plan.after["taskDefinitionArn"],
            },
            "deployment": deployment,
        },
    }


def of_dry_run(plan: Plan, answer: Answer, notes: Sequence[str] = ()) -> Answer:
    """What an update would answer; the revision and the deployment that it would make have no names
    yet.

    ``answer`` is the one of ``of_plan``, with the running deployment where the plan makes none of
    its own.
    """
    deployment = answer["body"]["deployment"]
    verdict = None if plan.deploys else deployment["verdict"]
    reason = f"{deployment['reason']}; {DRY_RUN}" if verdict == Verdict.IN_PROGRESS else DRY_RUN
    shown = _deployment(deployment["id"], verdict, reason, notes=list(notes))
    return {**answer, "body": {**answer["body"], "deployment": shown, "dryRun": True}}


def of_entry(
    entry: Entry,
    deployment: Mapping[str, Any] | None = None,
    *,
    updated_on: datetime | Literal["as before"] | None = "as before",
    notes: Sequence[str] = (),
) -> Answer:
    """Returns the response of an entry, from the one that it has: with its revision, and with
    ``deployment`` and ``notes``.

    ``updated_on``: when the deployment was made, where it was made just now.
    """
    answer = entry.answer or {}
    body = dict(answer["body"])
    if entry.after.task_definition_arn:
        arns = body["taskDefinitionArn"]
        body["taskDefinitionArn"] = {**arns, "after": entry.after.task_definition_arn}
    if updated_on != "as before":
        body["AFTER"] = {**body["AFTER"], "updatedOn": _iso(updated_on)}
    shown = {**(body["deployment"] if deployment is None else deployment)}
    if deployment is None and entry.deployment_id:
        shown["id"] = entry.deployment_id
    if notes:
        shown["notes"] = list(notes)
    return {**answer, "body": {**body, "deployment": shown}}


def running_deployment(entry: Entry, deployment_id: str) -> dict[str, Any]:
    """Returns the ``deployment`` of an update that makes none, while the running one goes on."""
    revision = revision_name(entry.after.task_definition_arn or "")
    reason = (entry.answer or {})["body"]["deployment"]["reason"]
    sentence = f"{reason}; deployment {deployment_id} of {revision}, which runs, is in progress"
    return _deployment(deployment_id, Verdict.IN_PROGRESS, sentence)


def merged(second: Answer, first: Answer) -> Answer:
    """Returns the response of a second plan, after a first one was written: the changes of both,
    and the tags and the deployment of the first.
    """
    body, before = second["body"], first["body"]
    others = [change for change in before["changes"] if not change["what"].startswith("image.")]
    changes = [*body["changes"], *others]
    return {
        **second,
        "body": {
            **body,
            "BEFORE": {**body["BEFORE"], "tags": before["BEFORE"]["tags"]},
            "AFTER": {**body["AFTER"], "updatedOn": before["AFTER"]["updatedOn"]},
            "changed": True,
            "changes": [one for index, one in enumerate(changes) if one not in changes[:index]],
            "deployment": before["deployment"],
        },
    }


def polled_deployment(
    deployment_id: str | None, judgement: Judgement, polled: PollResult, images: Mapping[str, Any]
) -> dict[str, Any]:
    """A deployment that was waited for: also how long, how many of its tasks run which image, and
    ECS's last events.
    """
    seen = polled.state
    ours = seen.deployment if seen else None
    return _deployment(
        deployment_id,
        judgement.verdict,
        judgement.reason,
        waitedSeconds=round(polled.seconds, 1),
        tasks={"desired": ours.desired, "running": ours.running, "pending": ours.pending}
        if ours
        else None,
        images=images,
        events=list(seen.events) if seen else [],
    )


def cause_with_events(reason: str, polled: PollResult) -> str:
    """The cause, and ECS's last events where they say more."""
    seen = polled.state
    events = "; ".join(
        event.rstrip(". ")
        for event in (seen.events if seen else ())
        if event.rstrip(". ") not in reason
    )
    return f"{reason}. ECS's last events: {events}" if events else reason


def _state(
    plan: Plan, task_definition: Mapping[str, Any], tags: Mapping[str, str]
) -> dict[str, Any]:
    names = [one["name"] for one in task_definition["containerDefinitions"]]
    # A revision that a rollback returns to, or leaves, need not have the container that was
    # addressed.
    container = td.container(
        task_definition, plan.container if plan.container in names else names[0]
    )
    return {
        "clusterArn": plan.snapshot.cluster_arn,
        "serviceArn": plan.snapshot.service_arn,
        "taskDefinitionName": container["name"],
        "taskDefinitionFamily": task_definition["family"],
        "serviceImage": container.get("image"),
        "serviceMemory": td.memory(task_definition, container),
        "tags": _listed({**tags, **plan.snapshot.reserved_tags}),
        "updatedOn": _iso(plan.snapshot.updated_on),
    }


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": tags[key]} for key in sorted(tags)]


def _changes(plan: Plan) -> list[dict[str, Any]]:
    """What differs: images in the order of the containers, then tags by key, then what is done to
    the whole.
    """
    tags = plan.tags
    changes = [
        _change(f"image.{image.container}", image.before, image.after) for image in plan.images
    ]
    for key in sorted({*tags.to_set, *tags.to_remove}):
        changes.append(_change(f"tag.{key}", tags.before.get(key), tags.after.get(key)))
    if plan.drops_unknown_fields:
        changes += [_change(f"field.{path}", "set", "dropped") for path in plan.unknown_fields]
    if plan.target is not None:
        target = td.revision_name(plan.target)
        if plan.revision is not None:
            target = (
                f"a new revision with the content of {target}, which is {plan.target.get('status')}"
            )
        changes.append(
            _change("taskDefinition", td.revision_name(plan.snapshot.task_definition), target)
        )
    if plan.deployment_configuration is not None:
        changes.append(_change("deploymentCircuitBreaker", "off", "on, with rollback"))
    if plan.force_new_deployment:
        changes.append(_change("deployment", None, "forced"))
    return changes


def _change(what: str, before: str | None, after: str | None) -> dict[str, Any]:
    return {"what": what, "from": before, "to": after}


def _deployment(
    deployment_id: str | None, verdict: str | None, reason: str, **further: Any
) -> dict[str, Any]:
    said = {name: value for name, value in further.items() if value not in ({}, [])}
    return {"id": deployment_id, "verdict": verdict, "reason": reason, **said}


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class RolloutOutcome:
    """What an update, a wait or a rollback came to."""

    deployment: Mapping[str, Any] | None = None
    """The ``deployment`` of the response; None: the one that the entry has."""
    error: EcsUpdaterError | None = None
    """What is raised instead of a response."""
    is_final: bool = True
    """Whether nothing follows: otherwise the rollout, or the rollback, goes on."""
    verdict: str = ""


def failed(
    kind: type[EcsUpdaterError],
    sentence: str,
    verdict: str,
    entry: Entry,
    deployment: Mapping[str, Any] | None = None,
    *,
    is_final: bool = True,
) -> RolloutOutcome:
    """The conclusion that is an error.

    ``deployment`` is what the log is told of it beside the sentence.
    """
    details: dict[str, object] = {
        "service_arn": entry.service_arn,
        "deployment": dict(deployment or {}),
    }
    return RolloutOutcome(
        error=kind(sentence).with_details(details), is_final=is_final, verdict=verdict
    )


def error_of(entry: Entry) -> EcsUpdaterError:
    """The error with which ``entry`` ended."""
    return rebuilt(entry.error_type or "", entry.error_message or "", entry.error_attributes or {})
