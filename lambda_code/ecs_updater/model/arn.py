"""Names and ARNs of Amazon ECS: their parts, and the key of a service in ledger and queue.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html#amazonelasticcontainerservice-resources-for-iam-policies
"""

import hashlib
import re
from collections.abc import Iterable
from difflib import SequenceMatcher

_SERVICE = re.compile(
    r"(?P<account>arn:[^:]+:ecs:[^:]+:[^:]+:)service/(?:(?P<cluster>[\w-]+)/)?(?P<name>[\w-]+)"
)
_CLUSTER = re.compile(r"arn:[^:]+:ecs:[^:]+:[^:]+:cluster/(?P<cluster>[\w-]+)")


_MIN_SIMILARITY = 0.6
"""Minimum similarity, between 0 and 1: the default of `difflib.get_close_matches`."""

_MAX_COMPARED, _SHORTEST_PART = 128, 3
"""Maximum compared characters, and minimum characters of a name that is part of the other one."""


def name_of(arn: str) -> str:
    """Returns the name of a cluster or service, or the id of a task, given so or by ARN."""
    return arn.rpartition("/")[2]


def revision_name(task_definition: str) -> str:
    """Returns `family:revision` of a task definition, given so or by ARN."""
    return task_definition.rpartition("/")[2]


def family(task_definition: str) -> str:
    """Returns the family of a task definition, given as `family:revision` or by ARN."""
    return revision_name(task_definition).partition(":")[0]


def account_prefix(arn: str) -> str:
    """Returns the beginning of ECS's ARNs in the partition, region and account of any ARN.

    For example `arn:aws:ecs:eu-west-1:123456789012:`.
    """
    _, partition, _, region, account, *_ = arn.split(":")
    return f"arn:{partition}:ecs:{region}:{account}:"


def service_key(service_arn: str, cluster_arn: str = "") -> str:
    """Returns the service's ARN in its long form, which names the cluster.

    Both ARNs are those of DescribeServices. The short form, of services created before 2018, is
    the same for two services of one name in two clusters: only there the cluster's ARN is needed.
    Raises ValueError for any other text.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids
    """
    service, cluster = _SERVICE.fullmatch(service_arn), _CLUSTER.fullmatch(cluster_arn)
    cluster_in_key = service and (service["cluster"] or (cluster and cluster["cluster"]))
    if not service or not cluster_in_key:
        raise ValueError(
            f"{service_arn!r} and {cluster_arn!r} are not the ARNs of a service and of its cluster"
        )
    return f"{service['account']}service/{cluster_in_key}/{service['name']}"


def cluster_arn_of(key: str) -> str:
    """Returns the ARN of the cluster in a service's key."""
    account, _, names = key.partition("service/")
    return f"{account}cluster/{names.partition('/')[0]}"


def is_named(key: str, cluster: str, service: str) -> bool:
    """Returns whether an event's `cluster` and `service` can mean the service of this key.

    Each is a name or an ARN.
    """
    account, _, names = key.partition("service/")
    return names == f"{name_of(cluster)}/{name_of(service)}" and all(
        name.startswith(account) for name in (cluster, service) if name.startswith("arn:")
    )


def group_id(key: str) -> str:
    """Returns the `MessageGroupId` of a service's key.

    A group id has at most 128 characters, a key may have more.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Returns the element of `names` most similar to `name`, or None.

    Case, `_` and `-` do not count.
    """
    plain = _plain(name)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(plain)
    best, best_ratio = None, 0.0
    for candidate in sorted(names):
        known = _plain(candidate)
        matcher.set_seq1(known)
        is_part = len(plain) >= _SHORTEST_PART and plain in known
        if matcher.real_quick_ratio() > best_ratio or is_part:
            ratio = matcher.ratio()
            if ratio > best_ratio and (ratio >= _MIN_SIMILARITY or is_part):
                best, best_ratio = candidate, ratio
    return best


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name[:_MAX_COMPARED].lower())
