"""The request of an event, checked as far as possible without AWS."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .image import ImageReference
from .tags import REPLACE


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
