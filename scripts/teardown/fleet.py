"""Removes a fleet that is in no stack and no Terraform state: what calls its worker, the worker,
its queues, and who may send.
"""

from collections.abc import Iterator

from teardown.orphans import alarm, lambda_function, log_group, queue, role
from teardown.project import Project, StillThere, Thing, passing_over_missing
from teardown.senders import policy
from teardown.waiting import persist, until

MAPPING_SECONDS = 120
SETTING = "LAMBDA_FUNCTION_NAME"


def remove_fleet(project: Project, function: str) -> None:
    """Removes the parts under the names that the function's name gives them, each after what needs
    it.
    """
    fleet = f"{function}-fleet"
    with project.removing(f"mappings of function {fleet}"):
        for thing in list(mappings(project, fleet)):
            project.remove(thing)
    for thing in (
        lambda_function(project, fleet),
        role(project, f"{fleet}-{project.region}", SETTING),
        log_group(project, f"/aws/lambda/{fleet}", SETTING),
        alarm(project, f"{fleet}-dead-letters"),
        queue(project, f"{fleet}.fifo"),
        queue(project, f"{fleet}-dead-letters.fifo"),
        policy(project, function),
    ):
        project.remove(thing)


def mappings(project: Project, function: str) -> Iterator[Thing]:
    """Yields every mapping that calls a function, but for what is spared.

    They have no names, and stay when the function goes.
    """
    client = project.client("lambda")

    def thing(number: str, arn: str) -> Thing:
        def is_gone() -> bool:
            with passing_over_missing():
                client.get_event_source_mapping(UUID=number)
                return False
            return True

        def delete() -> None:
            # Refused while it is still being made or changed. AWS says when it has gone only when
            # asked again.
            persist(lambda: client.delete_event_source_mapping(UUID=number))
            if not until(is_gone, MAPPING_SECONDS):
                raise StillThere(f"it is still being deleted after {MAPPING_SECONDS} seconds")

        return Thing(
            "mapping",
            f"{number} of function {function}",
            lambda: client.list_tags(Resource=arn)["Tags"],
            delete,
            SETTING,
        )

    for page in client.get_paginator("list_event_source_mappings").paginate(FunctionName=function):
        for one in page["EventSourceMappings"]:
            if not project.spares(one["UUID"]):
                yield thing(one["UUID"], one["EventSourceMappingArn"])
