"""What the caller is told: the service before and after, what changed, and which deployment that made."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from . import task_definition as td
from .plan import Applied, Plan

NO_CHANGE, IN_PROGRESS = "NO_CHANGE", "IN_PROGRESS"


def of_update(plan: Plan, applied: Applied | None) -> dict[str, Any]:
    """The answer to an update; ``applied`` is None when nothing had to be written."""
    before = plan.snapshot.task_definition
    after = applied.task_definition if applied else before
    updated_on = applied.updated_on if applied else plan.snapshot.updated_on
    if applied and plan.deploys:
        deployment = _deployment(applied.deployment_id, IN_PROGRESS, "the deployment was started, and not waited for")
    else:
        deployment = _deployment(None, NO_CHANGE, "only tags changed" if applied else "nothing differs")
    return _answer(
        plan,
        _state(plan, after, plan.tags.after, updated_on),
        {"before": before["taskDefinitionArn"], "after": after["taskDefinitionArn"]},
        deployment,
    )


def of_dry_run(plan: Plan) -> dict[str, Any]:
    """What an update would answer; the revision and the deployment that it would make have no names yet."""
    snapshot = plan.snapshot
    after = snapshot.task_definition if plan.revision is None else {**plan.revision}
    new_arn = snapshot.task_definition_arn if plan.revision is None else None
    verdict = None if plan.deploys else NO_CHANGE
    answer = _answer(
        plan,
        _state(plan, after, plan.tags.after, snapshot.updated_on),
        {"before": snapshot.task_definition_arn, "after": new_arn},
        _deployment(None, verdict, "dry run: nothing was written"),
    )
    answer["body"]["dryRun"] = True
    return answer


def _answer(
    plan: Plan, after: dict[str, Any], arns: dict[str, str | None], deployment: dict[str, Any]
) -> dict[str, Any]:
    return {
        "statusCode": 200,
        "body": {
            "BEFORE": _state(plan, plan.snapshot.task_definition, plan.tags.before, plan.snapshot.updated_on),
            "AFTER": after,
            "changed": plan.writes,
            "changes": _changes(plan),
            "taskDefinitionArn": arns,
            "deployment": deployment,
        },
    }


def _state(
    plan: Plan, task_definition: Mapping[str, Any], tags: Mapping[str, str], updated_on: datetime | None
) -> dict[str, Any]:
    container = td.container(task_definition, plan.container)
    all_tags = {**tags, **plan.snapshot.reserved_tags}
    return {
        "clusterArn": plan.snapshot.cluster_arn,
        "serviceArn": plan.snapshot.service_arn,
        "taskDefinitionName": plan.container,
        "taskDefinitionFamily": task_definition["family"],
        "serviceImage": container.get("image"),
        "serviceMemory": td.memory(task_definition, container),
        "tags": [{"key": key, "value": all_tags[key]} for key in sorted(all_tags)],
        "updatedOn": _iso(updated_on),
    }


def _changes(plan: Plan) -> list[dict[str, Any]]:
    """What differs: images in the order of the containers, then tags by key, then what is done to the whole."""
    tags = plan.tags
    changes = [_change(f"image.{image.container}", image.before, image.after) for image in plan.images]
    for key in sorted({*tags.to_set, *tags.to_remove}):
        changes.append(_change(f"tag.{key}", tags.before.get(key), tags.after.get(key)))
    if plan.drops_unknown_fields:
        changes += [_change(f"field.{path}", "set", "dropped") for path in plan.unknown_fields]
    if plan.force_new_deployment:
        changes.append(_change("deployment", None, "forced"))
    return changes


def _change(what: str, before: str | None, after: str | None) -> dict[str, Any]:
    return {"what": what, "from": before, "to": after}


def _deployment(deployment_id: str | None, verdict: str | None, reason: str) -> dict[str, Any]:
    return {"id": deployment_id, "verdict": verdict, "reason": reason}


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
