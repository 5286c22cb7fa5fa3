"""The nodes of a text in YAML, as PyYAML composes them, and where its aliases stand, which nodes do
not tell.

https://pyyaml.org/wiki/PyYAMLDocumentation
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from .place import Position, wrong

MOST_DEPTH = 50
"""How deep a file may be nested, its aliases included; an event needs three levels."""

MOST_ITEMS = 10_000
"""The most items of a list, or names of a map: as many as a file may have deployments."""

MOST_NODES = 1_000_000
"""The most nodes of a file, names included."""

TOO_DEEP = f"nested deeper than {MOST_DEPTH} times"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Aliases = dict[tuple[int, int], Position]
"""Where aliases stand that are items of lists: by the character at which the list begins, and the
item's number from 0.
"""


@dataclass
class _Open:
    """A list or a map that has begun."""

    start: Any
    """The mark where it begins: of PyYAML or of libyaml, whose classes have no common base."""
    is_list: bool
    nodes: int = 0

    @property
    def has_too_many(self) -> bool:
        """Whether there is one item, or one name, too many in it."""
        return self.nodes > (MOST_ITEMS if self.is_list else 2 * MOST_ITEMS)


def check_size(text: str) -> None:
    """Raises InvalidDocument for a text that is nested too deeply or has too many values, as soon
    as that is known.

    Raises yaml.MarkedYAMLError or yaml.reader.ReaderError for a text that is no YAML up to there.
    """
    for _ in _events(text):
        pass


def composed(text: str) -> tuple[yaml.Node | None, Aliases]:
    """The nodes of a text, and the aliases in its lists, which the nodes themselves do not tell.

    Its size is looked at before: libyaml's own recursion ends the process where it is nested too
    deeply. Raises what ``check_size`` raises.
    """
    aliases: Aliases = {}
    for event, within in _events(text):
        if isinstance(event, yaml.AliasEvent) and within and within.is_list:
            aliases[within.start.index, within.nodes - 1] = place_of(event.start_mark)
    return yaml.compose(text, Loader=_LOADER), aliases


def _events(text: str) -> Iterator[tuple[yaml.NodeEvent, _Open | None]]:
    """The nodes of a text, each with the list or map that it is in and that counts it.

    Raises what ``check_size`` raises.
    """
    open_: list[_Open] = []
    left = MOST_NODES
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        left -= 1
        if left < 0:
            raise wrong(
                place_of(event.start_mark),
                f"the file has more than {MOST_NODES:,} values and names",
            )
        within = open_[-1] if open_ else None
        if within:
            within.nodes += 1
            if within.has_too_many:
                what = "deployments" if within.is_list else "names in one map"
                raise wrong(
                    place_of(within.start),
                    f"there are more than {MOST_ITEMS:,} {what}, and {MOST_ITEMS:,} are the most",
                )
        yield event, within
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(_Open(event.start_mark, isinstance(event, yaml.SequenceStartEvent)))
        if len(open_) > MOST_DEPTH:
            raise wrong(place_of(event.start_mark), f"it is {TOO_DEEP}")


def place_of(mark: Any) -> Position:
    """The place of a mark of PyYAML, which may be None."""
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
