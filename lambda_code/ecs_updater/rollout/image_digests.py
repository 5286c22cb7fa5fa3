"""Which images the tasks of a deployment really run. Pure.

ECS resolves a tag to a digest once per deployment; a task shows in ``imageDigest`` what it pulled.
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
    """What the running ``tasks``, as DescribeTasks gives them, of one deployment show;
    ``deployment``: see ``deaths.is_of``.
    """
    found: dict[str, set[str]] = {}
    for task in tasks:
        if is_of(task, deployment_id, deployment):
            for container in task.get("containers", []):
                if digest := container.get("imageDigest"):
                    found.setdefault(container.get("name", "?"), set()).add(digest)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def digests_of_revision(service_revision: Mapping[str, Any]) -> Digests:
    """What a service revision, as DescribeServiceRevisions gives it, was resolved to: also where no
    task runs.
    """
    images = service_revision.get("containerImages", [])
    return {one["containerName"]: (one["imageDigest"],) for one in images if one.get("imageDigest")}


def others_than_asked(asked: Mapping[str, Collection[str]], running: Digests) -> Digests:
    """What runs and is none of the digests that were ``asked`` for, by container."""
    others = {
        name: tuple(one for one in running.get(name, ()) if one not in digests)
        for name, digests in asked.items()
    }
    return {name: digests for name, digests in others.items() if digests}
