"""The list of deployments, with the defaults under each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_updater.model.event_parser import ROLLBACK, SCHEMAS, UPDATE
from ecs_updater.model.nearest_name import nearest

from .place import Position, Problem
from .value import Value

LIST, DEFAULTS, GROUP = "deployments", "defaults", "group"

Path = Sequence[str | int]


@dataclass(frozen=True)
class ManifestEntry:
    """One service of the file."""

    index: int
    """From 0, as a program counts."""
    own: Value
    """What stands in the list itself."""
    defaults: Value | None
    event: Any
    """The contract's event, defaults included and without ``group``; any value at all where the
    entry is no map.
    """
    group: Any = None

    @property
    def name(self) -> str:
        """How problems call it."""
        return f"{LIST}[{self.index}]"

    def where(self, path: Path) -> tuple[Position, str, Value]:
        """Where the value of this path of the event stands, how problems call it, and the value
        itself.

        One of the defaults has a name of its own.
        """
        if (
            self.defaults
            and path
            and path[0] not in self.own.members
            and path[0] in self.defaults.members
        ):
            found = self.defaults.at(path)
            return found.place, path_text([DEFAULTS, *path]), found
        found = self.own.at(path)
        return found.place, path_text([self.name, *path]), found

    def place_of_name(self, path: Path, name: str) -> Position:
        """Where a name stands that is in the map of this path."""
        for root in (self.own, self.defaults):
            members = root.at(path).members if root else {}
            if name in members:
                return members[name].place
        return self.own.place


def path_text(path: Path) -> str:
    """``deployments[3].ecs_tag.owner``"""
    return ".".join(str(step) for step in path)


def entries(document: Value, problems: list[Problem]) -> list[ManifestEntry]:
    """The entries of a file; what is wrong with their list goes into ``problems``."""
    list_services, defaults = document, None
    if isinstance(document.data, dict):
        if LIST not in document.members:
            problems += _no_list(document)
            return []
        problems += _unknown_names(document)
        list_services, defaults = (
            document.at([LIST]),
            document.members[DEFAULTS].value if DEFAULTS in document.members else None,
        )
    if not isinstance(list_services.data, list):
        problems.append(
            Problem(
                list_services.place,
                LIST,
                "this has to be a list of deployments, one for each service",
            )
        )
        return []
    if not list_services.items:
        problems.append(Problem(list_services.place, LIST, "the list is empty"))
    if defaults is not None:
        problems += _problems_of_defaults(defaults)
        defaults = defaults if isinstance(defaults.data, dict) else None
    return [_entry(index, own, defaults) for index, own in enumerate(list_services.items)]


def _no_list(document: Value) -> Iterator[Problem]:
    if not document.members.keys().isdisjoint(SCHEMAS[UPDATE].fields):
        yield Problem(document.place, "", "this is one event alone: a file is a list of them")
        return
    yield from _unknown_names(document)
    yield Problem(
        document.place,
        "",
        f"there are no {LIST}: a file is a list, or a map in which the list has this name",
    )


def _unknown_names(document: Value) -> Iterator[Problem]:
    for name, member in document.members.items():
        if name not in (LIST, DEFAULTS):
            yield Problem(
                member.place,
                name,
                f"this name means nothing here: a file has {DEFAULTS} and {LIST}",
            )


def _problems_of_defaults(defaults: Value) -> Iterator[Problem]:
    if not isinstance(defaults.data, dict):
        yield Problem(
            defaults.place,
            DEFAULTS,
            "this has to be a map, with fields that the deployments leave out",
        )
        return
    known = {*SCHEMAS[UPDATE].fields, *SCHEMAS[ROLLBACK].fields, GROUP}
    for name, member in defaults.members.items():
        if name not in known:
            meant = nearest(name, known)
            sentence = (
                f"there is no field of this name{f': did you mean {meant}?' if meant else ''}"
            )
            yield Problem(member.place, path_text([DEFAULTS, name]), sentence)


def _entry(index: int, own: Value, defaults: Value | None) -> ManifestEntry:
    if not isinstance(own.data, dict):
        return ManifestEntry(index, own, None, own.data)
    common: Mapping[str, Any] = defaults.data if defaults else {}
    action = own.data.get("action", common.get("action", UPDATE))
    # What a rollback has no field for is meant for the updates beside it.
    fields = {
        *SCHEMAS[action if isinstance(action, str) and action in SCHEMAS else UPDATE].fields,
        GROUP,
    }
    event = {**{name: value for name, value in common.items() if name in fields}, **own.data}
    group = event.pop(GROUP, None)
    return ManifestEntry(index, own, defaults, event, group)
