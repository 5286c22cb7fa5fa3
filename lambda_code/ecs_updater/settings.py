"""Settings from the environment variables. An empty variable counts as unset."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from . import throttling
from .errors import ConfigurationError

KEEP, DROP = "keep", "drop"
ENABLE = "enable"
OFF, WARN, REQUIRE = "off", "warn", "require"
ON = "on"
TAG, DIGEST = "tag", "digest"
KEY, IAM, JWT = "key", "iam", "jwt"
_NAME_LENGTH = 255
"""Maximum characters of the name of an alarm."""
LIST_PARAMETERS = ("launch_type", "images", "target", "limit", "next")
"""Query parameters of `GET /list`. A tag filter cannot have these names."""


@dataclass(frozen=True)
class Settings:
    """Settings of an update, read once per invocation."""

    cluster: str | None = None
    """`CLUSTER_NAME`: default cluster."""
    service: str | None = None
    """`SERVICE_NAME`: default service."""
    container: str | None = None
    """`CONTAINER_NAME`: default container."""
    image: str | None = None
    """`IMAGE`: default image. If set, an event without tags does not change the tags."""
    family: str | None = None
    """`TASK_DEF`: task-definition family that the service must run."""
    unknown_fields: str = KEEP
    """`UNKNOWN_FIELDS`: `keep` or `drop` task-definition fields newer than the SDK."""
    task_failures: int = 3
    """`TASK_FAILURES`: identical task failures before a rollout without circuit breaker counts as
    failed.
    """
    circuit_breaker: str = KEEP
    """`CIRCUIT_BREAKER`: `enable` adds a circuit breaker with rollback to a service without one.

    Only a service with rolling updates gets it.
    """
    deployment_alarms: tuple[str, ...] = ()
    """`DEPLOYMENT_ALARMS`: names of CloudWatch alarms, separated by commas, that a service without
    alarms gets, with rollback.
    """
    verify_image: str = OFF
    """`VERIFY_IMAGE`: whether the image is looked up in its registry before any write.

    With `warn` and `require` an image that does not exist is an error. With `require` a registry
    that does not answer is one, too.
    """
    pin_digest: str = OFF
    """`PIN_DIGEST`: `tag` deploys `repository:tag@digest`, `digest` deploys `repository@digest`,
    with the digest from the registry.
    """
    private_registries: frozenset[str] = frozenset()
    """`PRIVATE_REGISTRIES`: hosts, separated by commas, that may have a private address."""
    allowed_images: str = ""
    allowed_services: str = ""
    """`ALLOWED_SERVICES`: allowed services of an event, as `cluster/service`."""
    allowed_fields: str = ""
    """`ALLOWED_FIELDS`: fields beside image and tags that an event may have. Empty: none."""
    allowed_secrets: str = ""
    """`ALLOWED_SECRETS`: ARNs that `ecs_secrets` may have. Empty: none."""
    ledger_table: str | None = None
    """`LEDGER_TABLE`: DynamoDB table of lease and history. None: no ledger."""
    ledger_retention_days: int = 90
    """`LEDGER_RETENTION_DAYS`: days that the history is kept."""
    open_update_max_hours: int = 24
    """`OPEN_UPDATE_MAX_HOURS`: hours without a change after which an open update ends or is rolled
    back.
    """

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Reads `os.environ` or a similar mapping. Raises ConfigurationError."""
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
            deployment_alarms=_names(environment, "DEPLOYMENT_ALARMS"),
            verify_image=_choice(environment, "VERIFY_IMAGE", OFF, WARN, REQUIRE),
            pin_digest=_choice(environment, "PIN_DIGEST", OFF, TAG, DIGEST),
            private_registries=frozenset(
                filter(None, map(str.strip, environment.get("PRIVATE_REGISTRIES", "").split(",")))
            ),
            allowed_images=environment.get("ALLOWED_IMAGES") or "",
            allowed_services=environment.get("ALLOWED_SERVICES") or "",
            allowed_fields=environment.get("ALLOWED_FIELDS") or "",
            allowed_secrets=environment.get("ALLOWED_SECRETS") or "",
            ledger_table=environment.get("LEDGER_TABLE") or None,
            ledger_retention_days=_count(environment, "LEDGER_RETENTION_DAYS", 90, most=3650),
            open_update_max_hours=_count(environment, "OPEN_UPDATE_MAX_HOURS", 24, most=720),
        )


@dataclass(frozen=True)
class ApprovalSettings:
    """Settings of the answers to hooks. An update has none of them."""

    is_on: bool = False
    """`APPROVALS`: `on` lets callers answer the PAUSE hooks of deployments."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ApprovalSettings":
        """Reads `os.environ` or a similar mapping. Raises ConfigurationError."""
        return cls(is_on=_choice(environment, "APPROVALS", OFF, ON) == ON)


@dataclass(frozen=True)
class StatusSettings:
    """Settings of the function that only reads."""

    tag_filters: tuple[str, ...] = ()
    """`TAG_FILTERS`: tag keys, separated by commas, that lists of services can be filtered by."""
    api_auth: str = KEY
    """`API_AUTH`: `key` (API key), `iam` (API key and signature) or `jwt` (bearer token)."""
    environment: str | None = None
    """`ENVIRONMENT`: name of the environment, for readers."""
    has_approvals: bool = False
    """`APPROVALS`: whether callers can answer the PAUSE hooks of deployments."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "StatusSettings":
        """Reads `os.environ` or a similar mapping. Raises ConfigurationError."""
        keys = dict.fromkeys(
            filter(None, map(str.strip, environment.get("TAG_FILTERS", "").split(",")))
        )
        if taken := sorted(keys.keys() & set(LIST_PARAMETERS)):
            raise ConfigurationError(
                f"the function's TAG_FILTERS has {taken[0]!r}, a parameter of its own: leave it out"
            )
        return cls(
            tag_filters=tuple(keys),
            api_auth=api_auth(environment),
            environment=environment.get("ENVIRONMENT") or None,
            has_approvals=ApprovalSettings.from_environment(environment).is_on,
        )


def api_auth(environment: Mapping[str, str]) -> str:
    """Returns `API_AUTH`: how the HTTP API authenticates callers. Raises ConfigurationError."""
    return _choice(environment, "API_AUTH", KEY, IAM, JWT)


@dataclass(frozen=True)
class QueueSettings:
    """Settings of the queue's worker, in addition to those of an update."""

    arn_prefix: str
    """`ECS_ARN_PREFIX`: beginning of ECS's ARNs in this account and region, such as
    `arn:aws:ecs:eu-west-1:123456789012:`. See also `aws.targets`.
    """
    ecs_rates: str = ""
    """`ECS_RATES`: rates of the ECS API that differ from `throttling.RATES`."""
    max_receives: int = 20

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "QueueSettings":
        """Reads `os.environ` or a similar mapping. Raises ConfigurationError."""
        ecs_rates = environment.get("ECS_RATES") or ""
        try:
            throttling.parse_rates(ecs_rates)
        except ValueError as error:
            raise ConfigurationError(f"the function's ECS_RATES: {error}") from None
        return cls(
            arn_prefix=environment.get("ECS_ARN_PREFIX") or "",
            ecs_rates=ecs_rates,
            max_receives=_count(environment, "MAX_RECEIVES", 20, most=1000),
        )


@dataclass(frozen=True)
class PushSettings:
    """Settings of the function of the pushes, in addition to those of an update."""

    dry_run: bool = False
    """`PUSH_DRY_RUN`: `true` only logs what would be deployed."""
    cluster_pattern: str = "*"
    """`CLUSTER_PATTERN`: the clusters, as a pattern, whose services the functions may change."""
    ecs_rates: str = ""
    """`ECS_RATES`: see `QueueSettings`."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "PushSettings":
        """Reads `os.environ` or a similar mapping. Raises ConfigurationError."""
        return cls(
            dry_run=_choice(environment, "PUSH_DRY_RUN", "false", "true") == "true",
            cluster_pattern=environment.get("CLUSTER_PATTERN") or "*",
            ecs_rates=QueueSettings.from_environment(environment).ecs_rates,
        )


def _compare_clusters(environment: Mapping[str, str]) -> None:
    """Raises ConfigurationError if the reconciler of the ledger cannot end the function's updates.

    `CLUSTER_PATTERN` is the cluster, or the pattern of clusters, that the function's role may
    change. `LEDGER_CLUSTER_PATTERN` is that of the reconciler's role.
    """
    own, ledger = environment.get("CLUSTER_PATTERN"), environment.get("LEDGER_CLUSTER_PATTERN")
    # The only special character of a pattern is *. It also matches the * of a narrower pattern.
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


def _names(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Returns the names of a setting, each once."""
    text = environment.get(name)
    if not text:
        return ()
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if wrong := next((each for each in names if len(each) > _NAME_LENGTH), None):
        raise ConfigurationError(
            f"the function's {name} has the name {wrong[:40]!r}…: write names of at most "
            f"{_NAME_LENGTH} characters, separated by commas"
        )
    return names


def _count(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = environment.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise ConfigurationError(
            f"the function's {name} is {text[:40]!r}: set it to a number from 1 to {most}"
        )
    return int(text)
