"""The request of an event, checked as far as possible without AWS, and the allow lists for it.

The patterns of an allow list are shell globs that are compared with normalised names.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from ..errors import ConfigurationError, InvalidImageError, NotAllowedError, one_line
from ..settings import Settings
from .arn import name_of
from .image import ImageReference, normalised_pattern
from .tags import REPLACE

IMAGES, SERVICES = "ALLOWED_IMAGES", "ALLOWED_SERVICES"

_MAX_SHOWN = 1000

_IMAGE, _SERVICE = r"[A-Za-z0-9._/:@+*?!\[\]-]", r"[A-Za-z0-9_*?!\[\]-]"
_SHAPES = {
    IMAGES: (
        re.compile(rf"{_IMAGE}+/{_IMAGE}+|\*{_IMAGE}*"),
        "registry/repository:tag, such as docker.io/library/busybox:*",
    ),
    SERVICES: (
        re.compile(rf"{_SERVICE}+/{_SERVICE}+|\*{_SERVICE}*"),
        "cluster/service, such as shop/*",
    ),
}
_BALANCED = re.compile(r"(?:[^][]|\[!?+\]?+[^]]*+\])+")


@dataclass(frozen=True, kw_only=True)
class Request:
    """Fields of all requests."""

    cluster: str
    """Name or ARN."""
    service: str
    """Name or ARN."""
    container: str | None = None
    dry_run: bool = False
    wait_seconds: int = 0
    """Maximum seconds that the whole call waits."""
    request_id: str | None = None
    """Idempotency key. None: the id of the invocation."""


@dataclass(frozen=True, kw_only=True)
class UpdateRequest(Request):
    """Changes images and tags."""

    image: ImageReference
    tags: Mapping[str, str] | None
    """Requested tags. None: the service's tags do not change."""
    tag_mode: str = REPLACE
    container_images: Mapping[str, ImageReference] = field(default_factory=dict)
    force_new_deployment: bool = False
    rollback_on_failure: bool = False

    @property
    def images(self) -> tuple[ImageReference, ...]:
        """Returns the requested images, each once."""
        return tuple(dict.fromkeys((self.image, *self.container_images.values())))


@dataclass(frozen=True, kw_only=True)
class RollbackRequest(Request):
    """Returns the service to the last revision that worked."""


@dataclass(frozen=True)
class AllowList:
    """Patterns of one setting. `*` also matches `/`. Without patterns everything is allowed."""

    setting: str
    text: str = ""
    patterns: tuple[str, ...] = ()

    @classmethod
    @lru_cache
    def of(cls, setting: str, text: str) -> "AllowList":
        """Parses a setting: patterns separated by commas. Raises ConfigurationError."""
        globs = [pattern.strip(" ") for pattern in text.split(",")] if text else []
        patterns = [_checked(setting, pattern) for pattern in globs]
        return cls(setting, text, tuple(patterns))

    def check(self, name: str, value: str, normalised: str) -> Iterator[NotAllowedError]:
        """Yields an error if no pattern matches `normalised`.

        `value`: the value of the field `name` in the event.
        """
        if self.patterns and not any(fnmatchcase(normalised, pattern) for pattern in self.patterns):
            shown = one_line(self.text, _MAX_SHOWN)
            yield NotAllowedError(
                f"{one_line(name)} {one_line(value)} is not allowed: {self.setting}={shown}", name
            )


def allow_lists(settings: Settings) -> tuple[AllowList, AllowList]:
    """Returns the lists of images and services. Raises ConfigurationError."""
    services = AllowList.of(SERVICES, settings.allowed_services)
    return AllowList.of(IMAGES, settings.allowed_images), services


def rejections(
    request: Request, images: AllowList, services: AllowList
) -> Iterator[NotAllowedError]:
    """Yields an error for the service and each image that is not allowed.

    The images of a rollback are not checked.
    """
    service = f"{name_of(request.cluster)}/{name_of(request.service)}"
    yield from services.check("ecs_service_name", request.service, service)
    if isinstance(request, UpdateRequest):
        yield from images.check("ecs_image_name", request.image.text, request.image.normalised)
        for container, image in request.container_images.items():
            name = f"ecs_container_images.{container}"
            yield from images.check(name, image.text, image.normalised)


def _checked(setting: str, pattern: str) -> str:
    """Returns the normalised pattern. Raises ConfigurationError if it could match nothing."""
    shape, form = _SHAPES[setting]
    with suppress(InvalidImageError):
        if shape.fullmatch(pattern) and _BALANCED.fullmatch(pattern):
            return normalised_pattern(pattern) if setting == IMAGES else pattern
    wrong = one_line(repr(pattern), 100)
    raise ConfigurationError(
        f"the function's {setting} has the pattern {wrong}: write patterns of "
        f"{form}, separated by commas"
    )


def fingerprint_of_event(event: Mapping[str, Any]) -> str:
    """Returns the fingerprint of an event. `request_id` and `wait_seconds` do not count."""
    return fingerprint(
        {name: value for name, value in event.items() if name not in ("request_id", "wait_seconds")}
    )


def fingerprint(request: Any) -> str:
    """Returns a hash of any JSON value. The order of its fields does not count.

    A second event with the same `request_id` must have the same fingerprint.
    """
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
