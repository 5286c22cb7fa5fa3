"""Turns a JSON event into an ``UpdateRequest``: environment defaults, then the schema, then what a schema cannot say.

The schema is ``schemas/update.json``, JSON Schema draft 04 as far as API Gateway's models take it:
https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError, best_match

from .errors import InvalidEventError, InvalidImageError, one_line
from .image import ImageReference
from .settings import Settings
from .tags import REPLACE, wrong_character

UPDATE_SCHEMA: dict[str, Any] = json.loads(resources.files(__package__).joinpath("schemas/update.json").read_text("utf-8"))

# Built once: a compiled validator costs 0.07 ms per event, jsonschema.validate() 2.4 ms.
_UPDATE_VALIDATOR = Draft4Validator(UPDATE_SCHEMA)

_NOT_SUPPORTED_YET = ("wait_seconds", "rollback_on_failure", "request_id")
_VIOLATIONS_LOGGED = 20
"""The most violations of one event that are listed: one hostile event must not flood the log."""

_VIOLATIONS_WEIGHED = 1000
"""The most among which the best is looked for: an event can have as many as fit into 6 MB."""

_ARN = r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:"
_NAME = r"[A-Za-z0-9_-]{1,255}"
_CLUSTER = re.compile(rf"(?:(?P<account>{_ARN})cluster/)?(?P<cluster>{_NAME})")
# The short form, without the cluster, is the one of services made before 2018.
_SERVICE = re.compile(rf"(?:(?P<account>{_ARN})service/(?:(?P<cluster>{_NAME})/)?)?{_NAME}")


@dataclass(frozen=True)
class UpdateRequest:
    """What one update asks for, checked as far as that is possible without AWS."""

    cluster: str
    """Name or ARN."""
    service: str
    """Name or ARN."""
    image: ImageReference
    tags: Mapping[str, str] | None
    """The tags as asked for; None leaves the service's tags alone."""
    tag_mode: str = REPLACE
    container: str | None = None
    container_images: Mapping[str, ImageReference] = field(default_factory=dict)
    force_new_deployment: bool = False
    dry_run: bool = False


def parse(event: Any, settings: Settings) -> UpdateRequest:
    """The request that ``event``, any JSON value at all, makes. Raises InvalidEventError or InvalidImageError."""
    event = _with_defaults(event, settings)
    try:
        _check(event)
    except RecursionError:
        raise InvalidEventError("the event is nested too deeply") from None
    except ValueError as error:  # A number of more than 4300 digits, which Python does not print.
        raise InvalidEventError(str(error)) from None
    tags = None if event.get("ecs_tag") is _LEFT_ALONE else event["ecs_tag"]
    return UpdateRequest(
        cluster=event["ecs_cluster_name"],
        service=event["ecs_service_name"],
        image=ImageReference.parse(event["ecs_image_name"]),
        tags=tags,
        tag_mode=event.get("ecs_tag_mode", REPLACE),
        container=event.get("ecs_container_name"),
        container_images={name: _image_of(name, image) for name, image in event.get("ecs_container_images", {}).items()},
        force_new_deployment=event.get("force_new_deployment", False),
        dry_run=event.get("dry_run", False),
    )


def needed() -> str:
    """The fields that an update event must have, for the log."""
    return f"[ERROR][json_validation] Needed: {', '.join(UPDATE_SCHEMA['required'])}"


# Stands in an event for the tags that it does not have, so that the schema sees the required field.
_LEFT_ALONE: dict[str, str] = {}


def _with_defaults(event: Any, settings: Settings) -> Any:
    """``event`` with the fields that it leaves out filled in from the function's configuration."""
    if not isinstance(event, dict):
        return event
    defaults = {
        "ecs_cluster_name": settings.cluster,
        "ecs_service_name": settings.service,
        "ecs_container_name": settings.container,
        "ecs_image_name": settings.image,
        "ecs_tag": _LEFT_ALONE if settings.image else None,
    }
    return {name: value for name, value in defaults.items() if value is not None} | event


def _check(event: Any) -> None:
    if isinstance(event, dict) and event.get("action") == "rollback":
        raise InvalidEventError("action: rollback is not supported yet")
    if best := best_match(itertools.islice(_UPDATE_VALIDATOR.iter_errors(event), _VIOLATIONS_WEIGHED)):
        errors = _UPDATE_VALIDATOR.iter_errors(event)
        raise InvalidEventError(_violation(best), _first(map(_violation, errors)))
    if further := _first(map(one_line, _further_violations(event))):
        raise InvalidEventError(further[0], further)


def _first(violations: Iterator[str]) -> list[str]:
    """As many of them as are listed, and a word when there are more."""
    listed = list(itertools.islice(violations, _VIOLATIONS_LOGGED))
    return listed if next(violations, None) is None else [*listed, "and more"]


def _further_violations(event: Mapping[str, Any]) -> Iterator[str]:
    """What the schema cannot say. Python's regular expressions have no ``\\p{L}``, and their ``$`` lets a newline through."""
    for name in _NOT_SUPPORTED_YET:
        if name in event:
            yield f"{name}: not supported yet, leave it out"
    cluster = _CLUSTER.fullmatch(event["ecs_cluster_name"])
    if not cluster:
        yield _not_a_name("ecs_cluster_name", event, "cluster")
    service = _SERVICE.fullmatch(event["ecs_service_name"])
    if not service:
        yield _not_a_name("ecs_service_name", event, "service")
    if cluster and service and service["cluster"] not in (None, cluster["cluster"]):
        yield f"ecs_service_name: is in cluster {service['cluster']}, but ecs_cluster_name is {cluster['cluster']}"
    if cluster and service and None not in (cluster["account"], service["account"]) and cluster["account"] != service["account"]:
        yield "ecs_service_name: is in another account or region than ecs_cluster_name"
    if "" in event.get("ecs_container_images", {}):
        yield "ecs_container_images: '' is no name of a container"
    for key, value in event["ecs_tag"].items():
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
    return f"{field_name}: {event[field_name]!r} is neither the name of a {what} (letters, digits, - and _) nor its ARN"


def _violation(error: ValidationError) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return one_line(f"{path}: {error.message}" if path else error.message)
