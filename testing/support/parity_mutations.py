"""Changes or drops every leaf of a document, one at a time."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yields the path of every value that contains no other."""
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else [])
    )
    for key, member in members:
        yield from leaves(member, (*path, key))
    if path and (not isinstance(value, (dict, list)) or not value):
        yield path


def mutations(document: Any, *below: str | int) -> Iterator[tuple[str, Any]]:
    """Yields each change and the changed document; with ``below`` only changes of that part."""
    part = document
    for key in below:
        part = part[key]
    for path in leaves(part, below):
        for verb in ("change", "drop"):
            changed = deepcopy(document)
            *way, last = path
            parent = changed
            for key in way:
                parent = parent[key]
            if verb == "change":
                parent[last] = other(parent[last])
            else:
                del parent[last]
            yield f"{verb} {'.'.join(map(str, path))}", changed


def other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f"{value or ''}-another"
