"""The response: the service before and after, the changes, and their deployment. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ..errors import (
    EcsUpdaterError,
    RolloutFailedError,
    RolloutRollbackFailedError,
    RolloutRolledBackError,
    RolloutStoppedError,
    RolloutSupersededError,
    rebuilt,
)
from ..ledger.entry import Entry
from ..model import task_definition as td
from ..model.arn import revision_name
from ..model.plan import Plan
from ..model.revision_settings import HIDDEN, SETTING_CHANGES
from ..model.service_settings import COUNT, UNCHANGED
from ..model.verdict import Verdict
from ..rollout.judgement import Judgement, PollResult

DRY_RUN = "dry run: nothing was written"

ROLLOUT_FIELDS = (
    "strategy",
    "status",
    "stage",
    "stageSince",
    "stageUntil",
    "traffic",
    "hook",
    "alarms",
)
"""Fields of `RolloutState.shown` in the `deployment` of a response."""

_STARTED = "the deployment was started, and not waited for"

Answer = Mapping[str, Any]

ROLLOUT_ERRORS: Mapping[str, type[EcsUpdaterError]] = {
    Verdict.FAILED: RolloutFailedError,
    Verdict.ROLLED_BACK: RolloutRolledBackError,
    Verdict.ROLLBACK_FAILED: RolloutRollbackFailedError,
    Verdict.STOPPED: RolloutStoppedError,
    Verdict.SUPERSEDED: RolloutSupersededError,
}


def of_plan(plan: Plan) -> Answer:
    """Returns the response to an update before its writes. New ARNs and ids are null.

    `of_entry` fills them in.
    """
    snapshot = plan.snapshot
    verdict, reason = Verdict.NO_CHANGE, "only tags changed" if plan.writes else "nothing differs"
    if plan.deploys:
        verdict, reason = Verdict.IN_PROGRESS, _STARTED
    elif plan.updates_service:
        verdict, reason = Verdict.IN_PROGRESS, "the service was updated, and not waited for"
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
            "deployment": _deployment(None, verdict, reason),
        },
    }


def of_dry_run(plan: Plan, answer: Answer, notes: Sequence[str] = ()) -> Answer:
    """Returns the response of a dry run. The new revision and deployment have no names.

    `answer`: the one of `of_plan`. It has the running deployment if the plan makes none.
    """
    deployment = answer["body"]["deployment"]
    verdict = None if plan.updates_service else deployment["verdict"]
    reason = f"{deployment['reason']}; {DRY_RUN}" if verdict == Verdict.IN_PROGRESS else DRY_RUN
    shown = _deployment(deployment["id"], verdict, reason, notes=list(notes))
    return {**answer, "body": {**answer["body"], "deployment": shown, "dryRun": True}}


def of_entry(
    entry: Entry,
    deployment: Mapping[str, Any] | None = None,
    *,
    updated_on: datetime | Literal["as before"] | None = "as before",
) -> Answer:
    """Returns the response of an entry with its revision and `deployment`.

    `updated_on`: time of a new deployment.
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
    return {**answer, "body": {**body, "deployment": shown}}


def with_notes(answer: Answer, notes: Sequence[str]) -> Answer:
    """Returns the response with `notes` for the caller in its deployment."""
    body = answer["body"]
    return {**answer, "body": {**body, "deployment": {**body["deployment"], "notes": list(notes)}}}


def running_deployment(entry: Entry, deployment_id: str) -> dict[str, Any]:
    """Returns the `deployment` of an update that makes none, while the running one goes on."""
    revision = revision_name(entry.after.task_definition_arn or "")
    reason = (entry.answer or {})["body"]["deployment"]["reason"]
    state = "is in progress"
    if COUNT in entry.after.service_settings:
        state = "does not have all its tasks yet"
    sentence = f"{reason}; deployment {deployment_id} of {revision}, which runs, {state}"
    return _deployment(deployment_id, Verdict.IN_PROGRESS, sentence)


def started_deployment(entry: Entry) -> dict[str, Any]:
    """Returns the `deployment` of an update whose deployment was just made."""
    return _deployment(entry.deployment_id, Verdict.IN_PROGRESS, _STARTED)


def task_deployment(verdict: Verdict, reason: str, task_arn: str | None) -> dict[str, Any]:
    """Returns the `deployment` of an update whose task of `run_before` has not ended."""
    return _deployment(None, verdict, reason, taskArn=task_arn)


def merged(second: Answer, first: Answer) -> Answer:
    """Returns the response of a second plan after the first one was written.

    It has the changes of both, and the tags and the deployment of the first.
    """
    body, before = second["body"], first["body"]
    of_revision = ("image", *SETTING_CHANGES)
    others = [
        change
        for change in before["changes"]
        if change["what"].partition(".")[0] not in of_revision
    ]
    changes = [*body["changes"], *others]
    return {
        **second,
        "body": {
            **body,
            "BEFORE": {**body["BEFORE"], "tags": before["BEFORE"]["tags"]},
            "AFTER": {**body["AFTER"], "updatedOn": before["AFTER"]["updatedOn"]},
            "changed": True,
            "changes": [
                change for index, change in enumerate(changes) if change not in changes[:index]
            ],
            "deployment": before["deployment"],
        },
    }


def polled_deployment(
    deployment_id: str | None,
    judgement: Judgement,
    result: PollResult,
    images: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns the `deployment` after a wait: its duration, tasks, images and latest events."""
    state, tasks = result.state, None
    if state and (polled := state.deployment):
        tasks = {"desired": polled.desired, "running": polled.running, "pending": polled.pending}
    return _deployment(
        deployment_id,
        judgement.verdict,
        judgement.reason,
        waitedSeconds=round(result.seconds, 1),
        tasks=tasks,
        images=images or {},
        **(state.shown() if state else {}),
        **({"reachedStage": result.reached_stage} if result.reached_stage else {}),
        events=list(state.events) if state else [],
    )


def cause_with_events(reason: str, result: PollResult) -> str:
    """Returns the cause, and the latest events that are not in it."""
    texts = (event.rstrip(". ") for event in (result.state.events if result.state else ()))
    events = "; ".join(text for text in texts if text not in reason)
    return f"{reason}. ECS's last events: {events}" if events else reason


def _state(
    plan: Plan, task_definition: Mapping[str, Any], tags: Mapping[str, str]
) -> dict[str, Any]:
    names = [container["name"] for container in task_definition["containerDefinitions"]]
    # In a rollback, one of the revisions may not have the addressed container.
    name = plan.container if plan.container in names else names[0]
    container = td.container(task_definition, name)
    all_tags = {**tags, **plan.snapshot.reserved_tags}
    return {
        "clusterArn": plan.snapshot.cluster_arn,
        "serviceArn": plan.snapshot.service_arn,
        "taskDefinitionName": container["name"],
        "taskDefinitionFamily": task_definition["family"],
        "serviceImage": container.get("image"),
        "serviceMemory": td.memory(task_definition, container),
        "tags": [{"key": key, "value": all_tags[key]} for key in sorted(all_tags)],
        "updatedOn": _iso(plan.snapshot.updated_on),
    }


def _changes(plan: Plan) -> list[dict[str, Any]]:
    """Returns the changes: images in the order of the containers, tags by key, others."""
    tags = plan.tags
    changes = [
        _change(f"image.{image.container}", image.before, image.after) for image in plan.images
    ]
    if plan.settings:
        changes += [_change(change.what, change.before, change.after) for change in plan.settings]
    changes += [
        _change(f"tag.{key}", tags.before.get(key), tags.after.get(key))
        for key in sorted({*tags.to_set, *tags.to_remove})
    ]
    if plan.drops_unknown_fields:
        changes += [_change(f"field.{path}", "set", "dropped") for path in plan.unknown_fields]
    if plan.target is not None:
        target = revision_name(plan.target["taskDefinitionArn"])
        if plan.revision is not None:
            target = (
                f"a new revision with the content of {target}, which is {plan.target.get('status')}"
            )
        running = revision_name(plan.snapshot.task_definition_arn)
        changes.append(_change("taskDefinition", running, target))
    if plan.service_settings is not UNCHANGED:
        changes += [_change(*change) for change in plan.service_settings.shown()]
    if plan.adds_breaker:
        changes.append(_change("deploymentCircuitBreaker", "off", "on, with rollback"))
    if plan.adds_alarms:
        names = ", ".join(plan.adds_alarms)
        changes.append(_change("deploymentConfiguration.alarms", None, f"{names}, with rollback"))
    if plan.run_before:
        shown = f"{HIDDEN} in container {plan.run_before.container}"
        changes.append(_change("runBefore", None, shown))
    if plan.force_new_deployment:
        changes.append(_change("deployment", None, "forced"))
    return changes


def _change(what: str, before: str | None, after: str | None) -> dict[str, Any]:
    return {"what": what, "from": before, "to": after}


def _deployment(
    deployment_id: str | None, verdict: str | None, reason: str, **further: Any
) -> dict[str, Any]:
    kept = {name: value for name, value in further.items() if value not in ({}, [])}
    return {"id": deployment_id, "verdict": verdict, "reason": reason, **kept}


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class RolloutOutcome:
    """Outcome of an update, a wait or a rollback."""

    deployment: Mapping[str, Any] | None = None
    """The `deployment` of the response. None: the one of the entry."""
    error: EcsUpdaterError | None = None
    is_final: bool = True
    """Whether neither a rollout nor a rollback goes on."""
    verdict: str = ""


def failed(
    verdict: Verdict,
    sentence: str,
    entry: Entry,
    deployment: Mapping[str, Any] | None = None,
    *,
    is_final: bool = True,
) -> RolloutOutcome:
    """Returns the outcome with the error of a verdict. `deployment`: details for the log."""
    details: dict[str, object] = {
        "service_arn": entry.service_arn,
        "deployment": dict(deployment or {}),
    }
    error = ROLLOUT_ERRORS[verdict](sentence).with_details(details)
    return RolloutOutcome(error=error, is_final=is_final, verdict=verdict)


def error_of(entry: Entry) -> EcsUpdaterError:
    """Returns the error with which an entry ended."""
    return rebuilt(entry.error_type or "", entry.error_message or "", entry.error_attributes or {})
