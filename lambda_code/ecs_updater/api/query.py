"""Checks the query parameters. Every function raises InvalidQueryError.

`next` is the key of an entry and not a count: entries that appear or disappear between two pages
are neither skipped nor returned twice.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InvalidQueryError, one_line
from ..model.arn import cluster_arn_of, service_key
from ..model.event_parser import CLUSTER
from ..model.service import EC2, FARGATE
from ..settings import LIST_PARAMETERS

Parameters = Mapping[str, Sequence[str]]
"""API Gateway's `multiValueQueryStringParameters`: the values of each name."""

EXTERNAL, MANAGED_INSTANCES, ALL = "EXTERNAL", "MANAGED_INSTANCES", "ALL"
LAUNCH_TYPES = (FARGATE, EC2, EXTERNAL, MANAGED_INSTANCES)
MOST_SERVICES = 1000
MOST_DEPLOYMENTS, SOME_DEPLOYMENTS = 100, 20

DEPLOYMENTS_PARAMETERS = ("cluster", "service", "limit", "next")

INVALID_NEXT = "next: this is not what an earlier page of the same list gave as next"
_LONGEST_NEXT = 8192

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True)
class ListQuery:
    """Query of `GET /list`."""

    launch_types: frozenset[str] = frozenset({FARGATE})
    tags: Mapping[str, str] = field(default_factory=dict)
    images: bool = False
    target: str | None = None
    """Name of a target, or `home`. None: home and all targets."""
    limit: int = MOST_SERVICES
    next: str | None = None


@dataclass(frozen=True)
class DeploymentsQuery:
    """Query of `GET /deployments`."""

    cluster_arn: str | None = None
    service: str | None = None
    """The service's key, see `model.arn`."""
    limit: int = SOME_DEPLOYMENTS
    next: str | None = None


def list_query(parameters: Parameters, filters: Sequence[str]) -> ListQuery:
    """Returns the query of `GET /list`. `filters`: the tag keys that it accepts."""
    values = _single(parameters, [*filters, *LIST_PARAMETERS], "filter")
    images = values.get("images", "0")
    if images not in ("0", "1"):
        raise InvalidQueryError(f"images: {_shown(images)} is neither 0 nor 1")
    return ListQuery(
        launch_types=_launch_types(values.get("launch_type", FARGATE)),
        tags={key: values[key] for key in filters if key in values},
        images=images == "1",
        target=values.get("target"),
        limit=_limit(values, MOST_SERVICES, MOST_SERVICES),
        next=values.get("next"),
    )


def deployments_query(parameters: Parameters, arn_prefix: str) -> DeploymentsQuery:
    """Returns the query of `GET /deployments`. `arn_prefix`: `arn:aws:ecs:REGION:ACCOUNT:`."""
    values = _single(parameters, DEPLOYMENTS_PARAMETERS, "parameter")
    cluster, service = values.get("cluster"), values.get("service")
    if cluster is not None and not CLUSTER.fullmatch(cluster):
        raise InvalidQueryError(
            f"cluster: {_shown(cluster)} is neither the name of a cluster nor its ARN"
        )
    cluster_arn = (
        f"{arn_prefix}cluster/{cluster}" if cluster and not cluster.startswith("arn:") else cluster
    )
    return DeploymentsQuery(
        cluster_arn=cluster_arn,
        service=None if service is None else _service_key(service, cluster_arn),
        limit=_limit(values, SOME_DEPLOYMENTS, MOST_DEPLOYMENTS),
        next=values.get("next"),
    )


def _service_key(service: str, cluster_arn: str | None) -> str:
    if _NAME.fullmatch(service):
        if cluster_arn is None:
            raise InvalidQueryError(
                f"service: {service} may be in several clusters: name the cluster too, or "
                "take the service's ARN"
            )
        return f"{cluster_arn.replace(':cluster/', ':service/', 1)}/{service}"
    try:
        key = service_key(service, cluster_arn or "")
    except ValueError:
        raise InvalidQueryError(
            f"service: {_shown(service)} is neither the name of a service nor its ARN"
        ) from None
    if cluster_arn and cluster_arn_of(key) != cluster_arn:
        raise InvalidQueryError(
            f"service: {_shown(service)} is not in the cluster {_shown(cluster_arn)}"
        )
    return key


def _single(parameters: Parameters, names: Sequence[str], kind: str) -> dict[str, str]:
    """Returns the parameters, each of which must have one value."""
    for name, values in parameters.items():
        if name not in names:
            raise InvalidQueryError(
                f"there is no {kind} {_shown(name)}: there are {', '.join(names)}"
            )
        if len(values) != 1:
            raise InvalidQueryError(f"{name}: is given {len(values)} times, once is enough")
    return {name: values[0] for name, values in parameters.items()}


def _launch_types(value: str) -> frozenset[str]:
    launch_types = frozenset(value.upper().split(","))
    if not launch_types <= {*LAUNCH_TYPES, ALL}:
        choices = ", ".join((*LAUNCH_TYPES, ALL))
        raise InvalidQueryError(
            f"launch_type: {_shown(value)} is not one of {choices}, or several with commas"
        )
    return frozenset(LAUNCH_TYPES) if ALL in launch_types else launch_types


def _limit(values: Mapping[str, str], default: int, most: int) -> int:
    value = values.get("limit", str(default))
    if not re.fullmatch("[0-9]{1,9}", value) or not 1 <= int(value) <= most:
        raise InvalidQueryError(f"limit: {_shown(value)} is not a number from 1 to {most}")
    return int(value)


def _shown(value: str) -> str:
    return repr(one_line(value, 100))


def next_token(position: Mapping[str, str]) -> str:
    """Returns the `next` of a position, whose names and values are strings."""
    text = json.dumps(position, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(token: str | None, names: tuple[str, ...]) -> dict[str, str] | None:
    """Returns the position of a `next`, which has these names. None: the first page."""
    if token is None:
        return None
    try:
        if len(token) > _LONGEST_NEXT:
            raise ValueError
        position = json.loads(
            base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, binascii.Error, RecursionError):
        position = None
    if (
        not isinstance(position, dict)
        or set(position) != set(names)
        or not all(isinstance(value, str) for value in position.values())
    ):
        raise InvalidQueryError(INVALID_NEXT)
    return position
