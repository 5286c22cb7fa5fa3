"""Checks all entries before anything is sent: each by the function's checks, and all together."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jsonschema.exceptions import ValidationError

from ecs_updater.errors import InvalidImageError, one_line
from ecs_updater.model import event_parser as events
from ecs_updater.model.image import ImageReference
from ecs_updater.model.request import AllowLists
from ecs_updater.settings import Settings

from .entries import (
    GROUP,
    LIST,
    MAX_OF_PART,
    RUN_BEFORE,
    ManifestEntry,
    Path,
    ServiceIdentity,
    entries,
)
from .values import NOWHERE, Document, ManifestError, Problem, Value, number_advice, text_advice

MAX_PROBLEMS = 1000

# Fields of the event that the command sets.
_COMMAND_FIELDS = {
    "wait_seconds": "leave it out: the command itself waits, for as long as --timeout says",
    "dry_run": "leave it out: --dry-run shows what all of them would change",
    "request_id": "leave it out: each update gets an id of its batch",
}

# What the command adds to a sentence of the schema.
_ADVICE = {
    "'ecs_tag' is a required property": (
        ". To keep the service's tags, write ecs_tag: {} and ecs_tag_mode: merge"
    )
}

_NAMES = ("ecs_cluster_name", "ecs_service_name")

_UPDATE = events.SCHEMAS[events.UPDATE]

# A valid value for each needed field.
_VALID: Mapping[str, Any] = {**dict.fromkeys((*_NAMES, "ecs_image_name"), "x"), "ecs_tag": {}}

# With a ledger: whether there is one is known when the file is deployed.
_SETTINGS = Settings(ledger_table="ledger")


def checked(document: Document, settings: Settings = _SETTINGS) -> list[ManifestEntry]:
    """Returns the entries of a valid file. Raises ManifestError with all problems in their order.

    Only the allow lists of `settings` are used.
    """
    problems = list(document.problems)
    found = entries(document, problems)
    for entry in found:
        problems += islice(_problems(entry, settings), MAX_OF_PART)
    problems += [*_duplicates(found), *_further_tasks(found)]
    if problems:
        # A value that could not be read has no further problem. A problem of the defaults, or
        # behind an alias, is reported once for all entries.
        unread = {problem.position for problem in document.problems}
        further = [problem for problem in problems if problem.position not in unread]
        by_place = {
            (problem.position, problem.sentence): problem
            for problem in [*further[::-1], *document.problems]
        }
        ordered = sorted(by_place.values(), key=lambda problem: problem.position)
        raise ManifestError(ordered[:MAX_PROBLEMS])
    return found


def problems_of_event(event: dict[str, Any], settings: Settings = _SETTINGS) -> list[Problem]:
    """Returns the problems of an event that is not in a file."""
    nowhere = Value(NOWHERE, event)
    return [
        Problem(NOWHERE, problem.path.removeprefix(f"{LIST}[0]").lstrip("."), problem.sentence)
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
        del event["action"]
    schema = events.SCHEMAS.get(action if isinstance(action, str) else "", _UPDATE)
    violations = list(islice(schema.validator(event).iter_errors(event), MAX_OF_PART))
    for violation in violations:
        yield from _problems_of_violation(entry, violation, schema)
    images = dict(_wrong_images(event))
    for path, sentence in images.items():
        yield _problem(entry, path, sentence)
    # Of a map only some members are wrong, or missing.
    wrong = [
        tuple(violation.absolute_path)
        for violation in violations
        if violation.validator in ("type", "required") or not isinstance(violation.instance, dict)
    ]
    wrong += (path for violation in violations for path in _unknown_members(violation))
    yield from _problems_beside_schema(entry, event, schema, [*wrong, *images], settings)


def _problems_of_violation(
    entry: ManifestEntry, violation: ValidationError, schema: events.Schema
) -> Iterator[Problem]:
    """Yields the problem, or one for each unknown field."""
    path = list(violation.absolute_path)
    # The types of jsonschema permit values that a violation does not have.
    rules: Any = violation.schema
    instance: Any = violation.instance
    validator: Any = violation.validator
    expected: Any = violation.validator_value
    fields = rules.get("properties")
    if validator == "additionalProperties" and fields:
        known = fields.keys() if path else {*schema.fields, GROUP}
        _, name, _ = entry.where(path)
        for field in instance.keys() - known:
            yield Problem(entry.named_at(path, field), name, events.unknown_field(field, known))
        return
    message = one_line(events.message_of(violation))
    position, name, value = entry.where(path)
    advice = _ADVICE.get(message, "")
    if validator == "type" and "string" in expected:
        advice = text_advice(value, is_hidden=events.may_have_secret(violation))
    elif validator == "type" and expected == "integer":
        advice = number_advice(value)
    yield Problem(position, name, message + advice)


def _unknown_members(violation: ValidationError) -> Iterator[tuple[Any, ...]]:
    """Yields the path of each member of a map that the schema does not allow."""
    path, rules, instance = tuple(violation.absolute_path), violation.schema, violation.instance
    if violation.validator != "additionalProperties" or not path or not isinstance(rules, dict):
        return
    for name in instance if isinstance(instance, dict) else ():
        patterns = rules.get("patternProperties", ())
        if name not in rules.get("properties", ()) and not any(
            re.search(p, name) for p in patterns
        ):
            yield (*path, name)


def _wrong_images(event: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields the path of each invalid image, and the reason."""
    images: dict[tuple[str, ...], Any] = {("ecs_image_name",): event.get("ecs_image_name")}
    further = event.get("ecs_container_images")
    if isinstance(further, dict):
        images |= {("ecs_container_images", name): image for name, image in further.items()}
    for path, image in images.items():
        if isinstance(image, str):
            try:
                ImageReference.parse(image)
            except InvalidImageError as error:
                yield path, error.reason


def _problems_beside_schema(
    entry: ManifestEntry,
    event: dict[str, Any],
    schema: events.Schema,
    wrong: Sequence[tuple[Any, ...]],
    settings: Settings,
) -> Iterator[Problem]:
    """Yields the problems that the schema cannot express, as the function reports them.

    The values at the paths `wrong` have another problem already. They are replaced by valid ones.
    """
    needed = {name: _VALID[name] for name in schema.required(event)}
    rest = needed | {name: value for name, value in event.items() if name in schema.fields}
    for name, *keys in filter(None, wrong):
        is_open = "required" not in schema.document["properties"][name]
        rest[name] = _without(rest.get(name), keys) if keys and is_open else needed.get(name)
    rest = {name: value for name, value in rest.items() if value is not None}
    reported = {".".join(map(str, path)) for path in wrong} | (needed.keys() - event.keys())
    for field, sentence in events.violations_beside_schema(rest):
        yield _problem(entry, field, sentence)
        reported.add(field[0])
    if "ecs_cluster_name" in reported:
        reported.add("ecs_service_name")
    for error in AllowLists.of(settings).rejections(events.request_of(rest)):
        if error.field not in reported:
            position = entry.where(error.field.split(".", 1))[0]
            yield Problem(position, entry.name, error.reason)


def _without(value: Any, path: Sequence[Any]) -> Any:
    """Returns a map without the value at `path`, and None for any other value."""
    name, *keys = path
    if not isinstance(value, dict):
        return None
    left = _without(value.get(name), keys) if keys else None
    others = {key: member for key, member in value.items() if key != name}
    return others if left is None else others | {name: left}


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


def _further_tasks(found: Iterable[ManifestEntry]) -> Iterator[Problem]:
    """Yields a problem for each further `run_before` of a group."""
    first: dict[str, ManifestEntry] = {}
    for entry in found:
        group = entry.group
        if isinstance(group, str) and isinstance(entry.event, dict) and RUN_BEFORE in entry.event:
            other = first.setdefault(group, entry)
            if other is not entry:
                position = other.own.position
                sentence = (
                    f"group {group} has a {RUN_BEFORE} already, of {other.name} in line "
                    f"{position.line}, column {position.column}: a group runs one"
                )
                yield _problem(entry, [RUN_BEFORE], sentence)


def _problem(
    entry: ManifestEntry, path: Path, sentence: str, *, needs_text: bool = False
) -> Problem:
    position, name, value = entry.where(path)
    return Problem(position, name, sentence + (text_advice(value) if needs_text else ""))
