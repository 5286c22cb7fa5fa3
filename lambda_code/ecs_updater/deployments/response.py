"""What the caller is told: the service before and after, what changed, and which deployment that
made. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import EcsUpdaterError, rebuilt
from ..ledger.entry import Entry
from ..model import task_definition as td
from ..model.plan import Plan
from ..model.tags import listed
from ..model.verdict import Verdict
from ..rollout.judgement import Finding, Followed

DRY_RUN = "dry run: nothing was written"

Answer = Mapping[str, Any]


def of_plan(plan: Plan) -> Answer:
    """The answer to an update that is about to be done: what has no name yet is null.

    ``with_…`` fill it in.
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
    return _with_body(
        answer,
        deployment=_deployment(deployment["id"], verdict, reason, notes=list(notes)),
        dryRun=True,
    )


def with_revision(answer: Answer, task_definition_arn: str) -> Answer:
    """The answer with the name of the revision that was registered."""
    return _with_body(
        answer,
        taskDefinitionArn={**answer["body"]["taskDefinitionArn"], "after": task_definition_arn},
    )


def with_deployment(
    answer: Answer, deployment_id: str | None, updated_on: datetime | None
) -> Answer:
    """The answer with the deployment that was made."""
    body = answer["body"]
    return _with_body(
        answer,
        AFTER={**body["AFTER"], "updatedOn": _iso(updated_on)},
        deployment={**body["deployment"], "id": deployment_id},
    )


def with_running_deployment(answer: Answer, deployment_id: str | None, revision: str) -> Answer:
    """The answer of an update that makes no deployment, while ``deployment_id``, of ``revision``,
    is in progress.
    """
    reason = (
        f"{answer['body']['deployment']['reason']}; deployment {deployment_id} of {revision}, "
        "which runs, is in progress"
    )
    return _with_body(answer, deployment=_deployment(deployment_id, Verdict.IN_PROGRESS, reason))


def with_notes(answer: Answer, notes: Sequence[str]) -> Answer:
    """The answer with what the caller should know beside it; unchanged without."""
    return (
        _with_body(answer, deployment={**answer["body"]["deployment"], "notes": list(notes)})
        if notes
        else answer
    )


def planned_again(answer: Answer, first: Mapping[str, Any]) -> Answer:
    """The answer to a second plan, after one whose answer had the body ``first``: the tags and the
    deployment are that one's.
    """
    body = answer["body"]
    changes = [
        *body["changes"],
        *(one for one in first["changes"] if not one["what"].startswith("image.")),
    ]
    return _with_body(
        answer,
        BEFORE={**body["BEFORE"], "tags": first["BEFORE"]["tags"]},
        AFTER={**body["AFTER"], "updatedOn": first["AFTER"]["updatedOn"]},
        changed=True,
        changes=[one for index, one in enumerate(changes) if one not in changes[:index]],
        deployment=first["deployment"],
    )


def with_verdict(answer: Answer, deployment: Mapping[str, Any]) -> Answer:
    """The answer with what became of the deployment."""
    return _with_body(answer, deployment=dict(deployment))


def followed_deployment(
    deployment_id: str | None, finding: Finding, followed: Followed, images: Mapping[str, Any]
) -> dict[str, Any]:
    """A deployment that was waited for: also how long, how many of its tasks run which image, and
    ECS's last events.
    """
    seen = followed.seen
    ours = seen.ours if seen else None
    return _deployment(
        deployment_id,
        finding.verdict,
        finding.reason,
        waitedSeconds=round(followed.seconds, 1),
        tasks={"desired": ours.desired, "running": ours.running, "pending": ours.pending}
        if ours
        else None,
        images=images,
        events=list(seen.events) if seen else [],
    )


def cause_with_events(reason: str, followed: Followed) -> str:
    """The cause, and ECS's last events where they say more."""
    seen = followed.seen
    events = "; ".join(
        event.rstrip(". ")
        for event in (seen.events if seen else ())
        if event.rstrip(". ") not in reason
    )
    return f"{reason}. ECS's last events: {events}" if events else reason


def _with_body(answer: Answer, **body: Any) -> Answer:
    return {**answer, "body": {**answer["body"], **body}}


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
        "tags": listed({**tags, **plan.snapshot.reserved_tags}),
        "updatedOn": _iso(plan.snapshot.updated_on),
    }


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
class Conclusion:
    """What the caller is told: an answer or an error, or neither while nothing is known yet."""

    answer: Answer | None = None
    error: EcsUpdaterError | None = None
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
) -> Conclusion:
    """The conclusion that is an error.

    ``deployment`` is what the log is told of it beside the sentence.
    """
    details: dict[str, object] = {
        "service_arn": entry.service_arn,
        "deployment": dict(deployment or {}),
    }
    return Conclusion(
        error=kind(sentence).with_details(details), is_final=is_final, verdict=verdict
    )


def error_of(entry: Entry) -> EcsUpdaterError:
    """The error with which ``entry`` ended."""
    return rebuilt(entry.error_type or "", entry.error_message or "", entry.error_attributes or {})
