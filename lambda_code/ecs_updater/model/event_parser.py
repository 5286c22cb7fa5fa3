"""Parses an event: environment defaults, the schema of its action, then the checks in code.

The schemas are `schemas/*.json`, in the subset of JSON Schema draft 04 of API Gateway's models:
https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError, best_match

from ..errors import VIOLATION_LIMIT, InvalidEventError, InvalidImageError, one_line
from ..settings import Settings
from . import revision_settings
from .arn import nearest
from .image import ImageReference
from .request import (
    GUARDED_FIELDS,
    RUN_BEFORE,
    SETTING_FIELDS,
    TARGET,
    TASK_DEFINITION,
    AllowLists,
    RollbackRequest,
    RunBefore,
    UpdateRequest,
)
from .revision_settings import (
    CONTAINER_FIELDS,
    CONTAINERS,
    SECRET_FIELDS,
    TASK_FIELDS,
    RevisionSettings,
    by_container,
)
from .service_settings import wanted_settings
from .strategy import COMPLETE
from .tags import REPLACE, wrong_character

UPDATE, ROLLBACK = "update", "rollback"

_IMAGE_AND_TAGS = ("ecs_image_name", "ecs_tag")


@dataclass(frozen=True)
class Schema:
    """A file of `schemas`, such as the schema of an event."""

    name: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """Returns the content of the file."""
        text = (
            resources.files("ecs_updater").joinpath(f"schemas/{self.name}.json").read_text("utf-8")
        )
        document: dict[str, Any] = json.loads(text)
        return document

    @cached_property
    def _validators(self) -> tuple[Draft4Validator, Draft4Validator]:
        """Returns the compiled schema of an event without and with settings.

        A compiled schema takes 0.07 ms per event, jsonschema.validate() 2.4 ms.
        """
        required = self.document["required"]
        if "ecs_image_name" in self.fields:
            required = list(dict.fromkeys([*required, *_IMAGE_AND_TAGS]))
        strict = {**self.document, "required": required}
        return Draft4Validator(strict), Draft4Validator(self.document)

    def validator(self, event: Any) -> Draft4Validator:
        """Returns the compiled schema of an event: with settings it needs no image and no tags."""
        return self._validators[_has_settings(event)]

    def required(self, event: Any) -> list[str]:
        """Returns the names of the fields that an event must have."""
        schema: Any = self.validator(event).schema
        required: list[str] = schema["required"]
        return required

    @property
    def fields(self) -> frozenset[str]:
        """Returns the names of the fields."""
        return frozenset(self.document["properties"])

    def check(self, event: Any) -> None:
        """Raises InvalidEventError, with the most important violation and the first ones."""
        try:
            if best := best_match(
                itertools.islice(self.validator(event).iter_errors(event), _VIOLATIONS_WEIGHED)
            ):
                error = InvalidEventError(
                    self._most_important(best, event), _first(self._violations(event))
                )
                hint = self._hint(event)
                raise error.with_hint(hint) if hint else error
        except RecursionError:
            raise InvalidEventError("the event is nested too deeply") from None
        except ValueError as error:
            # Python does not print a number of more than 4300 digits.
            raise InvalidEventError(str(error)) from None

    def _violations(self, event: Any) -> Iterator[str]:
        """Yields all violations, and for each unknown field one of its own."""
        for error in self.validator(event).iter_errors(event):
            if names_unknown_fields(error):
                yield from self._unknown_fields(event)
            else:
                yield _violation(error)

    def _most_important(self, best: ValidationError, event: Any) -> str:
        """Returns the best violation and the unknown fields.

        A missing field may be in the event under a misspelled name.
        """
        unknown = list(itertools.islice(self._unknown_fields(event), _UNKNOWN_NAMED + 1))
        if not unknown:
            return _violation(best)
        more = ["and more"] if len(unknown) > _UNKNOWN_NAMED else []
        fields = "; ".join([*unknown[:_UNKNOWN_NAMED], *more])
        if names_unknown_fields(best):
            return fields
        room = max(_UNKNOWN_BESIDE, VIOLATION_LIMIT - len(fields) - 2)
        return f"{one_line(_violation(best), room)}; {fields}"

    def _unknown_fields(self, event: Any) -> Iterator[str]:
        known = self._named(event)
        names = event if isinstance(event, dict) else ()
        return (unknown_field(name, known) for name in names if name not in self.fields)

    def _named(self, event: Any) -> frozenset[str]:
        """Returns the fields that a violation names. Callers compare those of events without
        settings, so they name no setting and no target.
        """
        return self.fields if _has_settings(event) else self.fields - SETTING_FIELDS - {TARGET}

    def _hint(self, event: Any) -> str | None:
        """Returns the setting, or `target`, that the first unknown field may mean.

        The violation names none.
        """
        names = event if isinstance(event, dict) else ()
        known = self._named(event)
        unknown = next((name for name in names if name not in self.fields), None)
        if unknown is None or nearest(unknown, known):
            return None
        meant = nearest(unknown, self.fields - known)
        return f"did you mean {meant}?" if meant else None


def unknown_field(name: str, known: Collection[str]) -> str:
    """Returns the violation of a field that is not in `known`, with the nearest known name."""
    meant = nearest(name, known)
    shown = one_line(name if re.fullmatch(r"[\w.-]+", name) else repr(name), _NAME_LIMIT)
    return f"unknown field {shown}: {f'did you mean {meant}?' if meant else 'leave it out'}"


def _has_settings(event: Any) -> bool:
    return isinstance(event, dict) and not event.keys().isdisjoint(SETTING_FIELDS)


def names_unknown_fields(error: ValidationError) -> bool:
    """Returns whether a violation of jsonschema is about unknown fields of the event."""
    return error.validator == "additionalProperties" and not error.absolute_path


SCHEMAS = {action: Schema(action) for action in (UPDATE, ROLLBACK)}
SHORT_SCHEMAS = {UPDATE: Schema("short"), ROLLBACK: Schema("short-rollback")}
"""Schema of the short form of the HTTP API, by action, see `api.post_routes`."""

HOOK_ANSWER_SCHEMA = Schema("hook-answer")
"""Schema of an answer to a hook over HTTP."""

# Compiled at start-up, with full CPU. The other schemas are compiled when they are needed.
assert SCHEMAS[UPDATE].validator(None)

_VIOLATIONS_LOGGED = 20

_VIOLATIONS_WEIGHED = 1000
"""Maximum violations among which the best is searched: a 6 MB event can have many."""

_NAME_LIMIT, _UNKNOWN_NAMED, _UNKNOWN_BESIDE = 60, 3, 120
"""Maximum characters of an unknown field's name, maximum unknown fields in one message, and
minimum characters of the violation beside them.
"""

_ARN = r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:"
_NAME = r"[A-Za-z0-9_-]{1,255}"
CLUSTER = re.compile(rf"(?:(?P<account>{_ARN})cluster/)?(?P<cluster>{_NAME})")
# Services created before 2018 have an ARN without the cluster.
_SERVICE = re.compile(rf"(?:(?P<account>{_ARN})service/(?:(?P<cluster>{_NAME})/)?)?{_NAME}")
_REVISION = re.compile(rf"(?:{_ARN}task-definition/)?{_NAME}:[1-9][0-9]{{0,9}}")
_OF_NEW_REVISION = (
    "ecs_image_name",
    "ecs_container_images",
    *CONTAINER_FIELDS,
    CONTAINERS,
    *TASK_FIELDS,
)
"""Fields that make a new revision."""


def parse(event: Any, settings: Settings) -> UpdateRequest | RollbackRequest:
    """Returns the request of `event`, which can be any JSON value.

    Raises InvalidEventError, InvalidImageError, NotAllowedError or ConfigurationError.
    """
    lists = AllowLists.of(settings)  # An invalid list is reported before the event is checked.
    request = _request(event, settings)
    for error in lists.rejections(request):
        raise error
    return request


def parse_json(text: str, name: str) -> Any:
    """Returns the value of a JSON text. `name`: its name in an error, such as `the body`.

    Rejects what two parsers could read differently. Raises InvalidEventError for invalid JSON and
    for a key that occurs twice in an object, and RecursionError for a value that is nested too
    deeply. https://datatracker.ietf.org/doc/html/rfc8259#section-4
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in pairs:
            if key in fields:
                raise InvalidEventError(
                    f"{name} has the key {key!r} twice in one object: remove one of them"
                )
            fields[key] = value
        return fields

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=_not_a_number)
    except ValueError as error:
        raise InvalidEventError(f"{name} is not valid JSON: {error}") from None


def _not_a_number(constant: str) -> Any:
    raise ValueError(f"{constant} is not a valid JSON number")


def _request(event: Any, settings: Settings) -> UpdateRequest | RollbackRequest:
    schema = SCHEMAS[_action(event)]
    event = _with_defaults(event, settings, schema)
    schema.check(event)
    if violations := _first(
        one_line(f"{'.'.join(path)}: {sentence}")
        for path, sentence in violations_beside_schema(event)
    ):
        raise InvalidEventError(violations[0], violations)
    if not settings.ledger_table:
        _check_without_ledger(event)
    return request_of(event)


def request_of(event: Mapping[str, Any]) -> UpdateRequest | RollbackRequest:
    """Returns the request of an event that fits its schema. Raises InvalidImageError."""
    common: dict[str, Any] = {
        "cluster": event["ecs_cluster_name"],
        "service": event["ecs_service_name"],
        "target": event.get(TARGET),
        "container": event.get("ecs_container_name"),
        "dry_run": event.get("dry_run", False),
        "wait_seconds": int(event.get("wait_seconds", 0)),
        "wait_until": event.get("wait_until", COMPLETE),
        "request_id": event.get("request_id"),
    }
    if event.get("action") == ROLLBACK:
        return RollbackRequest(**common)
    request = UpdateRequest(
        **common,
        container_images={
            name: _image_of(name, image)
            for name, image in event.get("ecs_container_images", {}).items()
        },
        image=ImageReference.parse(event["ecs_image_name"]) if "ecs_image_name" in event else None,
        tags=None if event.get("ecs_tag") is _NO_TAGS else event.get("ecs_tag"),
        tag_mode=event.get("ecs_tag_mode", REPLACE),
        force_new_deployment=event.get("force_new_deployment", False),
        rollback_on_failure=event.get("rollback_on_failure", False),
    )
    if event.keys().isdisjoint(SETTING_FIELDS):
        return request
    return replace(
        request,
        settings=RevisionSettings.of(event),
        service_settings=wanted_settings(event),
        task_definition=event.get(TASK_DEFINITION),
        run_before=_run_before_of(event),
        guarded=[
            (".".join((*path, name)), name)
            for path, fields in by_container(event)
            for name in GUARDED_FIELDS
            if name in fields
        ],
    )


# Placeholder of missing tags, because the schema requires the field.
_NO_TAGS: dict[str, str] = {}


def _with_defaults(event: Any, settings: Settings, schema: Schema) -> Any:
    """Returns `event` with the environment defaults of missing fields of `schema`."""
    if not isinstance(event, dict):
        return event
    defaults: dict[str, Any] = {
        "ecs_cluster_name": settings.cluster
        and _cluster_of(event.get("ecs_service_name"), settings.cluster),
        "ecs_service_name": settings.service,
        # The revision of a rollback may not have this container: the planner handles that default.
        "ecs_container_name": settings.container if schema is not SCHEMAS[ROLLBACK] else None,
    }
    if not _has_settings(event):
        defaults |= {
            "ecs_image_name": settings.image,
            "ecs_tag": _NO_TAGS if settings.image else None,
        }
    fields = schema.fields
    return {
        name: value for name, value in defaults.items() if name in fields and value is not None
    } | event


def _cluster_of(service: Any, default: str) -> str:
    """Returns the cluster in the ARN of `service`, else the default."""
    arn = _SERVICE.fullmatch(service) if isinstance(service, str) else None
    return f"{arn['account']}cluster/{arn['cluster']}" if arn and arn["cluster"] else default


def _action(event: Any) -> str:
    """Returns the action of an event. Raises InvalidEventError for an unknown one."""
    action = event.get("action", UPDATE) if isinstance(event, dict) else UPDATE
    if isinstance(action, str) and action not in SCHEMAS:
        raise InvalidEventError(f"action: {action!r} is not one of {list(SCHEMAS)}")
    return action if isinstance(action, str) else UPDATE


def _check_without_ledger(event: Mapping[str, Any]) -> None:
    """Raises InvalidEventError for fields that need a ledger."""
    if "request_id" in event:
        raise InvalidEventError(
            "request_id: this function has no ledger (LEDGER_TABLE), so it would not recognise a "
            "repetition: leave it out"
        )
    if event.get("rollback_on_failure") and not event.get("wait_seconds"):
        raise InvalidEventError(
            "rollback_on_failure: this function has no ledger (LEDGER_TABLE), so it can roll "
            "back only while it waits: "
            "add wait_seconds"
        )
    run_before = _run_before_of(event)
    if run_before and event.get("wait_seconds", 0) < run_before.timeout_seconds:
        raise InvalidEventError(
            "run_before: this function has no ledger (LEDGER_TABLE), so it can update the service "
            f"only while it waits: set wait_seconds to at least {run_before.timeout_seconds}, the "
            "run_before.timeout_seconds"
        )


def _run_before_of(event: Mapping[str, Any]) -> RunBefore | None:
    """Returns the task to run first, of an event that fits its schema."""
    if RUN_BEFORE not in event:
        return None
    fields = event[RUN_BEFORE]
    timeout = int(fields.get("timeout_seconds", RunBefore.timeout_seconds))
    return RunBefore(**{**fields, "timeout_seconds": timeout})


def _first(violations: Iterator[str]) -> list[str]:
    """Returns the violations to log."""
    listed = list(itertools.islice(violations, _VIOLATIONS_LOGGED))
    return listed if next(violations, None) is None else [*listed, "and more"]


def violations_beside_schema(event: Mapping[str, Any]) -> Iterator[tuple[Sequence[str], str]]:
    """Yields path and sentence of each violation of an event that fits its schema.

    Python's regular expressions have no ``\\p{L}``, and their ``$`` lets a newline through.
    """
    cluster_field, service_field = ("ecs_cluster_name",), ("ecs_service_name",)
    cluster = CLUSTER.fullmatch(event["ecs_cluster_name"])
    if not cluster:
        yield cluster_field, _not_a_name(event["ecs_cluster_name"], "cluster")
    service = _SERVICE.fullmatch(event["ecs_service_name"])
    if not service:
        yield service_field, _not_a_name(event["ecs_service_name"], "service")
    if cluster and service and service["cluster"] not in (None, cluster["cluster"]):
        yield (
            service_field,
            f"is in cluster {service['cluster']}, but ecs_cluster_name is {cluster['cluster']}",
        )
    if (
        cluster
        and service
        and None not in (cluster["account"], service["account"])
        and cluster["account"] != service["account"]
    ):
        sentence = "is in another account or region than ecs_cluster_name"
        yield service_field, sentence
    if "" in event.get("ecs_container_images", {}):
        yield ("ecs_container_images",), "'' is not a valid container name"
    if not event.keys().isdisjoint(SETTING_FIELDS):
        yield from revision_settings.violations(event)
    if TASK_DEFINITION in event:
        if not _REVISION.fullmatch(event[TASK_DEFINITION]):
            sentence = f"{event[TASK_DEFINITION]!r} is neither family:revision nor its ARN"
            yield (TASK_DEFINITION,), sentence
        if others := [name for name in _OF_NEW_REVISION if name in event]:
            sentence = f"an existing revision cannot be combined with {', '.join(others)}"
            yield (TASK_DEFINITION,), sentence
    for key, value in event.get("ecs_tag", {}).items():
        for part, text in (("key", key), ("value", value)):
            if wrong := wrong_character(text):
                yield (
                    ("ecs_tag", key),
                    f"the character {wrong!r} cannot be in a tag's {part}, only letters, digits, "
                    "spaces and _ . : / = + - @",
                )


def _image_of(container: str, image: str) -> ImageReference:
    try:
        return ImageReference.parse(image)
    except InvalidImageError as error:
        raise InvalidImageError(f"ecs_container_images.{container}: {error.reason}") from None


def _not_a_name(name: str, resource: str) -> str:
    return f"{name!r} is neither the name of a {resource} (letters, digits, - and _) nor its ARN"


def _violation(error: ValidationError) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return one_line(f"{path}: {message_of(error)}" if path else message_of(error))


def message_of(error: ValidationError) -> str:
    """Returns the sentence of a violation, without a value that may have a secret."""
    if may_have_secret(error):
        return error.message.replace(repr(error.instance), "the value", 1)
    return error.message


def may_have_secret(error: ValidationError) -> bool:
    """Returns whether the value of a violation may have a secret.

    It is in such a field, stands in place of one, or has any field, also in a text: a secret may
    stand in a field whose name is misspelled.
    """
    path = [str(name) for name in error.absolute_path]
    is_in_place = path[:1] == [CONTAINERS] and len(path) < 3
    has_fields = "{" in repr(error.instance).replace("{}", "")
    parts = (*path, repr(error.instance))
    return (
        is_in_place or has_fields or any(name in part for part in parts for name in SECRET_FIELDS)
    )
