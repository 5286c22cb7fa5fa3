"""Services as they are, and updates of the past, as tables. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from ..batch.state import State, plain_cause, status_of
from .columns import Column, table
from .text import STYLES, duration

_ROLLOUTS = {"COMPLETED": "green", "IN_PROGRESS": "cyan", "FAILED": "bold red"}

_SERVICES = (
    Column("SERVICE", may_shrink=True),
    Column("TASKS", is_number=True),
    Column("ROLLOUT"),
    Column("REVISION", may_shrink=True),
    Column("IMAGES", may_shrink=True),
    Column("TAGS", may_shrink=True),
)
_UPDATES = (
    Column("BEGUN"),
    Column("STATE"),
    Column("SERVICE", may_shrink=True),
    Column("TIME", is_number=True),
    Column("CHANGE", may_shrink=True),
    Column("CAUSE", may_shrink=True),
)


def services_table(services: Sequence[Mapping[str, Any]], width: int | None) -> list[Text]:
    """Those of ``status.views.service_view``, with their images."""
    return table(_SERVICES, [_service(one) for one in services], width)


def updates_table(items: Sequence[Mapping[str, Any]], width: int | None) -> list[Text]:
    """Entries as a list of the ledger has them, see ``ledger.feed.SHOWN``."""
    return table(_UPDATES, [_update(one) for one in items], width)


def _service(one: Mapping[str, Any]) -> list[Any]:
    images: Mapping[str, str] = one.get("images") or {}
    # The name of the only container says nothing.
    shown = (
        list(images.values())
        if len(images) == 1
        else [f"{name}={image}" for name, image in images.items()]
    )
    pending = f" +{one['pendingCount']}" if one["pendingCount"] else ""
    rollout = one["rolloutState"] or ""
    return [
        f"{one['clusterName']}/{one['serviceName']}",
        f"{one['runningCount']}/{one['desiredCount']}{pending}",
        (rollout.lower().replace("_", " "), _ROLLOUTS.get(rollout, "")),
        one["taskDefinition"] or "",
        " ".join(shown),
        " ".join(f"{tag['key']}={tag['value']}" for tag in one["tags"]),
    ]


def _update(item: Mapping[str, Any]) -> list[Any]:
    status = status_of(item)
    lasted = status.ended_at - status.begun_at if status.ended_at and status.begun_at else None
    begun = (
        datetime.fromtimestamp(status.begun_at).strftime("%Y-%m-%d %H:%M:%S")
        if status.begun_at
        else ""
    )
    name = "/".join(item["service"].split("/")[1:])
    cause = "" if status.state is State.SUCCEEDED else plain_cause(status.cause)
    return [
        begun,
        (status.state.value, STYLES[status.state]),
        name,
        duration(lasted),
        change_of(item),
        cause,
    ]


def change_of(item: Mapping[str, Any]) -> str:
    """What an update changed: images or, of a rollback and of tags alone, what stands for them."""
    before, after = item["before"].get("images", {}), item["after"].get("images", {})
    changed = [
        (before.get(name, ""), image)
        for name, image in sorted(after.items())
        if before.get(name) != image
    ]
    if item["action"] == "rollback":
        return (
            "rollback to "
            f"{', '.join(dict.fromkeys(image for _, image in changed)) or 'what it ran'}"
        )
    if changed:
        return ", ".join(f"{old} → {new}" if old else new for old, new in changed)
    return (
        "tags"
        if item["before"].get("tags", {}) != item["after"].get("tags", {})
        else ", ".join(sorted(after.values()))
    )
