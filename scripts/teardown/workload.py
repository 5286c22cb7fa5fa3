"""Removes the service and the revisions of its task definition."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from teardown.project import Project, StillThere, as_mapping
from teardown.stacks import resources
from teardown.waiting import until
from terminal import say

DRAIN_SECONDS = 300
DELETE_SECONDS = 30
READERS = 8
REVISIONS_AT_ONCE = 10  # DeleteTaskDefinitions takes no more.


def services_of_the_suite(service: str) -> list[str]:
    """Names the services that `make run-fleet-test` makes beside this one, which a killed run
    leaves.
    """
    return [f"{service}-fleet-{number}" for number in (1, 2)]


def tags_of_cluster(project: Project, cluster: str) -> dict[str, str] | None:
    """Returns the cluster's tags, or None when there is no such cluster."""
    found = project.client("ecs").describe_clusters(clusters=[cluster], include=["TAGS"])[
        "clusters"
    ]
    # One that was deleted can still be read for a while.
    return next(
        (as_mapping(one.get("tags", [])) for one in found if one["status"] != "INACTIVE"), None
    )


def is_our_cluster(project: Project, cluster: str) -> bool:
    """Tells whether the cluster carries our tag, or is in our stack."""
    if project.owns(tags_of_cluster(project, cluster) or {}):
        return True
    return cluster in resources(project, f"{project.stack_name}-ecs", "AWS::ECS::Cluster")


def remove_service(project: Project, cluster: str, service: str) -> None:
    """Deletes the service and waits until its tasks are gone: the cluster and its network cannot go
    before them.

    A service has the tags that events ask for and no others, so it is ours when its cluster is.
    """
    ecs = project.client("ecs")

    def is_gone() -> bool:
        found = ecs.describe_services(cluster=cluster, services=[service])["services"]
        return all(one["status"] == "INACTIVE" for one in found)

    with project.removing(f"service {service}"):
        if not is_gone():
            if not is_our_cluster(project, cluster):
                project.leave(f"service {service} is in cluster {cluster}, which", "CLUSTER_NAME")
                return
            say(f"removing service {service}")
            ecs.delete_service(cluster=cluster, service=service, force=True)
            if not until(is_gone, DRAIN_SECONDS):
                raise StillThere(f"it still drains after {DRAIN_SECONDS} seconds")
        elif not is_our_cluster(project, cluster):
            return
        # Also after a break: the service may be gone, and its tasks with their network interfaces
        # not yet.
        if not until(lambda: not any(stopping_tasks(ecs, cluster, service)), DRAIN_SECONDS):
            raise StillThere(f"its tasks have not stopped after {DRAIN_SECONDS} seconds")


def stopping_tasks(ecs, cluster: str, service: str) -> Iterator[str]:
    """Yields the ARN of every task of the service that has not stopped yet."""
    for desired in ("RUNNING", "STOPPED"):
        for page in ecs.get_paginator("list_tasks").paginate(
            cluster=cluster, desiredStatus=desired
        ):
            if page["taskArns"]:
                for task in ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]:
                    if (
                        task.get("group") == f"service:{service}"
                        and task["lastStatus"] != "STOPPED"
                    ):
                        yield task["taskArn"]


def revisions(ecs, family: str, status: str) -> Iterator[str]:
    """Yields the ARN of every revision of exactly this family with this status."""
    for page in ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=family, status=status
    ):
        for arn in page["taskDefinitionArns"]:
            if arn.rpartition("/")[2].rpartition(":")[0] == family:
                yield arn


def remove_revisions(project: Project, family: str) -> None:
    """Deregisters and deletes every revision of the family that carries our tag, also those
    deregistered before.
    """
    ecs = project.client("ecs")

    def is_ours(arn: str) -> bool:
        found = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        return project.owns(as_mapping(found.get("tags", [])))

    with project.removing(f"task definition {family}"):
        active = list(revisions(ecs, family, "ACTIVE"))
        found = active + list(revisions(ecs, family, "INACTIVE"))
        with ThreadPoolExecutor(READERS) as readers:
            owned = dict(zip(found, readers.map(is_ours, found), strict=True))
        ours = [arn for arn in found if owned[arn]]
        if ours:
            say(f"removing {len(ours)} revision{'s' * (len(ours) > 1)} of task definition {family}")
        for arn in ours:
            if arn in active:
                ecs.deregister_task_definition(taskDefinition=arn)
        for first in range(0, len(ours), REVISIONS_AT_ONCE):
            delete_revisions(ecs, ours[first : first + REVISIONS_AT_ONCE])
        others = sorted(int(arn.rpartition(":")[2]) for arn in found if not owned[arn])
        if others:
            plural = "s" * (len(others) > 1)
            project.leave(
                f"revision{plural} {', '.join(map(str, others))} of task definition {family}",
                "TASK_DEFINITION_NAME",
            )


def delete_revisions(ecs, arns: list[str]) -> None:
    """Deletes at most ten revisions that were deregistered, again while ECS has not heard of that
    everywhere.
    """
    failures: list[dict] = []

    def done() -> bool:
        left = [failure["arn"] for failure in failures] or arns
        failures[:] = ecs.delete_task_definitions(taskDefinitions=left)["failures"]
        return not failures

    if not until(done, DELETE_SECONDS):
        raise StillThere(
            "; ".join(
                f"{failure['arn']}: {failure.get('reason', 'no reason given')}"
                for failure in failures
            )
        )
