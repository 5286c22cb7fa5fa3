"""Removes the service, the revisions of its task definition, and the senders' policy from all who
have it: CloudFormation and Terraform fail while these are there.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from teardown.kinds import detach_policy, find, tags_of
from teardown.project import Project, StillThere, as_mapping, pages
from teardown.stacks import resources
from teardown.waiting import until
from terminal import say

DRAIN_SECONDS = 300
DELETE_SECONDS = 30
READERS = 8
REVISIONS_AT_ONCE = 10  # DeleteTaskDefinitions takes no more.


def services_of_the_suite(service: str) -> list[str]:
    """The services that `make run-fleet-test` creates, which a killed run leaves."""
    return [f"{service}-fleet-{number}" for number in (1, 2)]


def detach_senders(project: Project, stack: str, function: str) -> None:
    """Detaches the senders' policy where it belongs to the project, from all who have it.

    Neither CloudFormation nor Terraform deletes one that is attached.
    """
    ((arn, name),) = find(project, "policy", f"{function}-fleet-sender-{project.region}")
    with project.removing(f"policy {name}, as attached,"):
        in_stack = arn in resources(project, stack, "AWS::IAM::ManagedPolicy")
        if in_stack or project.owns(tags_of(project, "policy", arn) or {}):
            detach_policy(project, arn)


def is_our_cluster(project: Project, cluster: str) -> bool:
    """Whether the cluster carries our tag, or is in our stack."""
    if project.owns(tags_of(project, "cluster", cluster) or {}):
        return True
    return cluster in resources(project, f"{project.stack_name}-ecs", "AWS::ECS::Cluster")


def remove_service(project: Project, cluster: str, service: str) -> None:
    """Deletes the service and waits until its tasks are gone, which need the network.

    A service has only the tags of events. It belongs to the project when its cluster does.
    """
    ecs = project.client("ecs")

    def is_gone() -> bool:
        found = ecs.describe_services(cluster=cluster, services=[service])["services"]
        return all(part["status"] == "INACTIVE" for part in found)

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
        # After a break the service may be gone, and its tasks not yet.
        if not until(lambda: not any(stopping_tasks(ecs, cluster, service)), DRAIN_SECONDS):
            raise StillThere(f"its tasks have not stopped after {DRAIN_SECONDS} seconds")


def stopping_tasks(ecs: Any, cluster: str, service: str) -> Iterator[str]:
    """Yields the ARN of every task of the service that has not stopped yet."""
    for desired in ("RUNNING", "STOPPED"):
        listing = ecs.get_paginator("list_tasks")
        for page in listing.paginate(cluster=cluster, desiredStatus=desired):
            tasks = page["taskArns"] and ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])
            for task in tasks["tasks"] if tasks else []:
                if task.get("group") == f"service:{service}" and task["lastStatus"] != "STOPPED":
                    yield task["taskArn"]


def revisions(ecs: Any, family: str, status: str) -> list[str]:
    """The ARNs of the revisions of exactly this family with this status."""
    of_family = {"familyPrefix": family, "status": status}
    listing = pages(ecs, "list_task_definitions", "taskDefinitionArns", **of_family)
    return [arn for arn in listing if arn.rpartition("/")[2].rpartition(":")[0] == family]


def remove_revisions(project: Project, family: str) -> None:
    """Deregisters and deletes every revision of the family that carries our tag."""
    ecs = project.client("ecs")

    def is_ours(arn: str) -> bool:
        found = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        return project.owns(as_mapping(found.get("tags", [])))

    with project.removing(f"task definition {family}"):
        active = revisions(ecs, family, "ACTIVE")
        found = active + revisions(ecs, family, "INACTIVE")
        with ThreadPoolExecutor(READERS) as readers:
            owned = dict(zip(found, readers.map(is_ours, found), strict=True))
        own = [arn for arn in found if owned[arn]]
        if own:
            say(f"removing {len(own)} revision{'s' * (len(own) > 1)} of task definition {family}")
        for arn in own:
            if arn in active:
                ecs.deregister_task_definition(taskDefinition=arn)
        for first in range(0, len(own), REVISIONS_AT_ONCE):
            delete_revisions(ecs, own[first : first + REVISIONS_AT_ONCE])
        others = sorted(int(arn.rpartition(":")[2]) for arn in found if not owned[arn])
        if others:
            numbers = f"revision{'s' * (len(others) > 1)} {', '.join(map(str, others))}"
            project.leave(f"{numbers} of task definition {family}", "TASK_DEFINITION_NAME")


def delete_revisions(ecs: Any, arns: list[str]) -> None:
    """Deletes at most ten deregistered revisions, again until ECS knows that they are."""
    failures: list[dict[str, str]] = []

    def is_done() -> bool:
        left = [failure["arn"] for failure in failures] or arns
        failures[:] = ecs.delete_task_definitions(taskDefinitions=left)["failures"]
        return not failures

    if not until(is_done, DELETE_SECONDS):
        reasons = [
            f"{failed['arn']}: {failed.get('reason', 'no reason given')}" for failed in failures
        ]
        raise StillThere("; ".join(reasons))
