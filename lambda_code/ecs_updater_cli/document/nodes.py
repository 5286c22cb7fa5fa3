"""The nodes of a text in YAML, as PyYAML composes them, and where its aliases stand, which nodes do not tell.

https://pyyaml.org/wiki/PyYAMLDocumentation
"""

from dataclasses import dataclass
from typing import Any

import yaml

from .place import Place, wrong

MOST_DEPTH = 50
"""How deep a file may be nested, its aliases included; an event needs three levels."""

TOO_DEEP = f"nested deeper than {MOST_DEPTH} times"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Aliases = dict[tuple[int, int], Place]
"""Where aliases stand that are items of lists: by the character at which the list begins, and the item's number from 0."""


@dataclass
class _Open:
    """A list or a map that has begun."""

    start: int
    is_list: bool
    items: int = 0


def composed(text: str) -> tuple[yaml.Node | None, Aliases]:
    """The nodes of a text, and the aliases in its lists, which the nodes themselves do not tell.

    Its depth is looked at before: libyaml's own recursion ends the process where it is too deep. Raises InvalidDocument for that,
    and yaml.MarkedYAMLError or yaml.reader.ReaderError for a text that is no YAML.
    """
    aliases: Aliases = {}
    open_: list[_Open] = []
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        if open_ and open_[-1].is_list:
            if isinstance(event, yaml.AliasEvent):
                aliases[open_[-1].start, open_[-1].items] = place_of(event.start_mark)
            open_[-1].items += 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(_Open(event.start_mark.index, isinstance(event, yaml.SequenceStartEvent)))
        if len(open_) > MOST_DEPTH:
            raise wrong(place_of(event.start_mark), f"it is {TOO_DEEP}")
    return yaml.compose(text, Loader=_LOADER), aliases


def place_of(mark: Any) -> Place:
    """The place of a mark of PyYAML, which may be None."""
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
