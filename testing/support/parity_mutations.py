"""Changes or drops every leaf of a document, one at a time."""

from collections.abc import Iterator
from copy import copy
from functools import reduce
from operator import getitem
from typing import Any

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yields the path of every value that contains no other."""
    members = dict(enumerate(value)) if isinstance(value, list) else value
    if isinstance(members, dict) and members:
        for key, member in members.items():
            yield from leaves(member, (*path, key))
    elif path:
        yield path


def mutations(document: Any, *below: str | int) -> Iterator[tuple[str, Any]]:
    """Yields each change and the changed document; with ``below`` only changes of that part."""
    for path in leaves(reduce(getitem, below, document), below):
        for verb in ("change", "drop"):
            *way, last = path
            changed = parent = copy(document)
            for key in way:
                parent[key] = copy(parent[key])
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
