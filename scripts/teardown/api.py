"""Removes an API that is in no stack and no Terraform state: what can be called, the functions
behind it, its logs.

Names are not unique in API Gateway, so everything that has the name of one of ours is looked at,
each under its id.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from teardown.orphans import lambda_function, log_group, role
from teardown.project import Project, Thing, passing_over_missing
from teardown.waiting import persist
from terminal import say

SETTING = "LAMBDA_FUNCTION_NAME"
PAGE = 500  # The most that API Gateway gives at once; without it there are 25.


class Kind(NamedTuple):
    """A kind of thing that API Gateway has: the call that lists them, the one that reads one, and
    how that takes its id.
    """

    name: str
    listing: str
    read: str
    parameter: str
    delete: Callable[[Any, dict[str, Any]], object]


def _delete_rest_api(gateway, found: dict[str, Any]) -> None:
    gateway.delete_rest_api(restApiId=found["id"])


def _delete_api_key(gateway, found: dict[str, Any]) -> None:
    gateway.delete_api_key(apiKey=found["id"])


def _delete_usage_plan(gateway, found: dict[str, Any]) -> None:
    """Deletes a usage plan. API Gateway keeps one that still covers a stage."""
    for stage in found.get("apiStages", []):
        covered = {
            "op": "remove",
            "path": "/apiStages",
            "value": f"{stage['apiId']}:{stage['stage']}",
        }
        with passing_over_missing():
            gateway.update_usage_plan(usagePlanId=found["id"], patchOperations=[covered])
    gateway.delete_usage_plan(usagePlanId=found["id"])


# In the order in which they let go of one another.
KINDS = (
    Kind("API key", "get_api_keys", "get_api_key", "apiKey", _delete_api_key),
    Kind("usage plan", "get_usage_plans", "get_usage_plan", "usagePlanId", _delete_usage_plan),
    Kind("REST API", "get_rest_apis", "get_rest_api", "restApiId", _delete_rest_api),
)


def remove_api(project: Project, function: str) -> None:
    """Removes the parts under the names that the function's name gives them, each after what needs
    it.
    """
    api = f"{function}-api"
    for kind in KINDS:
        with project.removing(f"{kind.name} {api}"):
            for thing in list(named(project, kind, api)):
                project.remove(thing)
    for name in (f"{api}-update", f"{api}-status"):
        project.remove(lambda_function(project, name))
    project.remove(role(project, f"{api}-status-{project.region}", SETTING))
    log_role = role(project, f"{api}-logs-{project.region}", SETTING)
    if reset_log_role(project, log_role):
        project.remove(log_role)
    # The group of the function that updates is the updater's, and goes with that.
    for name in (f"/aws/lambda/{api}-status", f"/aws/apigateway/{api}"):
        project.remove(log_group(project, name, SETTING))


def named(project: Project, kind: Kind, name: str) -> Iterator[Thing]:
    """Yields everything of a kind that has exactly this name, but for what is spared."""
    gateway = project.client("apigateway")

    def thing(number: str) -> Thing:
        def found() -> dict[str, Any]:
            return getattr(gateway, kind.read)(**{kind.parameter: number})

        def delete() -> None:
            persist(lambda: kind.delete(gateway, found()))

        return Thing(
            kind.name, f"{name} ({number})", lambda: found().get("tags", {}), delete, SETTING
        )

    for page in gateway.get_paginator(kind.listing).paginate(PaginationConfig={"PageSize": PAGE}):
        for one in page["items"]:
            if one.get("name") == name and not project.spares(one["id"]):
                yield thing(one["id"])


def reset_log_role(project: Project, log_role: Thing) -> bool:
    """Takes our role out of the account's setting, with which API Gateway writes the logs of every
    API of the region.

    CloudFormation and Terraform leave it there, and a role of that name may be gone by then. One of
    others stays, and so does ours while API Gateway writes the logs of others with it. Returns
    whether the role itself can go.
    """
    gateway = project.client("apigateway")
    if project.spares(log_role.name):
        return False
    with project.removing(f"role {log_role.name} in the settings of API Gateway"):
        if (gateway.get_account().get("cloudwatchRoleArn") or "").rpartition("/")[
            2
        ] != log_role.name:
            return True
        tags = None
        with passing_over_missing():
            tags = log_role.tags()
        if tags is not None and not project.owns(tags):
            return True
        if tags is not None and (others := list(logging_stages(project))):
            say(
                f"role {log_role.name} stays in the settings of API Gateway, which writes the "
                f"logs of {', '.join(others)} with it"
            )
            return False
        say(f"removing role {log_role.name} from the settings of API Gateway")
        nothing = {"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}
        gateway.update_account(patchOperations=[nothing])
        return True
    return False


def logging_stages(project: Project) -> Iterator[str]:
    """Yields the stages of others whose logs API Gateway writes with the account's role: of REST
    APIs and of WebSocket APIs.
    """
    rest, websocket = project.client("apigateway"), project.client("apigatewayv2")
    for page in rest.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": PAGE}):
        for api in page["items"]:
            if not project.owns(api.get("tags", {})):
                for stage in rest.get_stages(restApiId=api["id"]).get("item", []):
                    settings = stage.get("methodSettings", {}).values()
                    if _has_logs(
                        stage.get("accessLogSettings", {}).get("destinationArn"), *settings
                    ):
                        yield f"REST API {api['name']} ({api['id']}), stage {stage['stageName']}"
    for page in websocket.get_paginator("get_apis").paginate():
        for api in page["Items"]:
            if api["ProtocolType"] == "WEBSOCKET" and not project.owns(api.get("Tags", {})):
                for stage in websocket.get_stages(ApiId=api["ApiId"])["Items"]:
                    settings = [
                        stage.get("DefaultRouteSettings", {}),
                        *stage.get("RouteSettings", {}).values(),
                    ]
                    if _has_logs(
                        stage.get("AccessLogSettings", {}).get("DestinationArn"), *settings
                    ):
                        yield (
                            f"WebSocket API {api['Name']} ({api['ApiId']}), stage "
                            f"{stage['StageName']}"
                        )


def _has_logs(destination: str | None, *settings: dict[str, Any]) -> bool:
    """Whether a stage writes access logs, or the logs of any of its methods or routes."""
    levels = {one.get("loggingLevel", one.get("LoggingLevel", "OFF")) for one in settings}
    return bool(destination or levels - {"OFF"})
