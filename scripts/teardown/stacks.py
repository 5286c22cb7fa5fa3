"""Removes the stacks of CloudFormation."""

from typing import Any

from botocore.exceptions import ClientError

from teardown.project import Project, StillThere, as_mapping, code, pages
from teardown.waiting import until
from terminal import say

STACK_SECONDS = 900
# A creation may be broken off; letting it come to its end where that is near leaves less to chance.
CREATION_SECONDS = 60
NEWS_SECONDS = 5
# A cluster whose instances have only just ended may refuse once.
ATTEMPTS = 2


def find_stack(project: Project, stack: str) -> dict[str, Any] | None:
    """The stack with this name or id, None when there is none."""
    try:
        return project.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise


def is_our_stack(project: Project, found: dict[str, Any]) -> bool:
    """Whether the stack carries our tag, or its change set before its resources are created."""
    if project.owns(as_mapping(found.get("Tags", []))):
        return True
    if found["StackStatus"] != "REVIEW_IN_PROGRESS":
        return False
    cloudformation = project.client("cloudformation")
    announced = cloudformation.list_change_sets(StackName=found["StackId"])["Summaries"]
    for summary in announced:
        change = cloudformation.describe_change_set(ChangeSetName=summary["ChangeSetId"])
        if project.owns(as_mapping(change.get("Tags", []))):
            return True
    return False


def members(project: Project, stack_id: str) -> list[dict[str, Any]]:
    """The resources of a stack that were created."""
    client, listing = project.client("cloudformation"), "list_stack_resources"
    found = pages(client, listing, "StackResourceSummaries", StackName=stack_id)
    return [member for member in found if member.get("PhysicalResourceId")]


def resources(project: Project, stack: str, kind: str) -> set[str]:
    """The names or ids of the resources of one type in a stack of the project, if there is one."""
    found = find_stack(project, stack)
    if found is None or not is_our_stack(project, found):
        return set()
    listed = members(project, found["StackId"])
    return {part["PhysicalResourceId"] for part in listed if part["ResourceType"] == kind}


def remove_stack(project: Project, stack: str) -> None:
    """Deletes a stack and waits until it is gone.

    The resources of one that stays are left alone too.
    """
    with project.removing(f"stack {stack}"):
        found = find_stack(project, stack)
        if found is None:
            return
        try:
            if is_our_stack(project, found):
                delete_stack(project, stack, found)
            else:
                project.leave(f"stack {stack}")
        finally:
            if status_of(project, found["StackId"]) != "DELETE_COMPLETE":
                listed = members(project, found["StackId"])
                project.spare(*(member["PhysicalResourceId"] for member in listed))


def status_of(project: Project, stack_id: str) -> str:
    """The status of a stack, which can be read by its id for months after its deletion."""
    found = find_stack(project, stack_id)
    return found["StackStatus"] if found else "DELETE_COMPLETE"


def is_busy(status: str) -> bool:
    """Whether the stack is in an operation in which it cannot be deleted."""
    idle = ("REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS")
    return status.endswith("_IN_PROGRESS") and status not in idle


def delete_stack(project: Project, stack: str, found: dict[str, Any]) -> None:
    """Deletes a stack of ours. Raises StillThere with every resource that would not go."""
    stack_id, before = found["StackId"], found["StackStatus"]
    say(f"removing stack {stack}")
    # CloudFormation refuses to delete a stack during an update.
    if is_busy(before):
        seconds = STACK_SECONDS if "UPDATE" in before else CREATION_SECONDS
        until(lambda: not is_busy(status_of(project, stack_id)), seconds)
    for _ in range(ATTEMPTS):
        if (status := _delete(project, stack_id, before)) == "DELETE_COMPLETE":
            return
        before = status
    raise StillThere(f"it is {before}. {failed_deletions(project, stack_id)}")


def _delete(project: Project, stack_id: str, before: str) -> str:
    """Deletes a stack that had a status ``before``; returns the one that it came to."""
    project.client("cloudformation").delete_stack(StackName=stack_id)
    # The next answer may be one from before.
    until(lambda: status_of(project, stack_id) != before, NEWS_SECONDS)
    final = ("DELETE_COMPLETE", "DELETE_FAILED")
    until(lambda: status_of(project, stack_id) in final, STACK_SECONDS)
    return status_of(project, stack_id)


def failed_deletions(project: Project, stack_id: str) -> str:
    """The resources that failed in the last deletion, and why, the first failure first."""
    reasons: list[str] = []
    client = project.client("cloudformation")
    # The newest first.
    for event in pages(client, "describe_stack_events", "StackEvents", StackName=stack_id):
        is_stack = event.get("PhysicalResourceId") == stack_id
        if is_stack and event["ResourceStatus"] == "DELETE_IN_PROGRESS":
            break
        if not is_stack and event["ResourceStatus"] == "DELETE_FAILED":
            why = event.get("ResourceStatusReason", "no reason given")
            reasons.insert(0, f"{event['LogicalResourceId']}: {why}")
    return "; ".join(reasons)
