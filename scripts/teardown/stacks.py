"""Removes the stacks of CloudFormation."""

from typing import Any

from botocore.exceptions import ClientError

from teardown.project import Project, StillThere, as_mapping, code
from teardown.waiting import until
from terminal import say

STACK_SECONDS = 900
# A creation may be broken off; letting it come to its end where that is near leaves less to chance.
CREATION_SECONDS = 60
NEWS_SECONDS = 5
# A cluster whose instances have only just ended may refuse once.
ATTEMPTS = 2


def find_stack(project: Project, stack: str) -> dict[str, Any] | None:
    """Returns the description of the stack with this name or id, or None when there is none."""
    try:
        return project.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise


def is_our_stack(project: Project, found: dict[str, Any]) -> bool:
    """Tells whether the stack carries our tag.

    One that is only announced may have it in its change set alone.
    """
    if project.owns(as_mapping(found.get("Tags", []))):
        return True
    if found["StackStatus"] != "REVIEW_IN_PROGRESS":
        return False
    cloudformation = project.client("cloudformation")
    announced = cloudformation.list_change_sets(StackName=found["StackId"])["Summaries"]
    changes = [
        cloudformation.describe_change_set(ChangeSetName=one["ChangeSetId"]) for one in announced
    ]
    return any(project.owns(as_mapping(change.get("Tags", []))) for change in changes)


def members(project: Project, stack_id: str) -> list[dict[str, Any]]:
    """Returns the summaries of what is in a stack and has been made already."""
    pages = (
        project.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=stack_id)
    )
    return [
        one
        for page in pages
        for one in page["StackResourceSummaries"]
        if one.get("PhysicalResourceId")
    ]


def resources(project: Project, stack: str, kind: str) -> set[str]:
    """Returns the names or ids of the resources of one type in a stack of ours; none when it is not
    there, or not ours.
    """
    found = find_stack(project, stack)
    if found is None or not is_our_stack(project, found):
        return set()
    return {
        one["PhysicalResourceId"]
        for one in members(project, found["StackId"])
        if one["ResourceType"] == kind
    }


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
                project.spare(
                    *(member["PhysicalResourceId"] for member in members(project, found["StackId"]))
                )


def status_of(project: Project, stack_id: str) -> str:
    """Returns the status of a stack; by its id, one that is gone can still be read for some
    months.
    """
    found = find_stack(project, stack_id)
    return found["StackStatus"] if found else "DELETE_COMPLETE"


def is_busy(status: str) -> bool:
    """Tells whether the stack is being created, updated or taken back.

    One that is announced or being deleted can be deleted.
    """
    return status.endswith("_IN_PROGRESS") and status not in (
        "REVIEW_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
    )


def delete_stack(project: Project, stack: str, found: dict[str, Any]) -> None:
    """Deletes a stack of ours. Raises StillThere with every resource that would not go."""
    stack_id, before = found["StackId"], found["StackStatus"]
    say(f"removing stack {stack}")
    # CloudFormation refuses to delete a stack during an update.
    if is_busy(before):
        until(
            lambda: not is_busy(status_of(project, stack_id)),
            STACK_SECONDS if "UPDATE" in before else CREATION_SECONDS,
        )
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
    until(
        lambda: status_of(project, stack_id) in ("DELETE_COMPLETE", "DELETE_FAILED"), STACK_SECONDS
    )
    return status_of(project, stack_id)


def failed_deletions(project: Project, stack_id: str) -> str:
    """Returns which resources would not go in the last deletion, and why, the first one first."""
    reasons: list[str] = []
    for page in (
        project.client("cloudformation")
        .get_paginator("describe_stack_events")
        .paginate(StackName=stack_id)
    ):
        for event in page["StackEvents"]:  # The newest first.
            is_stack = event.get("PhysicalResourceId") == stack_id
            if is_stack and event["ResourceStatus"] == "DELETE_IN_PROGRESS":
                return "; ".join(reasons)
            if not is_stack and event["ResourceStatus"] == "DELETE_FAILED":
                reasons.insert(
                    0,
                    f"{event['LogicalResourceId']}: "
                    f"{event.get('ResourceStatusReason', 'no reason given')}",
                )
    return "; ".join(reasons)
