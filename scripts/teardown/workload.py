"""Removes what CloudFormation and Terraform fail with: service, tasks, revisions, attachments."""

from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor

from teardown.aws import StillThere, tags_in, until
from teardown.kinds import KINDS
from teardown.project import Project
from teardown.removal import find, release
from terminal import say

DRAIN_SECONDS, DELETE_SECONDS = 300, 30
REVISIONS_AT_ONCE = 10  # DeleteTaskDefinitions takes no more.
TASKS_AT_ONCE = 100  # DescribeTasks takes no more.


def services_of_the_suite(service: str) -> list[str]:
    """Returns the services that `make run-fleet-test` creates, which a killed run leaves."""
    return [f"{service}-fleet-{number}" for number in (1, 2)]


def remove_workload(project: Project, given: Namespace) -> None:
    """Removes what runs in the cluster, what it ran, and what would keep a stack from going."""
    detach_senders(project, given.function)
    services = [given.service, *services_of_the_suite(given.service)]
    for service in services:
        remove_service(project, given.cluster, service)
    stop_tasks(project, given.cluster, given.family, services)
    remove_revisions(project, given.family)


def find_ours(project: Project, kind: str, name: str, stack: str) -> list[str]:
    """Returns the ids of the resources with a name that carry our tag, or are in our stack."""
    in_stack: list[str] = []
    for stack_id, tags in find(project, "stack", f"{project.stack_name}-{stack}").items():
        if project.owns(tags):
            in_stack = project.call(KINDS["stack"]["members"][0], stack_id)
    found = find(project, kind, name).items()
    return [number for number, tags in found if project.owns(tags) or number in in_stack]


def detach_senders(project: Project, function: str) -> None:
    """Detaches the senders' policy, if it is ours, from all who have it."""
    name = f"{function}-fleet-sender-{project.region}"
    with project.removing(f"policy {name}, as attached,"):
        for arn in find_ours(project, "policy", name, "fleet"):
            release(project, "policy", arn)


def remove_service(project: Project, cluster: str, service: str) -> None:
    """Deletes the service. It belongs to the project when its cluster does."""
    services = "ecs describe_services cluster services[] -> services[?status!='INACTIVE']"
    with project.removing(f"service {service}"):
        found = project.call(services, cluster, service)
        if not find_ours(project, "cluster", cluster, "ecs"):
            if found:
                project.leave(f"service {service} is in cluster {cluster}, which", "CLUSTER_NAME")
            return
        if found:
            say(f"removing service {service}")
            project.call("ecs delete_service cluster service force=true", cluster, service)
            state = "it still drains"
            until(lambda: not project.call(services, cluster, service), DRAIN_SECONDS, state)


def stop_tasks(project: Project, cluster: str, family: str, services: list[str]) -> None:
    """Stops the one-off tasks, and waits for all of the family, which need network and cluster."""
    ours = [f"service:{service}" for service in services]

    def find_tasks() -> list[str]:
        part = "tasks[?lastStatus!='STOPPED'].[taskArn, group || '']"
        listing = "ecs list_tasks cluster family desiredStatus -> taskArns"
        found = []
        for desired in ("RUNNING", "STOPPED"):
            arns = project.call(listing, cluster, family, desired)
            for first in range(0, len(arns), TASKS_AT_ONCE):
                tasks = arns[first : first + TASKS_AT_ONCE]
                found += project.call(f"ecs describe_tasks cluster tasks -> {part}", cluster, tasks)
        return [arn for arn, group in found if group in ours or not group.startswith("service:")]

    with project.removing(f"tasks of {family}"):
        if find_ours(project, "cluster", cluster, "ecs"):
            for arn in find_tasks():
                project.call("ecs stop_task cluster task", cluster, arn)
            until(lambda: not find_tasks(), DRAIN_SECONDS, "they have not stopped")


def remove_revisions(project: Project, family: str) -> None:
    """Deregisters and deletes every revision of the family that carries our tag."""

    def is_ours(arn: str) -> bool:
        text = "ecs describe_task_definition taskDefinition include[]=TAGS"
        return project.owns(tags_in(project.call(text, arn)))

    with project.removing(f"task definition {family}"):
        listing = "ecs list_task_definitions familyPrefix status -> taskDefinitionArns"
        active = project.call(listing, family, "ACTIVE")
        found = active + project.call(listing, family, "INACTIVE")
        found = [arn for arn in found if f"/{family}:" in arn]  # The prefix finds more families.
        with ThreadPoolExecutor(8) as readers:
            owned = dict(zip(found, readers.map(is_ours, found), strict=True))
        if own := [arn for arn in found if owned[arn]]:
            say(f"removing {len(own)} revision{'s' * (len(own) > 1)} of task definition {family}")
        for arn in own:
            if arn in active:
                project.call("ecs deregister_task_definition taskDefinition", arn)
        for first in range(0, len(own), REVISIONS_AT_ONCE):
            delete_revisions(project, own[first : first + REVISIONS_AT_ONCE])
        if others := sorted(int(arn.rpartition(":")[2]) for arn in found if not owned[arn]):
            numbers = f"revision{'s' * (len(others) > 1)} {', '.join(map(str, others))}"
            project.leave(f"{numbers} of task definition {family}", "TASK_DEFINITION_NAME")


def delete_revisions(project: Project, arns: list[str]) -> None:
    """Deletes deregistered revisions, again until ECS shows that they are. Raises StillThere."""
    failures = [{"arn": arn} for arn in arns]

    def is_done() -> bool:
        left = [failure["arn"] for failure in failures]
        failures[:] = project.call("ecs delete_task_definitions taskDefinitions -> failures", left)
        return not failures

    if not until(is_done, DELETE_SECONDS):
        raise StillThere("; ".join(f"{each['arn']}: {each.get('reason')}" for each in failures))
