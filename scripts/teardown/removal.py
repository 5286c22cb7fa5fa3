"""Finds and removes resources as the table of their kinds says."""

import os
from argparse import Namespace
from typing import Any

from botocore.exceptions import ClientError

from teardown import special
from teardown.aws import StillThere, reason, skipping_missing, tags_in, until
from teardown.kinds import KINDS
from teardown.project import OWNERSHIP_TAG, Project
from terminal import say

GONE_SECONDS, IN_USE_SECONDS = 600, 180  # A task's network interface stays for two minutes.
# The settings that the names of resources begin with.
SETTINGS = {"cluster": "CLUSTER_NAME", "function": "LAMBDA_FUNCTION_NAME", "stack": "STACK_NAME"}


def run(project: Project, text: str, *values: Any) -> Any:
    """Makes a call of the table and returns its result. Raises ClientError, StillThere."""
    if text.startswith("special."):
        return getattr(special, text.removeprefix("special."))(project, *values)
    return project.call(text, *values)


def find(
    project: Project, kind: str, name: str, key: str = f"tag:{OWNERSHIP_TAG}", word: str = "find"
) -> dict[str, dict[str, str]]:
    """Returns tags by the ids of resources; EC2 has the name under the key. Raises ClientError."""
    resources = {}
    for text in KINDS[kind][word]:
        with skipping_missing():
            for found in run(project, project.fill(text, name=name, key=key), name):
                with skipping_missing():
                    for tags in KINDS[kind]["tags"]:
                        found |= run(project, tags, found["arn"])
                    resources[found.get("id", name)] = tags_in(found)
    return resources


def release(project: Project, kind: str, number: str) -> None:
    """Takes away what must go before the resource with this id. Raises ClientError."""
    for step in KINDS[kind]["release"]:
        listing, _, text = step.rpartition(" -> ")
        for part in project.call(listing, number) or []:
            with skipping_missing():
                project.call(text, number, part)


def delete(project: Project, kind: str, number: str) -> None:
    """Deletes a resource, again while it is in use, and waits. Raises ClientError, StillThere."""
    row = KINDS[kind]

    def is_deleted() -> bool:
        release(project, kind, number)
        run(project, row["delete"][0], number)
        return True

    def is_gone() -> bool:
        with skipping_missing():
            return not any(project.call(text, number) for text in row["gone"])
        return True

    try:
        until(is_deleted, IN_USE_SECONDS)
    except ClientError as error:
        if not row["unlock"] or "protect" not in str(error):
            raise
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        place = f"--region {project.region}" + (f" --endpoint-url {endpoint}" if endpoint else "")
        unlock = project.fill(row["unlock"][0], id=number)
        raise StillThere(f"{reason(error)} {unlock} {place}") from error
    until(is_gone, GONE_SECONDS, "it is still being deleted")


def is_shared(project: Project, kind: str, number: str) -> bool:
    """Whether a resource has parts of others, which are reported."""
    others = []
    for key, _, part in (text.partition(" ") for text in KINDS[kind]["parts"]):
        for found, tags in find(project, part, number, key).items():
            if not project.owns(tags) and found not in project.spared:
                others.append(found)
                project.leave(f"{part} {found}, which keeps {kind} {number} in use,")
    return bool(others)


def remove(project: Project, kind: str, name: str, setting: str = "STACK_NAME") -> None:
    """Removes the resources of a kind with a name of ours; reports others with the setting."""
    row = KINDS[kind]
    with project.removing(f"{kind} {name}"):
        if name in project.spared or any(run(project, text, name) for text in row["stays"]):
            return
        for word in ("find", "search"):
            for number, tags in find(project, kind, name, word=word).items():
                is_ours = project.owns(tags)
                if number in project.spared or (word == "search" and not is_ours):
                    continue
                has_id = number != name and "/" not in number
                what = f"{kind} {name} ({number})" if has_id else f"{kind} {name}"
                with project.removing(what):
                    if not is_ours:
                        project.leave(what, setting)
                    elif not is_shared(project, kind, number):
                        say(f"removing {what}")
                        delete(project, kind, number)
        for text in row["members"]:
            for member in project.call(text, name):
                project.spared |= {member, member.rpartition("/")[2]}  # A queue's URL varies.


def remove_infrastructure(project: Project, given: Namespace) -> None:
    """Removes the stacks, then what is in no stack and no state, as after a killed run."""
    for kind, row in KINDS.items():
        for pattern in (name for name in row["names"] if given.part in name):
            setting = SETTINGS[pattern.partition("{")[2].partition("}")[0]]
            name = project.fill(pattern, function=given.function, cluster=given.cluster)
            remove(project, kind, name.lower() if kind == "bucket" else name, setting)
