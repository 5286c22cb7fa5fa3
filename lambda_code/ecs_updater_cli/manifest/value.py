"""A value of the file with its place, and the values in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .place import Position


@dataclass(frozen=True)
class Member:
    """A name of a map, and what stands under it."""

    place: Position
    """That of the name."""
    value: Value


@dataclass(frozen=True)
class Value:
    """A map, a list or a single value."""

    place: Position
    data: Any
    """All of it, as ``json.loads`` would give it; a date of YAML is a ``scalar.Date``."""
    members: Mapping[str, Member] = field(default_factory=dict)
    """Of a map."""
    items: tuple[Value, ...] = ()
    """Of a list."""
    written: str | None = None
    """How a single value is written that is no text, such as ``1.10``, which is the number 1.1."""

    def at(self, path: Iterable[str | int]) -> Value:
        """The value that ``path`` leads to, or the last one on the way that there is."""
        found = self
        for step in path:
            if isinstance(step, int) and step < len(found.items):
                found = found.items[step]
            elif isinstance(step, str) and step in found.members:
                found = found.members[step].value
            else:
                break
        return found
