"""Tables of services and of past updates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from ecs_updater.model.arn import revision_name

from ..batch.state import State, approvals_text, plain_cause, status_of
from .terminal import STYLES, duration, safe

_ROLLOUT_STYLES = {"completed": "green", "in progress": "cyan", "failed": "bold red"}


def services_table(services: Sequence[Mapping[str, Any]]) -> Table:
    """Returns services of `ecs_updater.api.serializers.service_view`, with their images."""
    tasks = Column("TASKS", justify="right", no_wrap=True)
    table = _table("SERVICE", tasks, "ROLLOUT", "REVISION", "IMAGES", "TAGS")
    for service in services:
        images: Mapping[str, str] = service.get("images") or {}
        # A single container needs no name.
        shown = (
            list(images.values())
            if len(images) == 1
            else [f"{name}={image}" for name, image in images.items()]
        )
        pending = f" +{service['pendingCount']}" if service["pendingCount"] else ""
        rollout = (service["rolloutState"] or "").lower().replace("_", " ")
        _add(
            table,
            "/".join(
                filter(None, (service["target"], service["clusterName"], service["serviceName"]))
            ),
            f"{service['runningCount']}/{service['desiredCount']}{pending}",
            Text(rollout, _ROLLOUT_STYLES.get(rollout, "")),
            service["taskDefinition"] or "",
            " ".join(shown),
            " ".join(f"{tag['key']}={tag['value']}" for tag in service["tags"]),
        )
    return table


def policies_table(policies: Sequence[Mapping[str, Any]]) -> Table:
    """Returns services with a policy, see `ecs_updater_cli.commands.policies`."""
    table = _table("SERVICE", "POLICY", "IMAGE", "NEWEST", "NEXT")
    for policy in policies:
        is_deployed = policy["deploys"]
        _add(
            table,
            "/".join(policy["serviceArn"].split("/")[1:]),
            policy["policy"],
            policy["image"] or "",
            policy["newest"] or "",
            Text("deploy", "cyan") if is_deployed else policy["reason"],
        )
    return table


def updates_table(items: Sequence[Mapping[str, Any]], targets: Sequence[str | None]) -> Table:
    """Returns entries of the ledger, see `ecs_updater.ledger.queries.SHOWN`.

    `targets`: name of the target of each entry. None: home.
    """
    begun, state = Column("BEGUN", no_wrap=True), Column("STATE", no_wrap=True)
    time = Column("TIME", justify="right", no_wrap=True)
    table = _table(begun, state, "SERVICE", time, "CHANGE", "CAUSE")
    for item, target in zip(items, targets, strict=True):
        status = status_of(item)
        begun_at, ended_at = status.begun_at, status.ended_at
        cause = "" if status.state is State.SUCCEEDED else plain_cause(status.cause)
        local_time = datetime.fromtimestamp(begun_at).astimezone() if begun_at else None
        _add(
            table,
            local_time.strftime("%Y-%m-%d %H:%M:%S %Z") if local_time else "",
            Text(status.state, STYLES[status.state]),
            "/".join([*filter(None, [target]), *item["service"].split("/")[1:]]),
            duration(ended_at - begun_at if begun_at and ended_at else None),
            _change(item),
            "; ".join(filter(None, (cause, approvals_text(item)))),
        )
    return table


def _table(*columns: Column | str) -> Table:
    """Returns an empty table. What does not fit a terminal continues on the next line."""
    table = Table(*columns, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold dim")
    for column in table.columns:
        column.overflow = "fold"
    return table


def _add(table: Table, *cells: str | Text) -> None:
    table.add_row(*(cell if isinstance(cell, Text) else Text(safe(cell)) for cell in cells))


def _change(item: Mapping[str, Any]) -> str:
    """Returns what an update changed: images or the revision, settings of the service, or tags."""
    before, after = item["before"], item["after"]
    old, new = before.get("images", {}), after.get("images", {})
    images = {name: image for name, image in sorted(new.items()) if old.get(name) != image}
    if item["action"] == "rollback":
        return f"rollback to {', '.join(dict.fromkeys(images.values())) or 'the same image'}"
    changes = [(old.get(name), image) for name, image in images.items()]
    revisions = [revision_name(side.get("task_definition_arn") or "") for side in (before, after)]
    if not changes and all(revisions) and revisions[0] != revisions[1]:
        changes = [(revisions[0], revisions[1])]
    parts = [f"{first} → {second}" if first else second for first, second in changes]
    earlier = before.get("service_settings", {})
    for name, value in after.get("service_settings", {}).items():
        if earlier.get(name) != value:
            has_values = not isinstance(value, Mapping)
            parts.append(f"{name} {earlier.get(name)} → {value}" if has_values else name)
    if not parts and before.get("tags", {}) != after.get("tags", {}):
        return "tags"
    return ", ".join(parts or sorted(new.values()))
