"""Every problem of every entry, found before anything is sent: by the function's own checks, and by
what many together need.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, cast

from jsonschema.exceptions import ValidationError

from ecs_updater.errors import InvalidEventError, InvalidImageError, NotAllowedError, one_line
from ecs_updater.model import event_parser as events
from ecs_updater.model.image import ImageReference
from ecs_updater.settings import Settings

from .entries import GROUP, LIST, ManifestEntry, Path, entries
from .identity import ServiceIdentity
from .place import ManifestError, Position, Problem
from .scalar import hint
from .value import Value

MOST_PROBLEMS = 1000
_MOST_OF_ONE = 50

_OURS = {
    "wait_seconds": "leave it out: the command itself waits, for as long as --timeout says",
    "dry_run": "leave it out: --dry-run shows what all of them would change",
    "request_id": "leave it out: each update gets an id of its batch",
}
"""Fields of the contract that the command decides."""

_NAMES = ("ecs_cluster_name", "ecs_service_name")

# With a ledger: whether there is one is known when the file is deployed.
_SETTINGS = Settings(ledger_table="ledger")


def checked(document: Value, settings: Settings = _SETTINGS) -> list[ManifestEntry]:
    """The entries of a file in which nothing is wrong. Raises InvalidDocument with all that is, in
    the order of the file.

    Of ``settings`` count those that allow images and services.
    """
    problems: list[Problem] = []
    found = entries(document, problems)
    for entry in found:
        problems += islice(_problems(entry, settings), _MOST_OF_ONE)
    problems += _doubles(found)
    if problems:
        # What is wrong in the defaults, or behind an alias, is wrong for every entry, and said
        # once.
        each = {(problem.place, problem.sentence): problem for problem in reversed(problems)}
        ordered = sorted(each.values(), key=lambda problem: problem.place or Position(0, 0))
        raise ManifestError(ordered[:MOST_PROBLEMS])
    return found


def problems_of_event(event: dict[str, Any], settings: Settings = _SETTINGS) -> list[Problem]:
    """What is wrong with an event that stands in no file."""
    nowhere = Value(Position(0, 0), event)
    found = _problems(ManifestEntry(0, nowhere, None, event), settings)
    return [
        Problem(None, problem.path.removeprefix(f"{LIST}[0]").lstrip("."), problem.sentence)
        for problem in found
    ]


def _problems(entry: ManifestEntry, settings: Settings) -> Iterator[Problem]:
    if not isinstance(entry.event, dict):
        yield Problem(
            entry.own.place, entry.name, "this has to be a map, with the fields of an event"
        )
        return
    yield from _of_group(entry)
    for name, sentence in _OURS.items():
        if name in entry.event:
            yield _problem(entry, [name], sentence)
    event = {name: value for name, value in entry.event.items() if name not in _OURS}
    action = event.get("action", events.UPDATE)
    if isinstance(action, str) and action not in events.SCHEMAS:
        yield _problem(entry, ["action"], f"{action!r} is not one of {list(events.SCHEMAS)}")
        return
    schema = events.SCHEMAS[action if isinstance(action, str) else events.UPDATE]
    violations = list(islice(schema.validator.iter_errors(event), _MOST_OF_ONE))
    for violation in violations:
        if events.names_unknown_fields(violation):
            yield from _unknown_fields(entry, event, {*schema.fields, GROUP})
        else:
            yield _violation(entry, violation)
    yield from _of_images(entry, event)
    if not violations:
        yield from _further(entry, event, settings)


def _of_group(entry: ManifestEntry) -> Iterator[Problem]:
    group = entry.group
    if group is not None and not (
        isinstance(group, str) and 0 < len(group) <= 128 and group.isprintable()
    ):
        place, path, value = entry.where([GROUP])
        advice = f"; {hint(value.data, value.written)}" if value.written is not None else ""
        yield Problem(place, path, f"a group's name is a text of 1 to 128 characters{advice}")


def _violation(entry: ManifestEntry, error: ValidationError) -> Problem:
    path = list(error.absolute_path)
    sentence = one_line(error.message)
    place, text, value = entry.where(path)
    if (
        error.validator == "type"
        and error.validator_value == "string"
        and value.written is not None
    ):
        sentence += f"; {hint(value.data, value.written)}"
    if error.validator == "additionalProperties":
        # Only a schema that is an object has this keyword, and only an object violates it.
        schema, instance = (
            cast(Mapping[str, Any], error.schema),
            cast(Mapping[str, Any], error.instance),
        )
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        odd_names = (
            name
            for name in instance
            if name not in known and not any(re.search(one, name) for one in patterns)
        )
        odd = next(odd_names, None)
        place = place if odd is None else entry.place_of_name(path, odd)
    return Problem(place, text, sentence)


def _unknown_fields(
    entry: ManifestEntry, event: dict[str, Any], known: set[str]
) -> Iterator[Problem]:
    for name in event:
        if name not in known:
            yield Problem(
                entry.place_of_name([], name), entry.name, events.unknown_field(name, known)
            )


def _of_images(entry: ManifestEntry, event: dict[str, Any]) -> Iterator[Problem]:
    further = event.get("ecs_container_images")
    images: dict[tuple[str, ...], Any] = {("ecs_image_name",): event.get("ecs_image_name")}
    images |= (
        {("ecs_container_images", name): image for name, image in further.items()}
        if isinstance(further, dict)
        else {}
    )
    for path, image in images.items():
        if isinstance(image, str):
            try:
                ImageReference.parse(image)
            except InvalidImageError as error:
                yield _problem(entry, path, error.reason)


def _further(entry: ManifestEntry, event: dict[str, Any], settings: Settings) -> Iterator[Problem]:
    """What the schema cannot say, in the words of the function, each of which begins with the
    field.
    """
    try:
        events.parse(event, settings)
    except InvalidEventError as error:
        for violation in error.violations:
            path = _path_in(violation, event)
            yield _problem(
                entry, path, violation.removeprefix(f"{'.'.join(path)}: ") if path else violation
            )
    except NotAllowedError as error:
        yield Problem(entry.where(error.field.split(".", 1))[0], entry.name, error.reason)
    except InvalidImageError:
        pass  # Each image has been looked at.


def _path_in(violation: str, event: dict[str, Any]) -> list[str]:
    """Which field a violation is about: a tag's key may have any dots and colons."""
    for name, value in event.items():
        for key in value if isinstance(value, dict) else ():
            if violation.startswith(f"{name}.{key}: "):
                return [name, key]
        if violation.startswith(f"{name}: "):
            return [name]
    return []


def _doubles(found: Iterable[ManifestEntry]) -> Iterator[Problem]:
    """Two entries for one service: which of the two came last would be luck."""
    status: dict[tuple[str, str], list[tuple[ServiceIdentity, ManifestEntry]]] = defaultdict(list)
    for entry in found:
        if not isinstance(entry.event, dict) or not all(
            isinstance(entry.event.get(name), str) for name in _NAMES
        ):
            continue
        identity = ServiceIdentity.of(entry.event)
        same = status[identity.cluster, identity.service]
        first = next((other for known, other in same if identity.may_be(known)), None)
        if first:
            place = first.own.place
            sentence = (
                f"this is {identity} again, which {first.name} in line {place.line}, column "
                f"{place.column} deploys already"
            )
            yield Problem(entry.own.place, entry.name, sentence)
        same.append((identity, entry))


def _problem(entry: ManifestEntry, path: Path, sentence: str) -> Problem:
    place, text, _ = entry.where(path)
    return Problem(place, text, sentence)
