"""What the function's environment variables mean. An empty variable counts as unset."""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ConfigurationError

KEEP, DROP = "keep", "drop"


@dataclass(frozen=True)
class Settings:
    """The function's configuration, read once per invocation."""

    cluster: str | None = None
    """``CLUSTER_NAME``: the cluster of events that name none."""
    service: str | None = None
    """``SERVICE_NAME``: the service of events that name none."""
    container: str | None = None
    """``CONTAINER_NAME``: the container of events that name none."""
    image: str | None = None
    """``IMAGE``: the image of events that name none; with it, an event without tags leaves the tags alone."""
    family: str | None = None
    """``TASK_DEF``: the task-definition family that the service must be running."""
    unknown_fields: str = KEEP
    """``UNKNOWN_FIELDS``: what becomes of task-definition fields newer than the SDK, ``keep`` or ``drop``."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Reads ``os.environ`` or a mapping like it. Raises ConfigurationError."""
        unknown_fields = environment.get("UNKNOWN_FIELDS") or KEEP
        if unknown_fields not in (KEEP, DROP):
            raise ConfigurationError(f"the function's UNKNOWN_FIELDS is {unknown_fields!r}: set it to {KEEP} or {DROP}")
        return cls(
            cluster=environment.get("CLUSTER_NAME") or None,
            service=environment.get("SERVICE_NAME") or None,
            container=environment.get("CONTAINER_NAME") or None,
            image=environment.get("IMAGE") or None,
            family=environment.get("TASK_DEF") or None,
            unknown_fields=unknown_fields,
        )
