"""Tables of services and of past updates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from ..batch.state import State, plain_cause, status_of
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
            f"{service['clusterName']}/{service['serviceName']}",
            f"{service['runningCount']}/{service['desiredCount']}{pending}",
            Text(rollout, _ROLLOUT_STYLES.get(rollout, "")),
            service["taskDefinition"] or "",
            " ".join(shown),
            " ".join(f"{tag['key']}={tag['value']}" for tag in service["tags"]),
        )
    return table


def updates_table(items: Sequence[Mapping[str, Any]]) -> Table:
    """Returns entries of the ledger, see `ecs_updater.ledger.queries.SHOWN`."""
    begun, state = Column("BEGUN", no_wrap=True), Column("STATE", no_wrap=True)
    time = Column("TIME", justify="right", no_wrap=True)
    table = _table(begun, state, "SERVICE", time, "CHANGE", "CAUSE")
    for item in items:
        status = status_of(item)
        begun_at, ended_at = status.begun_at, status.ended_at
        local_time = datetime.fromtimestamp(begun_at).astimezone() if begun_at else None
        _add(
            table,
            local_time.strftime("%Y-%m-%d %H:%M:%S %Z") if local_time else "",
            Text(status.state, STYLES[status.state]),
            "/".join(item["service"].split("/")[1:]),
            duration(ended_at - begun_at if begun_at and ended_at else None),
            _change(item),
            "" if status.state is State.SUCCEEDED else plain_cause(status.cause),
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
    """Returns what an update changed: the images, or the tags."""
    before, after = item["before"].get("images", {}), item["after"].get("images", {})
    changed = [
        (before.get(name, ""), image)
        for name, image in sorted(after.items())
        if before.get(name) != image
    ]
    if item["action"] == "rollback":
        images = ", ".join(dict.fromkeys(image for _, image in changed))
        return f"rollback to {images or 'the same image'}"
    if changed:
        return ", ".join(f"{old} → {new}" if old else new for old, new in changed)
    if item["before"].get("tags", {}) != item["after"].get("tags", {}):
        return "tags"
    return ", ".join(sorted(after.values()))
