"""Which images and services the function's configuration allows: shell globs, compared with one
spelling of each name. Pure.
"""

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

_SHOWN = 1000
"""The most characters of a list in an error."""

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
"""Each bracket of a shell glob opens or closes a set of characters."""


@dataclass(frozen=True)
class AllowList:
    """The patterns of one setting.

    ``*`` also matches ``/``. Without a pattern everything is allowed.
    """

    setting: str
    """``ALLOWED_IMAGES`` or ``ALLOWED_SERVICES``."""
    text: str = ""
    """As the setting has it."""
    patterns: tuple[str, ...] = ()

    @classmethod
    @lru_cache
    def of(cls, setting: str, text: str) -> "AllowList":
        """The list of a setting, separated by commas.

        Raises ConfigurationError for one that cannot be right.
        """
        given = [pattern.strip(" ") for pattern in text.split(",")] if text else []
        return cls(setting, text, tuple([_checked(setting, pattern) for pattern in given]))

    def check(self, field: str, given: str, normalised: str) -> None:
        """Raises NotAllowedError where no pattern matches ``normalised``.

        ``given`` is the value of ``field`` in the event.
        """
        if self.patterns and not any(fnmatchcase(normalised, pattern) for pattern in self.patterns):
            shown = one_line(self.text, _SHOWN)
            raise NotAllowedError(
                f"{one_line(field)} {one_line(given)} is not allowed: {self.setting}={shown}", field
            )


def allow_lists(settings: Settings) -> tuple[AllowList, AllowList]:
    """The lists of images and services. Raises ConfigurationError for one that cannot be right."""
    services = AllowList.of(SERVICES, settings.allowed_services)
    return AllowList.of(IMAGES, settings.allowed_images), services


def check_allowed(request: Request, settings: Settings) -> None:
    """Raises NotAllowedError where the service, or an image that is asked for, is not allowed.

    A rollback asks for none. Raises ConfigurationError for a list that cannot be right.
    """
    images, services = allow_lists(settings)
    wanted = []
    if isinstance(request, UpdateRequest):
        wanted = [("ecs_image_name", str(request.image), request.image.normalised)]
        for container, image in request.container_images.items():
            field = f"ecs_container_images.{container}"
            wanted.append((field, str(image), image.normalised))
    service = f"{cluster_name(request.cluster)}/{service_name(request.service)}"
    services.check("ecs_service_name", request.service, service)
    for field, given, normalised in wanted:
        images.check(field, given, normalised)


def _checked(setting: str, pattern: str) -> str:
    """``pattern`` in the spelling of what it is compared with.

    Raises ConfigurationError for one that could match nothing.
    """
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
