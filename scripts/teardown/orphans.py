"""Removes what is in no stack and no Terraform state, as after a killed run of Terraform.

Resources are found by the names that ``infraestructure-terraform`` gives them.
"""

from collections.abc import Iterator
from typing import Any

from teardown.kinds import GATEWAY, remove, tags_of
from teardown.project import Project, pages, skipping_missing
from terminal import say

BY_FUNCTION = """
mapping            {function}-fleet
function           {function}-fleet
alarm              {function}-fleet-dead-letters
queue              {function}-fleet.fifo
queue              {function}-fleet-dead-letters.fifo
policy             {function}-fleet-sender-{region}
API key            {function}-api
usage plan         {function}-api
REST API           {function}-api
function           {function}-api-update
function           {function}-api-status
role               {function}-api-status-{region}
role for logs      {function}-api-logs-{region}
log group          /aws/lambda/{function}-api-status
log group          /aws/apigateway/{function}-api
rule               {function}-completer-deployments
rule               {function}-completer-poll
function           {function}-completer
role               {function}-completer-{region}
log group          /aws/lambda/{function}-completer
table              {function}-ledger
earlier table      {function}-ledger
function           {function}
role               {function}-{region}
alarm              {function}-dead-letters
queue              {function}-dead-letters
log group          /aws/lambda/{function}
"""
"""The kinds and names of the resources that are named after the function, in this order."""

BY_STACK = """
Auto Scaling group {stack}-ecs-instances
launch template    {stack}-ecs-instances
instance profile   {stack}-ecs-{region}-instance
role               {stack}-ecs-{region}-instance
cluster            {cluster}
role               {stack}-ecs-{region}-execution
log group          /ecs/{stack}-ecs
"""
"""The same for those that are named after the stacks."""


def remove_orphans(project: Project, cluster: str, function: str) -> None:
    """Removes them, each after the resources that need it."""
    names = {"function": function, "stack": project.stack_name, "cluster": cluster}
    for table, setting in ((BY_FUNCTION, "LAMBDA_FUNCTION_NAME"), (BY_STACK, "STACK_NAME")):
        for row in table.strip().splitlines():
            kind, name = row[:19].strip(), row[19:].format(**names, region=project.region)
            if kind != "role for logs":
                remove(project, kind, name, "CLUSTER_NAME" if kind == "cluster" else setting)
            elif reset_log_role(project, name):
                remove(project, "role", name)


def reset_log_role(project: Project, name: str) -> bool:
    """Removes our role from the account's setting, with which API Gateway writes logs.

    CloudFormation and Terraform leave it there. It stays while other APIs need it. Returns whether
    the role can be removed.
    """
    gateway = project.client("apigateway")
    if project.spares(name):
        return False
    with project.removing(f"role {name} in the settings of API Gateway"):
        current = gateway.get_account().get("cloudwatchRoleArn") or ""
        if current.rpartition("/")[2] != name:
            return True
        tags = None
        with skipping_missing():
            tags = tags_of(project, "role", name)
        if tags is not None and not project.owns(tags):
            return True
        if tags is not None and (others := list(logging_stages(project))):
            say(
                f"role {name} stays in the settings of API Gateway, which writes the logs of "
                f"{', '.join(others)} with it"
            )
            return False
        say(f"removing role {name} from the settings of API Gateway")
        nothing = {"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}
        gateway.update_account(patchOperations=[nothing])
        return True
    return False


def logging_stages(project: Project) -> Iterator[str]:
    """Yields the stages of other APIs, REST and WebSocket, that API Gateway writes logs of."""
    rest, websocket = project.client("apigateway"), project.client("apigatewayv2")
    for api in pages(rest, "get_rest_apis", "items", **GATEWAY):
        if not project.owns(api.get("tags", {})):
            for stage in rest.get_stages(restApiId=api["id"]).get("item", []):
                destination = stage.get("accessLogSettings", {}).get("destinationArn")
                if has_logs(destination, *stage.get("methodSettings", {}).values()):
                    yield f"REST API {api['name']} ({api['id']}), stage {stage['stageName']}"
    for api in pages(websocket, "get_apis", "Items"):
        if api["ProtocolType"] == "WEBSOCKET" and not project.owns(api.get("Tags", {})):
            name = f"WebSocket API {api['Name']} ({api['ApiId']})"
            for stage in websocket.get_stages(ApiId=api["ApiId"])["Items"]:
                destination = stage.get("AccessLogSettings", {}).get("DestinationArn")
                routes = stage.get("RouteSettings", {}).values()
                if has_logs(destination, stage.get("DefaultRouteSettings", {}), *routes):
                    yield f"{name}, stage {stage['StageName']}"


def has_logs(destination: str | None, *settings: dict[str, Any]) -> bool:
    """Whether a stage writes access logs, or the logs of one of its methods or routes."""
    levels = {part.get("loggingLevel", part.get("LoggingLevel", "OFF")) for part in settings}
    return bool(destination or levels - {"OFF"})
