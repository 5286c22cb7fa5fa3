"""Tables of services and of past updates. They fit a terminal, and are not cut in a pipe. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.text import Text

from ..batch.state import State, plain_cause, status_of
from .terminal import STYLES, cell, columns_of, duration

_GAP = "  "
_MIN_WIDTH = 8


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    head: str
    can_shrink: bool = False
    """Whether the column is cut in a narrow terminal, the widest first."""
    is_number: bool = False
    styles: Mapping[str, str] = field(default_factory=dict)


_SERVICES = (
    Column("SERVICE", can_shrink=True),
    Column("TASKS", is_number=True),
    Column(
        "ROLLOUT",
        styles={"completed": "green", "in progress": "cyan", "failed": "bold red"},
    ),
    Column("REVISION", can_shrink=True),
    Column("IMAGES", can_shrink=True),
    Column("TAGS", can_shrink=True),
)
_UPDATES = (
    Column("BEGUN"),
    Column("STATE", styles=STYLES),
    Column("SERVICE", can_shrink=True),
    Column("TIME", is_number=True),
    Column("CHANGE", can_shrink=True),
    Column("CAUSE", can_shrink=True),
)


def services_table(services: Sequence[Mapping[str, Any]], width: int | None) -> list[Text]:
    """Returns services of `ecs_updater.api.serializers.service_view`, with their images."""
    return table(_SERVICES, [_service(service) for service in services], width)


def updates_table(items: Sequence[Mapping[str, Any]], width: int | None) -> list[Text]:
    """Returns entries of the ledger, see `ecs_updater.ledger.queries.SHOWN`."""
    return table(_UPDATES, [_update(item) for item in items], width)


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> list[Text]:
    """Returns the lines of a table with its head, at most `width` columns wide; None: any width."""
    head = [column.head for column in columns]
    widths = [max(map(columns_of, texts)) for texts in zip(head, *rows, strict=True)]
    gaps = len(_GAP) * (len(columns) - 1)
    flexible = [index for index, column in enumerate(columns) if column.can_shrink]
    while width is not None and sum(widths) + gaps > width:
        widest = max(flexible, key=widths.__getitem__)
        if widths[widest] <= _MIN_WIDTH:
            break
        widths[widest] -= 1
    lines = []
    for number, row in enumerate([head, *rows]):
        line = Text(_GAP).join(
            cell(
                text,
                size,
                column.styles.get(text, "") if number else "bold dim",
                right=column.is_number,
            )
            for text, size, column in zip(row, widths, columns, strict=True)
        )
        line.rstrip()
        lines.append(line)
    return lines


def _service(service: Mapping[str, Any]) -> list[str]:
    images: Mapping[str, str] = service.get("images") or {}
    # A single container needs no name.
    shown = (
        list(images.values())
        if len(images) == 1
        else [f"{name}={image}" for name, image in images.items()]
    )
    pending = f" +{service['pendingCount']}" if service["pendingCount"] else ""
    return [
        f"{service['clusterName']}/{service['serviceName']}",
        f"{service['runningCount']}/{service['desiredCount']}{pending}",
        (service["rolloutState"] or "").lower().replace("_", " "),
        service["taskDefinition"] or "",
        " ".join(shown),
        " ".join(f"{tag['key']}={tag['value']}" for tag in service["tags"]),
    ]


def _update(item: Mapping[str, Any]) -> list[str]:
    status = status_of(item)
    begun, ended = status.begun_at, status.ended_at
    return [
        datetime.fromtimestamp(begun).strftime("%Y-%m-%d %H:%M:%S") if begun else "",
        status.state.value,
        "/".join(item["service"].split("/")[1:]),
        duration(ended - begun if begun and ended else None),
        _change(item),
        "" if status.state is State.SUCCEEDED else plain_cause(status.cause),
    ]


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
