"""The one key by which lease, history and queue know a service, however an event named it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

ENTRY = "UPDATE#"
"""How the sort key of an entry begins."""

_SERVICE = re.compile(
    r"(?P<account>arn:[^:]+:ecs:[^:]+:[^:]+:)service/(?:(?P<cluster>[\w-]+)/)?(?P<name>[\w-]+)"
)
_CLUSTER = re.compile(r"arn:[^:]+:ecs:[^:]+:[^:]+:cluster/(?P<cluster>[\w-]+)")


def service_key(service_arn: str, cluster_arn: str = "") -> str:
    """The service's ARN in its long form, which has the cluster in it; both ARNs as
    DescribeServices tells them.

    The short form, of services made before 2018, is the same for two services of one name in two
    clusters: only for that one the cluster's ARN is needed. Raises ValueError for what is no ARN.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids
    """
    service, cluster = _SERVICE.fullmatch(service_arn), _CLUSTER.fullmatch(cluster_arn)
    named = service and (service["cluster"] or (cluster and cluster["cluster"]))
    if not service or not named:
        raise ValueError(
            f"{service_arn!r} and {cluster_arn!r} are not the ARNs of a service and of its cluster"
        )
    return f"{service['account']}service/{named}/{service['name']}"


def is_named(key: str, cluster: str, service: str) -> bool:
    """Whether an event that names ``cluster`` and ``service``, each by name or ARN, can mean the
    service of this key.
    """
    account, _, names = key.partition("service/")
    arns = [one for one in (cluster, service) if one.startswith("arn:")]
    return names == f"{cluster.rpartition('/')[2]}/{service.rpartition('/')[2]}" and all(
        one.startswith(account) for one in arns
    )


def group_id(key: str) -> str:
    """A service's key as the ``MessageGroupId`` of a queue: that is at most 128 characters long, a
    key may be longer.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def fingerprint_of_event(event: Mapping[str, Any]) -> str:
    """That of what an event asks for. How long the call waits for the rollout is not part of it."""
    return fingerprint(
        {name: value for name, value in event.items() if name not in ("request_id", "wait_seconds")}
    )


def fingerprint(request: Any) -> str:
    """What tells one request from another: a second event with the same ``request_id`` must ask for
    the same.

    ``request`` is any JSON value; the order of its fields does not count.
    """
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
