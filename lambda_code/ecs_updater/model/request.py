"""The request of an event, checked as far as possible without AWS, and the allow lists for it.

The patterns of an allow list are shell globs that are compared with normalised names.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from ..errors import ConfigurationError, InvalidImageError, NotAllowedError, one_line
from ..settings import Settings
from .arn import name_of
from .image import ImageReference, normalised_pattern
from .revision_settings import CONTAINER_FIELDS, CONTAINERS, TASK_FIELDS, RevisionSettings
from .service_settings import SERVICE_FIELDS
from .strategy import COMPLETE
from .tags import REPLACE

IMAGES, SERVICES = "ALLOWED_IMAGES", "ALLOWED_SERVICES"
FIELDS, SECRETS = "ALLOWED_FIELDS", "ALLOWED_SECRETS"

TASK_DEFINITION = "ecs_task_definition"
RUN_BEFORE = "run_before"
TARGET = "target"

GUARDED_FIELDS = (
    *CONTAINER_FIELDS,
    *TASK_FIELDS,
    *SERVICE_FIELDS,
    TASK_DEFINITION,
    RUN_BEFORE,
)
"""Fields that ALLOWED_FIELDS must name. An event with one of them needs no image and no tags."""

SETTING_FIELDS = frozenset({*GUARDED_FIELDS, CONTAINERS})
"""Fields of an event beside image and tags."""

_NOT_IN_FINGERPRINT = ("request_id", "wait_seconds", "wait_until")

_MAX_SHOWN = 1000

_IMAGE, _SERVICE = r"[A-Za-z0-9._/:@+*?!\[\]-]", r"[A-Za-z0-9_*?!\[\]-]"
_ARN = r"[A-Za-z0-9._/:@+=*?!\[\]-]"
_SHAPES = {
    IMAGES: (
        re.compile(rf"{_IMAGE}+/{_IMAGE}+|\*{_IMAGE}*"),
        "registry/repository:tag, such as docker.io/library/busybox:*",
    ),
    SERVICES: (
        re.compile(rf"{_SERVICE}+/{_SERVICE}+|\*{_SERVICE}*"),
        "cluster/service, such as shop/*",
    ),
    FIELDS: (
        re.compile("|".join((*GUARDED_FIELDS, r"\*"))),
        f"fields, which are {', '.join(GUARDED_FIELDS)}, or * for all of them",
    ),
    SECRETS: (
        re.compile(rf"arn:{_ARN}+|\*{_ARN}*"),
        "ARNs, such as arn:aws:ssm:*:*:parameter/shop/*",
    ),
}
_BALANCED = re.compile(r"(?:[^][]|\[!?+\]?+[^]]*+\])+")


@dataclass(frozen=True, kw_only=True)
class RunBefore:
    """A task of the new revision that must exit with code 0 before the service changes."""

    command: Sequence[str] = field(repr=False)
    """It can have secrets: it is never stored or shown."""
    container: str | None = None
    """Container that runs the command. None: the addressed one."""
    timeout_seconds: int = 600


@dataclass(frozen=True, kw_only=True)
class Request:
    """Fields of all requests."""

    cluster: str
    """Name or ARN."""
    service: str
    """Name or ARN."""
    target: str | None = None
    """Name of a target, see `model.targets`. None: account and region are those of an ARN, or those
    of home.
    """
    container: str | None = None
    dry_run: bool = False
    wait_seconds: int = 0
    """Maximum seconds that the whole call waits."""
    wait_until: str = COMPLETE
    """`complete`, or the lifecycle stage at which the wait ends."""
    request_id: str | None = None
    """Idempotency key. None: the id of the invocation."""


@dataclass(frozen=True, kw_only=True)
class UpdateRequest(Request):
    """Changes images and tags."""

    image: ImageReference | None
    """None: no image changes, or only those of `container_images`."""
    tags: Mapping[str, str] | None
    """Requested tags. None: the service's tags do not change."""
    tag_mode: str = REPLACE
    container_images: Mapping[str, ImageReference] = field(default_factory=dict)
    force_new_deployment: bool = False
    rollback_on_failure: bool = False
    settings: RevisionSettings | None = None
    service_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the service by ECS's name, see `service_settings`."""
    task_definition: str | None = None
    """An existing revision, as `family:revision` or ARN, in place of new images and settings."""
    run_before: RunBefore | None = None
    guarded: Sequence[tuple[str, str]] = ()
    """Path and name of each field that ALLOWED_FIELDS must have."""

    @property
    def images(self) -> tuple[ImageReference, ...]:
        """Returns the requested images, each once."""
        images = (self.image, *self.container_images.values())
        return tuple(dict.fromkeys(image for image in images if image))

    @property
    def is_about_container(self) -> bool:
        """Returns whether the event is about an addressed container."""
        is_run_in = self.run_before is not None and self.run_before.container is None
        is_set = self.settings is not None and None in self.settings.containers
        return self.image is not None or is_set or is_run_in


@dataclass(frozen=True, kw_only=True)
class RollbackRequest(Request):
    """Returns the service to the last revision that worked."""


@dataclass(frozen=True)
class AllowList:
    """Patterns of one setting. `*` also matches `/`."""

    setting: str
    text: str = ""
    patterns: tuple[str, ...] = ()
    reason: str = ""
    """End of the sentence of an error. Empty: the setting and its text."""

    @classmethod
    @lru_cache
    def of(cls, setting: str, text: str) -> "AllowList":
        """Parses a setting: patterns separated by commas. Raises ConfigurationError."""
        if not text:
            return cls(setting)
        globs = [pattern.strip(" ") for pattern in text.split(",")]
        try:
            patterns = [checked_pattern(setting, pattern) for pattern in globs]
        except ValueError as error:
            raise ConfigurationError(
                f"the function's {setting} has {error}, separated by commas"
            ) from None
        return cls(setting, text, tuple(patterns))

    def check(self, name: str, value: str, normalised: str) -> Iterator[NotAllowedError]:
        """Yields an error if no pattern matches `normalised`.

        `value`: the value of the field `name` in the event. Without patterns, every image and
        service is allowed, and no field and no secret.
        """
        if not self.patterns and self.setting in (IMAGES, SERVICES):
            return
        if not any(fnmatchcase(normalised, pattern) for pattern in self.patterns):
            subject = (
                one_line(name) if self.setting == FIELDS else f"{one_line(name)} {one_line(value)}"
            )
            reason = self.reason or f"{self.setting}={one_line(self.text, _MAX_SHOWN)}"
            yield NotAllowedError(f"{subject} is not allowed: {reason}", name)


@dataclass(frozen=True)
class AllowLists:
    """The lists of the function's settings, or of a caller's scope."""

    images: AllowList
    services: AllowList
    fields: AllowList
    secrets: AllowList

    @classmethod
    def of(cls, settings: Settings) -> "AllowLists":
        """Parses the settings. Raises ConfigurationError."""
        return cls(
            services=AllowList.of(SERVICES, settings.allowed_services),
            fields=AllowList.of(FIELDS, settings.allowed_fields),
            secrets=AllowList.of(SECRETS, settings.allowed_secrets),
            images=AllowList.of(IMAGES, settings.allowed_images),
        )

    def rejections(self, request: Request) -> Iterator[NotAllowedError]:
        """Yields an error for each field, for the service, and each image and secret that is not
        allowed.

        The images of a rollback are not checked.
        """
        yield from self.services.check("ecs_service_name", request.service, service_name(request))
        if not isinstance(request, UpdateRequest):
            return
        for path, name in request.guarded:
            yield from self.fields.check(path, "", name)
        images = {"ecs_image_name": request.image} | {
            f"ecs_container_images.{container}": image
            for container, image in request.container_images.items()
        }
        for name, image in images.items():
            if image:
                yield from self.images.check(name, image.text, image.normalised)
        for container, own in (request.settings.containers if request.settings else {}).items():
            path = f"{CONTAINERS}.{container}." if container else ""
            for name, arn in own.secrets.items():
                if arn is not None:
                    yield from self.secrets.check(f"{path}ecs_secrets.{name}", arn, arn)

    def rejections_of_revision(self, images: Mapping[str, str]) -> Iterator[NotAllowedError]:
        """Yields an error for each image of an existing revision that is not allowed.

        `images`: the images by container.
        """
        for container, image in images.items():
            normalised = image
            with suppress(InvalidImageError):
                normalised = ImageReference.parse(image).normalised
            yield from self.images.check(f"{TASK_DEFINITION}.{container}", image, normalised)


def service_name(request: Request) -> str:
    """Returns `cluster/service`, as the patterns of services have it."""
    return f"{name_of(request.cluster)}/{name_of(request.service)}"


def checked_pattern(setting: str, pattern: str) -> str:
    """Returns the normalised pattern. Raises ValueError if it could match nothing."""
    shape, form = _SHAPES[setting]
    with suppress(InvalidImageError):
        if shape.fullmatch(pattern) and _BALANCED.fullmatch(pattern):
            return normalised_pattern(pattern) if setting == IMAGES else pattern
    wrong = one_line(repr(pattern), 100)
    raise ValueError(f"the pattern {wrong}: write patterns of {form}")


def fingerprint_of_event(event: Mapping[str, Any]) -> str:
    """Returns the fingerprint of an event. `request_id` and how long it waits do not count."""
    return fingerprint(
        {name: value for name, value in event.items() if name not in _NOT_IN_FINGERPRINT}
    )


def fingerprint(request: Any) -> str:
    """Returns a hash of any JSON value. The order of its fields does not count.

    A second event with the same `request_id` must have the same fingerprint.
    """
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
