"""What helps where a cluster or a service was not found: where it was looked for and, where lists
may be read, the nearest name.
"""

from collections.abc import Callable, Sequence

from ..aws.ecs import Ecs
from ..aws.failure import AwsFailure
from ..nearest import nearest


def cluster_hint(ecs: Ecs, cluster: str) -> str:
    """The hint for a cluster that was not found.

    Reads a list of clusters where ``ecs`` may, and raises nothing.
    """
    return f"looked in {ecs.region}{_advice(ecs, cluster, ecs.cluster_names)}"


def service_hint(ecs: Ecs, cluster: str, service: str) -> str:
    """The hint for a service that its cluster does not have. Likewise."""
    return (
        f"looked in cluster {cluster} in "
        f"{ecs.region}{_advice(ecs, service, lambda: ecs.service_names(cluster))}"
    )


def _advice(ecs: Ecs, name: str, names: Callable[[], Sequence[str]]) -> str:
    if not ecs.may_list:
        return ""
    try:
        meant = nearest(name.rpartition("/")[2], names())
    except AwsFailure:
        # The error is about the update: a list that cannot be read changes nothing about it.
        return ""
    return f": did you mean {meant}?" if meant else ""
