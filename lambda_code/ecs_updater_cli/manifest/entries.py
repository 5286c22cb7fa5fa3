"""The list of deployments with their defaults, and the service of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

from ecs_updater.model.arn import account_prefix, name_of, nearest, service_key
from ecs_updater.model.event_parser import ROLLBACK, SCHEMAS, UPDATE
from ecs_updater.model.request import TARGET
from ecs_updater.model.targets import HOME

from .values import Document, Position, Problem, Value

LIST, DEFAULTS, GROUP = "deployments", "defaults", "group"

RUN_BEFORE = "run_before"
"""Field of an event with a task that must succeed before the service changes."""

MAX_OF_PART = 50
"""Maximum number of problems that are reported for one entry, and for the rest of the file."""

Path = Sequence[str | int]


@dataclass(frozen=True)
class ServiceIdentity:
    """The service of an event. Names and ARNs of one service are equal."""

    cluster: str
    service: str
    """Both are names."""
    account: str | None = None
    """Beginning of the ARN, `arn:aws:ecs:eu-west-1:123456789012:`. None without an ARN."""
    target: str | None = None
    """Name of a target. None: account and region are those of the ARN, or those of home."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "ServiceIdentity":
        """Returns the service of an event, whose names are strings."""
        cluster, service = event["ecs_cluster_name"], event["ecs_service_name"]
        arn = next((text for text in (cluster, service) if text.startswith("arn:")), None)
        account = account_prefix(arn) if arn and arn.count(":") >= 5 else None
        return cls(name_of(cluster), name_of(service), account, target_of(event))

    def may_be(self, other: "ServiceIdentity") -> bool:
        """Returns whether both can be one service, as far as a file shows it.

        A file does not have the accounts of targets, and no service without an ARN has one.
        """
        names = (self.target, self.cluster, self.service)
        if names != (other.target, other.cluster, other.service):
            return False
        return bool(self.target) or None in (self.account, other.account) or self == other

    def key(self, account: str) -> str:
        """Returns the key in the ledger. `account`: the beginning of the ARNs there."""
        return service_key(f"{account}service/{self.cluster}/{self.service}")

    @property
    def place(self) -> str:
        """The cluster, after its target if it has one."""
        return f"{self.target}/{self.cluster}" if self.target else self.cluster

    def __str__(self) -> str:
        return f"{self.place}/{self.service}"


def target_of(event: Mapping[str, Any]) -> str | None:
    """Returns the name of an event's target. None: it names none, or home."""
    target = event.get(TARGET)
    return target if isinstance(target, str) and target != HOME else None


@dataclass(frozen=True)
class ManifestEntry:
    """One deployment of the file."""

    index: int
    """From 0."""
    own: Value
    """The item of the list, without defaults."""
    defaults: Value | None
    event: Any
    """The event with the defaults, without `group`. Any value if the item is not a map."""
    group: Any = None

    @property
    def name(self) -> str:
        """Name in problems."""
        return f"{LIST}[{self.index}]"

    def where(self, path: Path) -> tuple[Position, str, Value]:
        """Returns the position, the name in problems and the value of a path of the event."""
        root, name = self.own, self.name
        common = self.defaults.members if self.defaults else {}
        if self.defaults and path and path[0] in common.keys() - self.own.members.keys():
            root, name = self.defaults, DEFAULTS
        value = root.at(path)
        return value.position, ".".join(map(str, [name, *path])), value

    def named_at(self, path: Path, name: str) -> Position:
        """Returns the position of the name of a field in the map at `path`."""
        common = self.defaults.members if self.defaults else {}
        members = self.where(path)[2].members if path else {**common, **self.own.members}
        return members[name].named_at


def in_target(found: Sequence[ManifestEntry], target: str | None) -> list[ManifestEntry]:
    """Returns the entries of a valid file, with `target` in those that name none."""
    if target is None:
        return list(found)
    return [replace(entry, event={TARGET: target, **entry.event}) for entry in found]


def tasks_before(found: Sequence[ManifestEntry]) -> dict[int, int]:
    """Returns the numbers of entries, from 1, by those that wait for the task of their group.

    The entries of a valid file: a group has at most one `run_before`.
    """
    first = {
        entry.group: entry.index + 1
        for entry in found
        if entry.group is not None and RUN_BEFORE in entry.event
    }
    return {
        entry.index + 1: first[entry.group]
        for entry in found
        if entry.group in first and RUN_BEFORE not in entry.event
    }


def entries(document: Document, problems: list[Problem]) -> list[ManifestEntry]:
    """Returns the complete entries of a file. Adds the problems of their list to `problems`."""
    names, end = document.value.members, document.ends_at
    of_file = _problems_of_file(document.value, is_complete=end is None)
    problems += islice(of_file, MAX_OF_PART)
    listed, defaults = names.get(LIST, document.value), names.get(DEFAULTS)
    if defaults and not isinstance(defaults.data, dict):
        defaults = None
    # An item is complete if the next one begins before the end.
    items = [item for item, after in pairwise(listed.items) if end and after.position <= end]
    return [
        _entry(index, own, defaults) for index, own in enumerate(items if end else listed.items)
    ]


def _problems_of_file(document: Value, *, is_complete: bool) -> Iterator[Problem]:
    names = document.members
    listed = names.get(LIST, document)
    if listed is document and not names.keys().isdisjoint(SCHEMAS[UPDATE].fields):
        sentence = "this is a single event: a file is a list of events"
        yield Problem(document.position, "", sentence)
        return
    for name in names:
        if name not in (LIST, DEFAULTS) and not name.startswith("x-"):
            sentence = f"this name means nothing here: a file has {DEFAULTS}, {LIST} and x-…"
            yield Problem(names[name].named_at, name, sentence)
    if DEFAULTS in names:
        yield from _problems_of_defaults(names[DEFAULTS])
    if not is_complete:
        return
    if isinstance(listed.data, list):
        if not listed.items:
            yield Problem(listed.position, LIST, "the list is empty")
    elif listed is document and isinstance(document.data, dict):
        sentence = (
            f"there are no {LIST}: a file is a list, or a map in which the list has this name"
        )
        yield Problem(document.position, "", sentence)
    else:
        sentence = "this has to be a list of deployments, one for each service"
        yield Problem(listed.position, LIST, sentence)


def _problems_of_defaults(defaults: Value) -> Iterator[Problem]:
    if not isinstance(defaults.data, dict):
        sentence = "this has to be a map, with fields that the deployments leave out"
        yield Problem(defaults.position, DEFAULTS, sentence)
    known = {*SCHEMAS[UPDATE].fields, *SCHEMAS[ROLLBACK].fields, GROUP}
    for name, value in defaults.members.items():
        if name not in known:
            meant = nearest(name, known)
            question = f": did you mean {meant}?" if meant else ""
            sentence = f"there is no field of this name{question}"
            yield Problem(value.named_at, f"{DEFAULTS}.{name}", sentence)


def _entry(index: int, own: Value, defaults: Value | None) -> ManifestEntry:
    if not isinstance(own.data, dict):
        return ManifestEntry(index, own, None, own.data)
    common: Mapping[str, Any] = defaults.data if defaults else {}
    action = own.data.get("action", common.get("action", UPDATE))
    # Defaults may have fields of updates that a rollback does not have.
    known = isinstance(action, str) and action in SCHEMAS
    fields = {*SCHEMAS[action if known else UPDATE].fields, GROUP}
    event = {**{name: value for name, value in common.items() if name in fields}, **own.data}
    group = event.pop(GROUP, None)
    return ManifestEntry(index, own, defaults, event, group)
