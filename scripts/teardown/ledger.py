"""Removes a ledger that is in no stack and no Terraform state: what calls its completer, the
completer, its table.
"""

import os
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from teardown.orphans import lambda_function, log_group, role
from teardown.project import (
    Project,
    StillThere,
    Thing,
    as_mapping,
    code,
    passing_over_missing,
    reason,
)
from teardown.waiting import persist, until

TABLE_SECONDS = 300
SETTING = "LAMBDA_FUNCTION_NAME"


def remove_ledger(project: Project, function: str) -> None:
    """Removes the parts under the names that the function's name gives them, each after what needs
    it.
    """
    completer = f"{function}-completer"
    for thing in (
        rule(project, f"{completer}-deployments"),
        rule(project, f"{completer}-poll"),
        lambda_function(project, completer),
        role(project, f"{completer}-{project.region}", SETTING),
        log_group(project, f"/aws/lambda/{completer}", SETTING),
        table(project, f"{function}-ledger"),
        *earlier_tables(project, f"{function}-ledger"),
    ):
        project.remove(thing)


def earlier_tables(project: Project, name: str) -> Iterator[Thing]:
    """Yields the other tables of ours: the one of an earlier name of the function outlives the
    change of the name.
    """
    with project.removing("tables of earlier ledgers"):
        for page in project.client("dynamodb").get_paginator("list_tables").paginate():
            for other in page["TableNames"]:
                if other.endswith("-ledger") and other != name:
                    thing = table(project, other)
                    if project.owns(thing.tags() or {}):
                        yield thing


def rule(project: Project, name: str) -> Thing:
    """A rule of EventBridge, with its targets, without which EventBridge does not let it go."""
    events = project.client("events")

    def tags() -> dict[str, str]:
        arn = events.describe_rule(Name=name)["Arn"]
        return as_mapping(events.list_tags_for_resource(ResourceARN=arn)["Tags"])

    def delete() -> None:
        for page in events.get_paginator("list_targets_by_rule").paginate(Rule=name):
            if page["Targets"]:
                events.remove_targets(Rule=name, Ids=[target["Id"] for target in page["Targets"]])
        events.delete_rule(Name=name)

    return Thing("rule", name, tags, delete, SETTING)


def table(project: Project, name: str) -> Thing:
    """A table, with what is in it, unless it is protected against deletion.

    DynamoDB keeps a backup of one with point-in-time recovery for 35 days, at no cost.
    """
    dynamodb = project.client("dynamodb")

    def found() -> dict[str, Any] | None:
        with passing_over_missing():
            return dynamodb.describe_table(TableName=name)["Table"]
        return None

    def tags() -> dict[str, str] | None:
        if not (described := found()):
            return None
        pages = dynamodb.get_paginator("list_tags_of_resource").paginate(
            ResourceArn=described["TableArn"]
        )
        return {key: value for page in pages for key, value in as_mapping(page["Tags"]).items()}

    def delete() -> None:
        try:
            # Refused while the table is still being made, and while it is being deleted, as after a
            # break.
            persist(lambda: dynamodb.delete_table(TableName=name))
        except ClientError as error:
            if code(error) == "ValidationException" and "protect" in str(error):
                endpoint = os.environ.get("AWS_ENDPOINT_URL")
                place = f"--region {project.region}" + (
                    f" --endpoint-url {endpoint}" if endpoint else ""
                )
                unlock = (
                    f"aws dynamodb update-table --table-name {name} "
                    f"--no-deletion-protection-enabled {place}"
                )
                raise StillThere(
                    f"{reason(error)} It holds the history of updates. This command "
                    f"unlocks it: {unlock}"
                ) from error
            raise
        if not until(lambda: not found(), TABLE_SECONDS):
            raise StillThere(f"it is still being deleted after {TABLE_SECONDS} seconds")

    return Thing("table", name, tags, delete, SETTING)
