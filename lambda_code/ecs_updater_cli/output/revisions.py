"""Differences between two revisions of a task definition, field by field. Pure.

What an update can change has the name that its response gives it. Any other field has ECS's name:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ecs_updater.model.revision_settings import HIDDEN, SENSITIVE, SETTING_CHANGES, shown

from .changes import Change

_CONTAINERS = "containerDefinitions"
_ORDER = ("image", *SETTING_CHANGES)
_COMMANDS = frozenset({"command", "entryPoint"})

Path = tuple[str, ...]


def revision_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], read_only: frozenset[str]
) -> list[Change]:
    """Returns the differences, first those of fields that an update can change.

    `read_only`: fields that ECS adds.
    """
    earlier, later = (
        dict(_values({name: value for name, value in side.items() if name not in read_only}))
        for side in (before, after)
    )
    changes: list[Change] = []
    for path in sorted({*earlier, *later}, key=_rank):
        sides = earlier.get(path), later.get(path)
        if sides[0] != sides[1]:
            old, new = (value if value is None else _shown(path, value) for value in sides)
            changes.append({"what": ".".join(path), "from": old, "to": new})
    return changes


def _rank(path: Path) -> tuple[int, Path]:
    return (_ORDER.index(path[0]) if path[0] in _ORDER else len(_ORDER)), path


def _values(revision: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yields the path and the value of each field that has one."""
    for path, value in _flat((), revision):
        match path:
            case ("containerDefinitions", container, "environment", name, "value"):
                yield ("environment", container, name), value
            case ("containerDefinitions", container, "secrets", name, "valueFrom"):
                yield ("secret", container, name), value
            case ("containerDefinitions", container, "image" | "command" | "cpu" | "memory"):
                yield (path[2], container), value
            case ("cpu" | "memory",):
                yield ("task", *path), value
            case _:
                yield path, value


def _flat(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    """Yields the values below `path`: the members of a map, and the maps of a list by their names.

    A list of other values, such as a command, is one value.
    """
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        counts: Counter[str] = Counter()
        for index, each in enumerate(value):
            fields = each if isinstance(each, dict) else {"": each}
            name = str(fields.get("name", index))
            counts[name] += 1
            others = {key: field for key, field in fields.items() if key != "name"}
            here = name if counts[name] == 1 else f"{name}#{counts[name]}"
            yield from _flat((*path, here), others or fields)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _flat((*path, name), each)
    elif value not in (None, []):
        yield path, value


def _shown(path: Path, value: Any) -> str:
    """Returns a value as text, or `HIDDEN` if it may be a secret."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if path[0] in _ORDER:
        return shown(".".join(path), text)
    # For example the command of a health check, or an option of a log driver.
    is_hidden = not _COMMANDS.isdisjoint(path) or SENSITIVE.search(path[-1])
    return HIDDEN if is_hidden and not text.startswith("arn:") else text
