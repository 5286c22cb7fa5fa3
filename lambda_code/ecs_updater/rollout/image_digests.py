"""Image digests that the tasks of a deployment run. Pure.

ECS resolves a tag to a digest once per deployment. A task shows the pulled digest in `imageDigest`.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Container.html
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .task_failures import is_of

Digests = Mapping[str, tuple[str, ...]]
"""Digests by container, sorted."""


def digests_of_tasks(
    tasks: Iterable[Mapping[str, Any]],
    deployment_id: str,
    deployment: Mapping[str, Any] | None = None,
) -> Digests:
    """Returns the digests in those `tasks` of DescribeTasks that a deployment started.

    `deployment`: see `task_failures.is_of`.
    """
    found: dict[str, set[str]] = {}
    for task in tasks:
        if is_of(task, deployment_id, deployment):
            for container in task.get("containers", []):
                if digest := container.get("imageDigest"):
                    found.setdefault(container.get("name", "?"), set()).add(digest)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def digests_of_revision(service_revision: Mapping[str, Any]) -> Digests:
    """Returns the digests in an item of DescribeServiceRevisions, which needs no running task."""
    images = service_revision.get("containerImages", [])
    return {
        image["containerName"]: (image["imageDigest"],)
        for image in images
        if image.get("imageDigest")
    }


def unexpected_digests(expected: Mapping[str, Collection[str]], running: Digests) -> Digests:
    """Returns the running digests that are not expected, by container."""
    others = {
        name: tuple(digest for digest in running.get(name, ()) if digest not in digests)
        for name, digests in expected.items()
    }
    return {name: digests for name, digests in others.items() if digests}
