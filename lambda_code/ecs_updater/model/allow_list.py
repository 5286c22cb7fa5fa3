"""Allow lists of images and services: shell globs that are compared with normalised names."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from ..errors import ConfigurationError, InvalidImageError, NotAllowedError, one_line
from ..settings import Settings
from .arn import cluster_name, service_name
from .image import normalised_pattern
from .request import Request, UpdateRequest

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

    def check(self, field: str, value: str, normalised: str) -> None:
        """Raises NotAllowedError if no pattern matches `normalised`.

        `value`: the value of `field` in the event.
        """
        if self.patterns and not any(fnmatchcase(normalised, pattern) for pattern in self.patterns):
            shown = one_line(self.text, _MAX_SHOWN)
            raise NotAllowedError(
                f"{one_line(field)} {one_line(value)} is not allowed: {self.setting}={shown}", field
            )


def allow_lists(settings: Settings) -> tuple[AllowList, AllowList]:
    """Returns the lists of images and services. Raises ConfigurationError."""
    services = AllowList.of(SERVICES, settings.allowed_services)
    return AllowList.of(IMAGES, settings.allowed_images), services


def check_allowed(request: Request, images: AllowList, services: AllowList) -> None:
    """Raises NotAllowedError for a service or image that is not allowed.

    The images of a rollback are not checked.
    """
    service = f"{cluster_name(request.cluster)}/{service_name(request.service)}"
    services.check("ecs_service_name", request.service, service)
    if isinstance(request, UpdateRequest):
        images.check("ecs_image_name", request.image.text, request.image.normalised)
        for container, image in request.container_images.items():
            images.check(f"ecs_container_images.{container}", image.text, image.normalised)


def _checked(setting: str, pattern: str) -> str:
    """Returns the normalised pattern. Raises ConfigurationError if it could match nothing."""
    shape, form = _SHAPES[setting]
    try:
        if shape.fullmatch(pattern) and _BALANCED.fullmatch(pattern):
            return normalised_pattern(pattern) if setting == IMAGES else pattern
    except InvalidImageError:
        pass
    wrong = one_line(repr(pattern), 100)
    raise ConfigurationError(
        f"the function's {setting} has the pattern {wrong}: write patterns of "
        f"{form}, separated by commas"
    )
