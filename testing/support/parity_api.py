"""The API in the list to which the CloudFormation templates and the Terraform tree are held, and
what only it needs said.
"""

from typing import Any

_API = "module.api."
_GATEWAY = _API + "aws_api_gateway_"
ROUTES = {
    "GetHelp": "help",
    "PostUpdate": "update",
    "PostRollback": "rollback",
    "GetList": "list",
    "GetDeployments": "deployments",
    "GetDeployment": "deployment",
    "GetOpenapi": "openapi",
}
"""Each method's logical id, and its name in Terraform."""

RESPONSES = (
    *(
        "INVALID_API_KEY",
        "MISSING_AUTHENTICATION_TOKEN",
        "ACCESS_DENIED",
        "INVALID_SIGNATURE",
        "EXPIRED_TOKEN",
        "UNAUTHORIZED",
    ),
    *(
        "THROTTLED",
        "QUOTA_EXCEEDED",
        "BAD_REQUEST_BODY",
        "BAD_REQUEST_PARAMETERS",
        "UNSUPPORTED_MEDIA_TYPE",
        "REQUEST_TOO_LARGE",
    ),
    *("INTEGRATION_TIMEOUT", "INTEGRATION_FAILURE", "DEFAULT_4XX", "DEFAULT_5XX"),
)
"""What the gateway answers itself."""


def _response(kind: str) -> str:
    return "".join(map(str.capitalize, kind.split("_"))) + "Response"


ADDRESSES = {
    "UpdateFunction": _API + "aws_lambda_function.update",
    "UpdatePermission": _API + "aws_lambda_permission.update",
    "StatusFunction": _API + "aws_lambda_function.status",
    "StatusPermission": _API + "aws_lambda_permission.status",
    "StatusRole": _API + "aws_iam_role.status",
    "StatusRole.Policies[0]": _API + "aws_iam_role_policy.status",
    "StatusLogGroup": _API + "aws_cloudwatch_log_group.status",
    "AccessLogGroup": _API + "aws_cloudwatch_log_group.access",
    "LogsRole": _API + "aws_iam_role.logs[0]",
    "LogsRole.Policies[0]": _API + "aws_iam_role_policy.logs[0]",
    "Account": _GATEWAY + "account.this[0]",
    "RestApi": _GATEWAY + "rest_api.this",
    "UpdateResource": _GATEWAY + "resource.update",
    "RollbackResource": _GATEWAY + "resource.rollback",
    "ListResource": _GATEWAY + "resource.list",
    "DeploymentsResource": _GATEWAY + "resource.deployments",
    "DeploymentResource": _GATEWAY + "resource.deployment",
    "OpenapiResource": _GATEWAY + "resource.openapi",
    "UpdateModel": _GATEWAY + 'model.event["update"]',
    "ShortModel": _GATEWAY + 'model.event["short"]',
    "RollbackModel": _GATEWAY + 'model.event["rollback"]',
    "ShortRollbackModel": _GATEWAY + 'model.event["short-rollback"]',
    "UpdateBodyModel": _GATEWAY + "model.update_body",
    "RollbackBodyModel": _GATEWAY + "model.rollback_body",
    "RequestValidator": _GATEWAY + "request_validator.this",
    **{method: f"{_GATEWAY}method.{name}" for method, name in ROUTES.items()},
    **{f"{method}.Integration": f"{_GATEWAY}integration.{name}" for method, name in ROUTES.items()},
    **{_response(kind): f'{_GATEWAY}gateway_response.this["{kind}"]' for kind in RESPONSES},
    "Deployment": _GATEWAY + "deployment.this",
    "Stage": _GATEWAY + "stage.this",
    "Stage.MethodSettings": _GATEWAY + "method_settings.this",
    "UsagePlan": _GATEWAY + "usage_plan.this",
    "ApiKey": _GATEWAY + "api_key.this",
    "UsagePlanKey": _GATEWAY + "usage_plan_key.this",
}

TYPES: dict[str, tuple[str, dict[str, str]]] = {
    "AWS::ApiGateway::Account": (
        "aws_api_gateway_account",
        {"CloudWatchRoleArn": "cloudwatch_role_arn"},
    ),
    "AWS::ApiGateway::ApiKey": ("aws_api_gateway_api_key", {}),
    "AWS::ApiGateway::Deployment": ("aws_api_gateway_deployment", {}),
    "AWS::ApiGateway::GatewayResponse": ("aws_api_gateway_gateway_response", {}),
    "AWS::ApiGateway::Method": ("aws_api_gateway_method", {"AuthorizationType": "authorization"}),
    "AWS::ApiGateway::Model": ("aws_api_gateway_model", {}),
    "AWS::ApiGateway::RequestValidator": ("aws_api_gateway_request_validator", {}),
    "AWS::ApiGateway::Resource": ("aws_api_gateway_resource", {}),
    "AWS::ApiGateway::RestApi": (
        "aws_api_gateway_rest_api",
        {"ApiKeySourceType": "api_key_source"},
    ),
    "AWS::ApiGateway::Stage": (
        "aws_api_gateway_stage",
        {"AccessLogSetting": "access_log_settings", "TracingEnabled": "xray_tracing_enabled"},
    ),
    "AWS::ApiGateway::UsagePlan": (
        "aws_api_gateway_usage_plan",
        {"UsagePlanName": "name", "Throttle": "throttle_settings", "Quota": "quota_settings"},
    ),
    "AWS::ApiGateway::UsagePlanKey": ("aws_api_gateway_usage_plan_key", {}),
}

WITHOUT_COUNTERPART = {
    (
        "aws_api_gateway_deployment",
        "triggers",
    ): "with CloudFormation the scripts name it by a hash of the same",
    (
        "aws_api_gateway_api_key",
        "value",
    ): "for the emulator alone, which refuses the empty one that the provider sends",
}

UNSEEN = {
    "UpdatePermission.source_arn": "the API's id is in it",
    "StatusPermission.source_arn": "the API's id is in it",
    "UpdateBodyModel.schema": "the API's id is in it",
    "RollbackBodyModel.schema": "the API's id is in it",
    "api_invoke_url": "the API's id is in it",
}
"""What a plan does not show, since it is put together from what only AWS knows: attributes and
outputs. Terraform's own tests say what is made of it, testing/contract/test_templates_api.py what
CloudFormation makes, and the deployments are compared.
"""

AT_THE_ROOT = {
    # Where the repository has them. A module cannot know where it is used from.
    ("schemas_directory", "default"): "../lambda_code/ecs_updater/schemas",
}

ONLY_PRECONDITIONS = {
    (
        "There is no schema ${var.schemas_directory}/${each.key}.json: schemas_directory "
        "says where they are."
    ): "`package` says so with CloudFormation",
}

WIRED = {
    "updater_role_arn": "output of the function",
    "updater_cluster_name": "output of the function",
    "updater_log_group_name": "output of the function",
}


def parts(
    name: str, resource_type: str, properties: dict[str, Any]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Returns what Terraform makes a resource of its own of, with its type and properties; it is
    taken out of the properties.
    """
    if resource_type == "AWS::ApiGateway::Method":
        where = {key: properties[key] for key in ("RestApiId", "ResourceId", "HttpMethod")}
        return {
            f"{name}.Integration": (
                "aws_api_gateway_integration",
                where | properties.pop("Integration"),
            )
        }
    if resource_type == "AWS::ApiGateway::Stage":
        (settings,) = properties.pop("MethodSettings")
        others = {
            key: value
            for key, value in settings.items()
            if key not in ("ResourcePath", "HttpMethod")
        }
        where = {key: properties[key] for key in ("RestApiId", "StageName")}
        path = f"{settings['ResourcePath'].removeprefix('/')}/{settings['HttpMethod']}"
        return {
            f"{name}.MethodSettings": (
                "aws_api_gateway_method_settings",
                {**where, "MethodPath": path, "Settings": others},
            )
        }
    return {}
