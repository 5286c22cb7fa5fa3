"""Turns a JSON event into a request: environment defaults, then the schema of its action, then what
a schema cannot say.

The schemas are ``schemas/*.json``, JSON Schema draft 04 as far as API Gateway's models take it:
https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError, best_match

from ..errors import VIOLATION_LIMIT, InvalidEventError, InvalidImageError, one_line
from ..settings import Settings
from .allow_list import allow_lists, check_allowed
from .image import ImageReference
from .nearest_name import nearest
from .request import RollbackRequest, UpdateRequest
from .tags import REPLACE, wrong_character

UPDATE, ROLLBACK = "update", "rollback"


@dataclass(frozen=True)
class Schema:
    """What the events of one action, or of one door, look like: a file of ``schemas``."""

    name: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The schema itself."""
        text = (
            resources.files("ecs_updater").joinpath(f"schemas/{self.name}.json").read_text("utf-8")
        )
        document: dict[str, Any] = json.loads(text)
        return document

    @cached_property
    def validator(self) -> Draft4Validator:
        """Built once: a compiled validator costs 0.07 ms per event, jsonschema.validate() 2.4
        ms.
        """
        return Draft4Validator(self.document)

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that there are."""
        return frozenset(self.document["properties"])

    def check(self, event: Any) -> None:
        """Raises InvalidEventError, with the violation that matters most and the first of all, when
        ``event`` does not fit.
        """
        try:
            if best := best_match(
                itertools.islice(self.validator.iter_errors(event), _VIOLATIONS_WEIGHED)
            ):
                raise InvalidEventError(
                    self._most_important(best, event), _first(self._violations(event))
                )
        except RecursionError:
            raise InvalidEventError("the event is nested too deeply") from None
        except ValueError as error:
            # A number of more than 4300 digits, which Python does not print.
            raise InvalidEventError(str(error)) from None

    def _violations(self, event: Any) -> Iterator[str]:
        """All that does not fit, with a sentence for each unknown field in place of jsonschema's
        for all of them.
        """
        for error in self.validator.iter_errors(event):
            if names_unknown_fields(error):
                yield from self._unknown_fields(event)
            else:
                yield _violation(error)

    def _most_important(self, best: ValidationError, event: Any) -> str:
        """The best violation and the unknown fields: a field that is missing may be in the event
        under another name.
        """
        unknown = list(itertools.islice(self._unknown_fields(event), _UNKNOWN_NAMED + 1))
        if not unknown:
            return _violation(best)
        named = "; ".join(
            [*unknown[:_UNKNOWN_NAMED], *(["and more"] if len(unknown) > _UNKNOWN_NAMED else [])]
        )
        if names_unknown_fields(best):
            return named
        room = max(_UNKNOWN_BESIDE, VIOLATION_LIMIT - len(named) - 2)
        return f"{one_line(_violation(best), room)}; {named}"

    def _unknown_fields(self, event: Any) -> Iterator[str]:
        names = event if isinstance(event, dict) else ()
        return (unknown_field(name, self.fields) for name in names if name not in self.fields)


def unknown_field(name: str, known: Collection[str]) -> str:
    """The violation of a field that is not one of ``known``: it names the nearest one."""
    meant = nearest(name, known)
    shown = one_line(name if re.fullmatch(r"[\w.-]+", name) else repr(name), _NAME_LIMIT)
    return f"unknown field {shown}: {f'did you mean {meant}?' if meant else 'leave it out'}"


def names_unknown_fields(error: ValidationError) -> bool:
    """Whether a violation is jsonschema's for fields of the event that the schema does not have."""
    return error.validator == "additionalProperties" and not error.absolute_path


SCHEMAS = {action: Schema(action) for action in (UPDATE, ROLLBACK)}
"""What the events of each action look like."""
SHORT_SCHEMAS = {UPDATE: Schema("short"), ROLLBACK: Schema("short-rollback")}
"""What the same events look like in the short form of HTTP, see ``rest.body``."""

UPDATE_SCHEMA = SCHEMAS[UPDATE].document
# Compiled while the function is initialised, with full CPU; the other one when it is needed.
assert SCHEMAS[UPDATE].validator

_VIOLATIONS_LOGGED = 20
"""The most violations of one event that are listed: one hostile event must not flood the log."""

_VIOLATIONS_WEIGHED = 1000
"""The most among which the best is looked for: an event can have as many as fit into 6 MB."""

_NAME_LIMIT, _UNKNOWN_NAMED, _UNKNOWN_BESIDE = 60, 3, 120
"""Characters of an unknown field's name, the most of them in one message, and characters of the
violation beside them.
"""

_ARN = r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:"
_NAME = r"[A-Za-z0-9_-]{1,255}"
_CLUSTER = re.compile(rf"(?:(?P<account>{_ARN})cluster/)?(?P<cluster>{_NAME})")
# The short form, without the cluster, is the one of services made before 2018.
_SERVICE = re.compile(rf"(?:(?P<account>{_ARN})service/(?:(?P<cluster>{_NAME})/)?)?{_NAME}")


def parse(event: Any, settings: Settings) -> UpdateRequest | RollbackRequest:
    """The request that ``event``, any JSON value at all, makes.

    Raises InvalidEventError, InvalidImageError or NotAllowedError.
    """
    allow_lists(settings)  # A wrong list is reported before anything about the event.
    request = _request(event, settings)
    check_allowed(request, settings)
    return request


def _request(event: Any, settings: Settings) -> UpdateRequest | RollbackRequest:
    schema = SCHEMAS[_action(event)]
    event = _with_defaults(event, settings, schema)
    schema.check(event)
    if further := _first(map(one_line, _further_violations(event))):
        raise InvalidEventError(further[0], further)
    of_every_event: dict[str, Any] = {
        "cluster": event["ecs_cluster_name"],
        "service": event["ecs_service_name"],
        "container": event.get("ecs_container_name"),
        "dry_run": event.get("dry_run", False),
        "wait_seconds": int(event.get("wait_seconds", 0)),
        "request_id": event.get("request_id"),
    }
    if not settings.ledger_table:
        _check_without_ledger(event)
    if schema is SCHEMAS[ROLLBACK]:
        return RollbackRequest(**of_every_event)
    return UpdateRequest(
        **of_every_event,
        image=ImageReference.parse(event["ecs_image_name"]),
        tags=None if event.get("ecs_tag") is _LEFT_ALONE else event["ecs_tag"],
        tag_mode=event.get("ecs_tag_mode", REPLACE),
        container_images={
            name: _image_of(name, image)
            for name, image in event.get("ecs_container_images", {}).items()
        },
        force_new_deployment=event.get("force_new_deployment", False),
        rollback_on_failure=event.get("rollback_on_failure", False),
    )


# Stands in an event for the tags that it does not have, so that the schema sees the required field.
_LEFT_ALONE: dict[str, str] = {}


def _with_defaults(event: Any, settings: Settings, schema: Schema) -> Any:
    """``event`` with those fields of ``schema`` that it leaves out filled in from the function's
    configuration.
    """
    if not isinstance(event, dict):
        return event
    defaults = {
        "ecs_cluster_name": settings.cluster
        and _cluster_of(event.get("ecs_service_name"), settings.cluster),
        "ecs_service_name": settings.service,
        # The revision that a rollback returns to need not have the default: ``plan`` uses it where
        # it has.
        "ecs_container_name": settings.container if schema is not SCHEMAS[ROLLBACK] else None,
        "ecs_image_name": settings.image,
        "ecs_tag": _LEFT_ALONE if settings.image else None,
    }
    return {
        name: value
        for name, value in defaults.items()
        if name in schema.fields and value is not None
    } | event


def _cluster_of(service: Any, default: str) -> str:
    """The cluster that the ARN ``service`` names: an event that names it so does not mean another
    one by default.
    """
    named = _SERVICE.fullmatch(service) if isinstance(service, str) else None
    return (
        f"{named['account']}cluster/{named['cluster']}" if named and named["cluster"] else default
    )


def _action(event: Any) -> str:
    """The action that an event asks for. Raises InvalidEventError for one that there is not."""
    action = event.get("action", UPDATE) if isinstance(event, dict) else UPDATE
    if isinstance(action, str) and action not in SCHEMAS:
        raise InvalidEventError(f"action: {action!r} is not one of {list(SCHEMAS)}")
    return action if isinstance(action, str) else UPDATE


def _check_without_ledger(event: Mapping[str, Any]) -> None:
    """Refuses what would be promised in vain: nobody remembers this update when its call has
    ended.
    """
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


def _first(violations: Iterator[str]) -> list[str]:
    """As many of them as are listed, and a word when there are more."""
    listed = list(itertools.islice(violations, _VIOLATIONS_LOGGED))
    return listed if next(violations, None) is None else [*listed, "and more"]


def _further_violations(event: Mapping[str, Any]) -> Iterator[str]:
    """What the schema cannot say.

    Python's regular expressions have no ``\\p{L}``, and their ``$`` lets a newline through.
    """
    cluster = _CLUSTER.fullmatch(event["ecs_cluster_name"])
    if not cluster:
        yield _not_a_name("ecs_cluster_name", event, "cluster")
    service = _SERVICE.fullmatch(event["ecs_service_name"])
    if not service:
        yield _not_a_name("ecs_service_name", event, "service")
    if cluster and service and service["cluster"] not in (None, cluster["cluster"]):
        yield (
            f"ecs_service_name: is in cluster {service['cluster']}, but ecs_cluster_name is "
            f"{cluster['cluster']}"
        )
    if (
        cluster
        and service
        and None not in (cluster["account"], service["account"])
        and cluster["account"] != service["account"]
    ):
        yield "ecs_service_name: is in another account or region than ecs_cluster_name"
    if "" in event.get("ecs_container_images", {}):
        yield "ecs_container_images: '' is no name of a container"
    for key, value in event.get("ecs_tag", {}).items():
        for what, text in (("key", key), ("value", value)):
            if wrong := wrong_character(text):
                yield (
                    f"ecs_tag.{key}: the character {wrong!r} cannot be in a tag's {what}, "
                    "only letters, digits, spaces and _ . : / = + - @"
                )


def _image_of(container: str, image: str) -> ImageReference:
    try:
        return ImageReference.parse(image)
    except InvalidImageError as error:
        raise InvalidImageError(f"ecs_container_images.{container}: {error.reason}") from None


def _not_a_name(field_name: str, event: Mapping[str, Any], what: str) -> str:
    return (
        f"{field_name}: {event[field_name]!r} is neither the name of a {what} (letters, digits, "
        "- and _) nor its ARN"
    )


def _violation(error: ValidationError) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return one_line(f"{path}: {error.message}" if path else error.message)
