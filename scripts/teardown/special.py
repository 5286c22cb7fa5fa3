"""What is special about stacks, roles, clusters and buckets. The functions raise ClientError."""

import re
from collections.abc import Iterator
from typing import Any

from teardown.aws import StillThere, skipping_missing, tags_in, until
from teardown.project import OWNERSHIP_TAG, Project
from terminal import say

STACK_SECONDS = 900
CREATION_SECONDS = 60  # A creation may be broken off, but one that ends leaves less to chance.
NEWS_SECONDS = 5  # The first answers may be from before the deletion.
STACK_ATTEMPTS = 2  # A cluster whose instances have only just ended may refuse once.
OBJECTS_AT_ONCE = 1000  # DeleteObjects takes no more.

_BUSY = re.compile("(?<!REVIEW)(?<!DELETE)_IN_PROGRESS")
_VERSIONS = """s3 list_object_versions Bucket ExpectedBucketOwner={account}
  -> [Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}"""
_WEBSOCKET_APIS = """apigatewayv2 get_apis
  -> Items[?ProtocolType=='WEBSOCKET'].{id: ApiId, name: Name, tags: Tags}"""
# The stages that write access logs, or logs of one of their methods or routes.
_REST_STAGES = """apigateway get_stages restApiId -> item[?accessLogSettings.destinationArn ||
  values(methodSettings || `{}`)[?(loggingLevel || 'OFF') != 'OFF']].stageName"""
_WEBSOCKET_STAGES = """apigatewayv2 get_stages ApiId -> Items[?AccessLogSettings.DestinationArn ||
  (DefaultRouteSettings.LoggingLevel || 'OFF') != 'OFF' ||
  values(RouteSettings || `{}`)[?(LoggingLevel || 'OFF') != 'OFF']].StageName"""


def find_stack(project: Project, name: str) -> list[dict[str, Any]]:
    """Finds a stack with its tags or, before its resources are created, its change set's."""
    stack = project.call("cloudformation describe_stacks StackName -> Stacks[0]", name)
    tags = tags_in(stack)
    if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        listing = "cloudformation list_change_sets StackName -> Summaries[].ChangeSetId"
        for change_set in project.call(listing, stack["StackId"]):
            text = "cloudformation describe_change_set ChangeSetName"
            tags |= tags_in(project.call(text, change_set))
    return [{"id": stack["StackId"], "Tags": tags}]


def delete_stack(project: Project, stack_id: str) -> None:
    """Deletes a stack, or raises StillThere with the resources that failed."""

    def status() -> str:
        with skipping_missing():  # It can be read by its id for months after its deletion.
            text = "cloudformation describe_stacks StackName -> Stacks[0].StackStatus"
            return project.call(text, stack_id)
        return "DELETE_COMPLETE"

    # CloudFormation refuses to delete a stack during an update.
    seconds = STACK_SECONDS if status().startswith("UPDATE") else CREATION_SECONDS
    until(lambda: not _BUSY.search(status()), seconds)
    for _ in range(STACK_ATTEMPTS):
        project.call("cloudformation delete_stack StackName", stack_id)
        until(lambda: status() in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"), NEWS_SECONDS)
        until(lambda: status() in ("DELETE_FAILED", "DELETE_COMPLETE"), STACK_SECONDS)
        if status() == "DELETE_COMPLETE":
            return
    reasons: list[str] = []
    listing = """cloudformation describe_stack_events StackName -> StackEvents[]
      .[PhysicalResourceId, ResourceStatus, LogicalResourceId, ResourceStatusReason]"""
    for number, state, name, why in project.call(listing, stack_id):  # The newest first.
        if number == stack_id and state == "DELETE_IN_PROGRESS":
            break
        if number != stack_id and state == "DELETE_FAILED":
            reasons.insert(0, f"{name}: {why}")
    raise StillThere(f"it is {status()}. {'; '.join(reasons)}")


def writes_logs_of_others(project: Project, name: str) -> bool:
    """Whether API Gateway writes the logs of other APIs with our role of this name.

    Otherwise removes the role, or a missing one, from the settings of the account, where
    CloudFormation and Terraform leave it.
    """
    call = "apigateway get_account -> cloudwatchRoleArn || ''"
    if "-api-logs-" not in name or project.call(call).rpartition("/")[2] != name:
        return False
    stages: list[str] = []
    with skipping_missing():
        if not project.owns(tags_in(project.call("iam get_role RoleName -> Role", name))):
            return False
        stages = list(_stages_with_logs(project))
    setting = "the settings of API Gateway"
    if stages:
        say(f"role {name} stays in {setting}, which writes the logs of {', '.join(stages)} with it")
    else:
        say(f"removing role {name} from {setting}")
        nothing = {"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}
        project.call("apigateway update_account patchOperations[]", nothing)
    return bool(stages)


def _stages_with_logs(project: Project) -> Iterator[str]:
    """Yields the stages of other APIs that API Gateway writes logs of."""
    for kind, apis, stages in (
        ("REST API", "apigateway get_rest_apis -> items", _REST_STAGES),
        ("WebSocket API", _WEBSOCKET_APIS, _WEBSOCKET_STAGES),
    ):
        for api in project.call(apis):
            if not project.owns(tags_in(api)):
                for stage in project.call(stages, api["id"]):
                    yield f"{kind} {api['name']} ({api['id']}), stage {stage}"


def delete_cluster(project: Project, name: str) -> None:
    """Deletes a cluster after its instances."""
    cluster = project.call("ecs describe_clusters clusters[] -> clusters[0]", name)
    if cluster["registeredContainerInstancesCount"]:  # Else no permission is needed to list them.
        listing = "ecs list_container_instances cluster -> containerInstanceArns"
        for arn in project.call(listing, name):
            text = "ecs deregister_container_instance cluster containerInstance force=true"
            project.call(text, name, arn)
    project.call("ecs delete_cluster cluster", name)


def find_bucket(project: Project, name: str) -> list[dict[str, Any]]:
    """Finds the bucket with its tags."""
    with skipping_missing():  # The bucket, which the next call notices, or its tags.
        text = "s3 get_bucket_tagging Bucket ExpectedBucketOwner={account} -> TagSet"
        return [{"Tags": project.call(text, name)}]
    # Empty and without tags it is from a run that was killed just after its creation.
    return [{"Tags": {} if project.call(_VERSIONS, name) else {OWNERSHIP_TAG: project.stack_name}}]


def delete_bucket(project: Project, name: str) -> None:
    """Deletes a bucket with all versions. Raises StillThere with the objects that AWS refuses."""
    versions = project.call(_VERSIONS, name)
    for first in range(0, len(versions), OBJECTS_AT_ONCE):
        objects = {"Objects": versions[first : first + OBJECTS_AT_ONCE], "Quiet": True}
        text = "s3 delete_objects Bucket Delete ExpectedBucketOwner={account} -> Errors[:3]"
        if errors := project.call(text, name, objects):
            reasons = (f"{each['Key']}: {each.get('Message', each['Code'])}" for each in errors)
            raise StillThere("; ".join(reasons))
    project.call("s3 delete_bucket Bucket ExpectedBucketOwner={account}", name)
