"""What the function's environment variables mean. An empty variable counts as unset."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from . import throttling
from .errors import ConfigurationError

KEEP, DROP = "keep", "drop"
ENABLE = "enable"
OFF, WARN, REQUIRE = "off", "warn", "require"
TAG, DIGEST = "tag", "digest"
KEY, IAM = "key", "iam"
LIST_PARAMETERS = ("launch_type", "images", "limit", "next")
"""Parameters of a list of services that no tag to filter by can have the name of."""


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
    """``IMAGE``: the image of events that name none; with it, an event without tags leaves the tags
    alone.
    """
    family: str | None = None
    """``TASK_DEF``: the task-definition family that the service must be running."""
    unknown_fields: str = KEEP
    """``UNKNOWN_FIELDS``: what becomes of task-definition fields newer than the SDK, ``keep`` or
    ``drop``.
    """
    task_failures: int = 3
    """``TASK_FAILURES``: how many tasks have to die the same death for a failure, where no circuit
    breaker decides that.
    """
    circuit_breaker: str = KEEP
    """``CIRCUIT_BREAKER``: ``enable`` gives a service without ECS's circuit breaker one that rolls
    back.
    """
    verify_image: str = OFF
    """``VERIFY_IMAGE``: whether the registry is asked for the image before any write, ``off``,
    ``warn`` or ``require``.

    What the registry is known not to have is refused either way; ``require`` also refuses what
    could not be found out.
    """
    pin_digest: str = OFF
    """``PIN_DIGEST``: ``tag`` deploys ``repository:tag@digest``, ``digest`` ``repository@digest``;
    the registry is asked for it.
    """
    private_registries: frozenset[str] = frozenset()
    """``PRIVATE_REGISTRIES``: hosts of registries, separated by commas, that may have a private
    address.
    """
    allowed_images: str = ""
    """``ALLOWED_IMAGES``: which images an event may ask for."""
    allowed_services: str = ""
    """``ALLOWED_SERVICES``: which services an event may name, as ``cluster/service``."""
    ledger_table: str | None = None
    """``LEDGER_TABLE``: the table of lease and history; without one there is neither."""
    ledger_retention_days: int = 90
    """``LEDGER_RETENTION_DAYS``: for how long the history is kept."""
    open_update_max_hours: int = 24
    """``OPEN_UPDATE_MAX_HOURS``: for how long an update may stay open while nothing changes; then
    it ends or is rolled back.
    """

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Reads ``os.environ`` or a mapping like it. Raises ConfigurationError."""
        _compare_clusters(environment)
        return cls(
            cluster=environment.get("CLUSTER_NAME") or None,
            service=environment.get("SERVICE_NAME") or None,
            container=environment.get("CONTAINER_NAME") or None,
            image=environment.get("IMAGE") or None,
            family=environment.get("TASK_DEF") or None,
            unknown_fields=_choice(environment, "UNKNOWN_FIELDS", KEEP, DROP),
            task_failures=_count(environment, "TASK_FAILURES", 3, most=50),
            circuit_breaker=_choice(environment, "CIRCUIT_BREAKER", KEEP, ENABLE),
            verify_image=_choice(environment, "VERIFY_IMAGE", OFF, WARN, REQUIRE),
            pin_digest=_choice(environment, "PIN_DIGEST", OFF, TAG, DIGEST),
            private_registries=frozenset(
                filter(None, map(str.strip, environment.get("PRIVATE_REGISTRIES", "").split(",")))
            ),
            allowed_images=environment.get("ALLOWED_IMAGES") or "",
            allowed_services=environment.get("ALLOWED_SERVICES") or "",
            ledger_table=environment.get("LEDGER_TABLE") or None,
            ledger_retention_days=_count(environment, "LEDGER_RETENTION_DAYS", 90, most=3650),
            open_update_max_hours=_count(environment, "OPEN_UPDATE_MAX_HOURS", 24, most=720),
        )

    @property
    def asks_registries(self) -> bool:
        """Whether the registry is asked for an image before it is deployed."""
        return self.verify_image != OFF or self.pin_digest != OFF


@dataclass(frozen=True)
class StatusSettings:
    """The configuration of the function that only tells."""

    tag_filters: tuple[str, ...] = ()
    """``TAG_FILTERS``: keys, separated by commas, of the tags that lists of services can be
    filtered by.
    """
    api_auth: str = KEY
    """``API_AUTH``: what the API asks for, ``key`` or, beside it, a signature: ``iam``."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "StatusSettings":
        """Reads ``os.environ`` or a mapping like it. Raises ConfigurationError."""
        keys = dict.fromkeys(
            filter(None, map(str.strip, environment.get("TAG_FILTERS", "").split(",")))
        )
        if taken := sorted(keys.keys() & set(LIST_PARAMETERS)):
            raise ConfigurationError(
                f"the function's TAG_FILTERS has {taken[0]!r}, a parameter of its own: leave it out"
            )
        return cls(tag_filters=tuple(keys), api_auth=_choice(environment, "API_AUTH", KEY, IAM))


@dataclass(frozen=True)
class QueueSettings:
    """The configuration of the function that works off the queue, beside the updater's."""

    arn_prefix: str
    """``ECS_ARN_PREFIX``: how the ARNs of ECS begin in this account and region,
    ``arn:aws:ecs:eu-west-1:123456789012:``.
    """
    ecs_rates: str = ""
    """``ECS_RATES``: where ECS's rates are others than the usual, see ``rates``."""
    max_receives: int = 20
    """``MAX_RECEIVES``: how often the queue lets a message come."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "QueueSettings":
        """Reads ``os.environ`` or a mapping like it. Raises ConfigurationError."""
        rates_text = environment.get("ECS_RATES") or ""
        try:
            throttling.parse_rates(rates_text)
        except ValueError as error:
            raise ConfigurationError(f"the function's ECS_RATES: {error}") from None
        return cls(
            arn_prefix=environment.get("ECS_ARN_PREFIX") or "",
            ecs_rates=rates_text,
            max_receives=_count(environment, "MAX_RECEIVES", 20, most=1000),
        )


def _compare_clusters(environment: Mapping[str, str]) -> None:
    """Refuses a function that changes services whose updates the reconciler of its ledger cannot
    complete.

    ``CLUSTER_PATTERN`` is the cluster, or the pattern of clusters, that the function's role may
    change. ``LEDGER_CLUSTER_PATTERN`` is that of the reconciler. Without both there is nothing to
    compare.
    """
    own, ledger = environment.get("CLUSTER_PATTERN"), environment.get("LEDGER_CLUSTER_PATTERN")
    # A pattern has no special character but *, which also matches the * of a narrower pattern.
    if own and ledger and not fnmatchcase(own, ledger):
        raise ConfigurationError(
            f"the function updates services of the cluster {own!r}, but the reconciler of its "
            "ledger only completes updates of "
            f"{ledger!r}: deploy ledger, function, API and fleet with the same ClusterName"
        )


def _choice(environment: Mapping[str, str], name: str, default: str, *others: str) -> str:
    value = environment.get(name) or default
    if value not in (default, *others):
        choices = f"{', '.join((default, *others[:-1]))} or {others[-1]}"
        raise ConfigurationError(f"the function's {name} is {value[:40]!r}: set it to {choices}")
    return value


def _count(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = environment.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise ConfigurationError(
            f"the function's {name} is {text[:40]!r}: set it to a number from 1 to {most}"
        )
    return int(text)
