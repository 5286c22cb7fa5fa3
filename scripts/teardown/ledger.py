"""Removes a ledger that is in no stack and no Terraform state: what calls its completer, the completer, its table."""

from typing import Any

from teardown.orphans import lambda_function, log_group, role
from teardown.project import Project, StillThere, Thing, as_mapping, passing_over_missing
from teardown.waiting import persist, until

TABLE_SECONDS = 300
SETTING = "LAMBDA_FUNCTION_NAME"


def remove_ledger(project: Project, function: str) -> None:
    """Removes the parts under the names that the function's name gives them, each after what needs it."""
    completer = f"{function}-completer"
    for thing in (
        rule(project, f"{completer}-deployments"),
        rule(project, f"{completer}-poll"),
        lambda_function(project, completer),
        role(project, f"{completer}-{project.region}", SETTING),
        log_group(project, f"/aws/lambda/{completer}", SETTING),
        table(project, f"{function}-ledger"),
    ):
        project.remove(thing)


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
    """A table, with what is in it. DynamoDB keeps a backup of one with point-in-time recovery for 35 days, at no cost."""
    dynamodb = project.client("dynamodb")

    def found() -> dict[str, Any] | None:
        with passing_over_missing():
            return dynamodb.describe_table(TableName=name)["Table"]
        return None

    def tags() -> dict[str, str] | None:
        if not (described := found()):
            return None
        pages = dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=described["TableArn"])
        return {key: value for page in pages for key, value in as_mapping(page["Tags"]).items()}

    def delete() -> None:
        # Refused while the table is still being made, and while it is being deleted, as after a break.
        persist(lambda: dynamodb.delete_table(TableName=name))
        if not until(lambda: not found(), TABLE_SECONDS):
            raise StillThere(f"it is still being deleted after {TABLE_SECONDS} seconds")

    return Thing("table", name, tags, delete, SETTING)
