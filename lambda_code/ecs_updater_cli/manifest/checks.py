"""Checks all entries before anything is sent: each by the function's checks, and all together."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, cast

from jsonschema.exceptions import ValidationError

from ecs_updater.errors import InvalidEventError, InvalidImageError, NotAllowedError, one_line
from ecs_updater.model import event_parser as events
from ecs_updater.model.image import ImageReference
from ecs_updater.settings import Settings

from .entries import GROUP, LIST, ManifestEntry, Path, ServiceIdentity, entries
from .values import ManifestError, Position, Problem, Value, text_advice

MAX_PROBLEMS = 1000
_MAX_OF_ENTRY = 50

# Fields of the event that the command sets.
_COMMAND_FIELDS = {
    "wait_seconds": "leave it out: the command itself waits, for as long as --timeout says",
    "dry_run": "leave it out: --dry-run shows what all of them would change",
    "request_id": "leave it out: each update gets an id of its batch",
}

_NAMES = ("ecs_cluster_name", "ecs_service_name")

# With a ledger: whether there is one is known when the file is deployed.
_SETTINGS = Settings(ledger_table="ledger")


def checked(document: Value, settings: Settings = _SETTINGS) -> list[ManifestEntry]:
    """Returns the entries of a valid file. Raises ManifestError with all problems in their order.

    Only the allow lists of `settings` are used.
    """
    problems: list[Problem] = []
    found = entries(document, problems)
    for entry in found:
        problems += islice(_problems(entry, settings), _MAX_OF_ENTRY)
    problems += _duplicates(found)
    if problems:
        # A problem of the defaults, or behind an alias, is reported once for all entries.
        by_place = {(problem.position, problem.sentence): problem for problem in problems[::-1]}
        ordered = sorted(by_place.values(), key=lambda problem: problem.position or Position(0, 0))
        raise ManifestError(ordered[:MAX_PROBLEMS])
    return found


def problems_of_event(event: dict[str, Any], settings: Settings = _SETTINGS) -> list[Problem]:
    """Returns the problems of an event that is not in a file."""
    nowhere = Value(Position(0, 0), event)
    return [
        Problem(None, problem.path.removeprefix(f"{LIST}[0]").lstrip("."), problem.sentence)
        for problem in _problems(ManifestEntry(0, nowhere, None, event), settings)
    ]


def _problems(entry: ManifestEntry, settings: Settings) -> Iterator[Problem]:
    if not isinstance(entry.event, dict):
        sentence = "this has to be a map, with the fields of an event"
        yield Problem(entry.own.position, entry.name, sentence)
        return
    group = entry.group
    is_text = isinstance(group, str) and 0 < len(group) <= 128 and group.isprintable()
    if group is not None and not is_text:
        sentence = "a group's name is a text of 1 to 128 characters"
        yield _problem(entry, [GROUP], sentence, needs_text=True)
    for name, sentence in _COMMAND_FIELDS.items():
        if name in entry.event:
            yield _problem(entry, [name], sentence)
    event = {name: value for name, value in entry.event.items() if name not in _COMMAND_FIELDS}
    action = event.get("action", events.UPDATE)
    if isinstance(action, str) and action not in events.SCHEMAS:
        yield _problem(entry, ["action"], f"{action!r} is not one of {list(events.SCHEMAS)}")
        return
    schema = events.SCHEMAS[action if isinstance(action, str) else events.UPDATE]
    violations = list(islice(schema.validator.iter_errors(event), _MAX_OF_ENTRY))
    for violation in violations:
        if events.names_unknown_fields(violation):
            known = {*schema.fields, GROUP}
            for name in [name for name in event if name not in known]:
                position = entry.position_of_name([], name)
                yield Problem(position, entry.name, events.unknown_field(name, known))
        else:
            yield _violation_problem(entry, violation)
    yield from _image_problems(entry, event)
    if not violations:
        yield from _parser_problems(entry, event, settings)


def _violation_problem(entry: ManifestEntry, error: ValidationError) -> Problem:
    path = list(error.absolute_path)
    needs_text = (error.validator, error.validator_value) == ("type", "string")
    problem = _problem(entry, path, one_line(error.message), needs_text=needs_text)
    if error.validator == "additionalProperties":
        # Only the schema of an object has this keyword, and only an object violates it. The objects
        # in an event have names of a pattern.
        patterns = cast(Mapping[str, Any], error.schema).get("patternProperties", {})
        for member in cast(Mapping[str, Any], error.instance):
            if not any(re.search(pattern, member) for pattern in patterns):
                return replace(problem, position=entry.position_of_name(path, member))
    return problem


def _image_problems(entry: ManifestEntry, event: dict[str, Any]) -> Iterator[Problem]:
    images: dict[tuple[str, ...], Any] = {("ecs_image_name",): event.get("ecs_image_name")}
    further = event.get("ecs_container_images")
    if isinstance(further, dict):
        images |= {("ecs_container_images", name): image for name, image in further.items()}
    for path, image in images.items():
        if isinstance(image, str):
            try:
                ImageReference.parse(image)
            except InvalidImageError as error:
                yield _problem(entry, path, error.reason)


def _parser_problems(
    entry: ManifestEntry, event: dict[str, Any], settings: Settings
) -> Iterator[Problem]:
    """Yields the problems that the schema cannot express, as the function reports them."""
    try:
        events.parse(event, settings)
    except InvalidEventError as error:
        for violation in error.violations:
            path = _path_in(violation, event)
            prefix = f"{'.'.join(path)}: " if path else ""
            yield _problem(entry, path, violation.removeprefix(prefix))
    except NotAllowedError as error:
        yield Problem(entry.where(error.field.split(".", 1))[0], entry.name, error.reason)
    except InvalidImageError:
        pass  # Reported by `_image_problems`.


def _path_in(violation: str, event: dict[str, Any]) -> list[str]:
    """Returns the path of the field with which a violation begins.

    The key of a tag may contain dots and colons.
    """
    for name, value in event.items():
        for key in value if isinstance(value, dict) else ():
            if violation.startswith(f"{name}.{key}: "):
                return [name, key]
        if violation.startswith(f"{name}: "):
            return [name]
    return []


def _duplicates(found: Iterable[ManifestEntry]) -> Iterator[Problem]:
    """Yields a problem for each further entry of a service: their order is not defined."""
    known: dict[tuple[str, str], list[tuple[ServiceIdentity, ManifestEntry]]] = defaultdict(list)
    for entry in found:
        if not isinstance(entry.event, dict) or not all(
            isinstance(entry.event.get(name), str) for name in _NAMES
        ):
            continue
        identity = ServiceIdentity.of(entry.event)
        same = known[identity.cluster, identity.service]
        first = next((other for service, other in same if identity.may_be(service)), None)
        if first:
            position = first.own.position
            sentence = (
                f"this is {identity} again, which {first.name} in line {position.line}, column "
                f"{position.column} deploys already"
            )
            yield Problem(entry.own.position, entry.name, sentence)
        same.append((identity, entry))


def _problem(
    entry: ManifestEntry, path: Path, sentence: str, *, needs_text: bool = False
) -> Problem:
    position, name, value = entry.where(path)
    return Problem(position, name, sentence + (text_advice(value) if needs_text else ""))
