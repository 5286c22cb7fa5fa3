"""Compares as written what the emulator does not show of a deployment: its CloudFormation ignores
some properties, and it has no TLS to require."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath

from support.cloudformation import Stack
from support.parity_declarations import snake
from support.parity_state import canonical

TYPES: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Authorizer": ("aws_api_gateway_authorizer", "Name"),
    "AWS::ApiGateway::RequestValidator": ("aws_api_gateway_request_validator", "Name"),
    "AWS::ApiGateway::RestApi": ("aws_api_gateway_rest_api", "Name"),
    "AWS::ApiGateway::Stage": ("aws_api_gateway_stage", "StageName"),
    "AWS::DynamoDB::Table": ("aws_dynamodb_table", "TableName"),
    "AWS::IAM::Role": ("aws_iam_role", "RoleName"),
    "AWS::Lambda::Function": ("aws_lambda_function", "FunctionName"),
    "AWS::Logs::LogGroup": ("aws_cloudwatch_log_group", "LogGroupName"),
    "AWS::SQS::QueuePolicy": ("aws_sqs_queue_policy", "Queues"),
}
"""By type that of Terraform, and the property with which a resource is found."""

ADDRESSES = {
    "PostUpdate": "api.aws_api_gateway_method.update",
    "PostRollback": "api.aws_api_gateway_method.rollback",
    "PostApprove": 'api.aws_api_gateway_method.answer["approve"]',
    "PostReject": 'api.aws_api_gateway_method.answer["reject"]',
    "AuthorizerRole.Policies.0.PolicyDocument": "api.aws_iam_role_policy.authorizer[0]",
    "WebAclAssociation": "waf.aws_wafv2_web_acl_association.this",
}
"""The other addresses in Terraform: by logical id, or by a property of one."""

_VARIABLES = ("JWT_ISSUER", "JWT_AUDIENCE", "JWKS_URL", "POWERTOOLS_SERVICE_NAME")
PROPERTIES: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Method": ("RequestValidatorId",),
    "AWS::ApiGateway::RequestValidator": ("ValidateRequestBody", "ValidateRequestParameters"),
    "AWS::ApiGateway::RestApi": ("EndpointConfiguration.Types",),
    "AWS::ApiGateway::Stage": ("AccessLogSetting.DestinationArn", "AccessLogSetting.Format"),
    "AWS::DynamoDB::Table": (
        *("TimeToLiveSpecification.AttributeName", "TimeToLiveSpecification.Enabled"),
        "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
        *("SSESpecification.KMSMasterKeyId", "SSESpecification.SSEEnabled"),
    ),
    "AWS::IAM::Role": ("PermissionsBoundary",),
    "AWS::Lambda::Function": ("KmsKeyArn",),
    "AWS::SQS::QueuePolicy": ("PolicyDocument",),  # Only where there is TLS.
    "AWS::WAFv2::WebACLAssociation": ("WebACLArn",),  # Its CloudFormation refuses the type.
    # The scripts set the concurrency on the emulator.
    "Function": ("DeadLetterConfig.TargetArn", "ReservedConcurrentExecutions"),
    # Neither deployment has an authoriser, or posts verdicts.
    "Authorizer": ("Type", "IdentitySource", "AuthorizerResultTtlInSeconds"),
    "AuthorizerFunction": (
        *("Description", "Handler", "MemorySize", "Timeout"),
        *(f"Environment.Variables.{name}" for name in _VARIABLES),
    ),
    "AuthorizerLogGroup": ("RetentionInDays", "KmsKeyId"),
    "AuthorizerRole": ("Description", "AssumeRolePolicyDocument", "Policies.0.PolicyDocument"),
    "NotifyRole": ("Description", "AssumeRolePolicyDocument"),
}
"""By type, and by logical id, the properties to compare beside the name."""

RENAMED = {
    "AccessLogSetting": "access_log_settings",
    "AssumeRolePolicyDocument": "assume_role_policy",
    "KMSMasterKeyId": "kms_key_arn",
    "PointInTimeRecoverySpecification": "point_in_time_recovery",
    "Queues": "queue_url",
    "SSESpecification": "server_side_encryption",
    "TimeToLiveSpecification": "ttl",
    **dict.fromkeys(("LogGroupName", "RoleName", "TableName"), "name"),
    **dict.fromkeys(("PointInTimeRecoveryEnabled", "SSEEnabled"), "enabled"),
    **dict.fromkeys(("PolicyDocument", "Policies.0.PolicyDocument"), "policy"),
}
"""Properties and parts of them that Terraform has in other words."""

LOGICAL_IDS = {"body-and-parameters": "RequestValidator"}
"""What a stack has of a resource, by its name in Terraform, where CloudFormation has only an id."""

FORMS = {"arn": "arn:", "url": "https://", "id": ""}
_INDEX = r"module\.(?:ecs_updater\.module\.)?(\w+)(\[0])?"


class Plan:
    """What Terraform plans: values by address and, where they are unknown, what they refer to."""

    def __init__(self, plan: Mapping[str, Any]):
        parts = plan["planned_values"]["root_module"]["child_modules"]
        parts = [*parts, *(inner for part in parts for inner in part.get("child_modules", []))]
        self._values: dict[str, dict[str, Any]] = {
            re.sub(_INDEX, r"\1", found["address"]): found["values"]
            for part in parts
            for found in part.get("resources", [])
        }
        calls = plan["configuration"]["root_module"]["module_calls"]
        calls = calls | calls["ecs_updater"]["module"]["module_calls"]
        self._expressions = {
            f"{module}.{found['address']}": found.get("expressions", {})
            for module, call in calls.items()
            for found in call["module"].get("resources", [])
        }

    def address(self, resource: Mapping[str, Any]) -> str:
        """The address of the resource with the name that a stack's has; empty without one."""
        kind, name = TYPES.get(resource["Type"], ("", ""))
        here = canonical(resource["Properties"].get(name))
        for address in self._values:
            if address.split(".")[1] == kind and self.is_same(here, address, attribute(name)):
                return address
        return ""

    def is_same(self, here: Any, address: str, path: str) -> bool:
        """Whether a value of a stack is that at a path of an address."""
        there, kind = self.value(address, path)
        if not kind:
            return here is not None and here == canonical(there)
        # The name of a resource, where a stack has its ARN, its address or its id.
        is_form = isinstance(here, str) and here.startswith(FORMS[kind])
        return is_form and re.split("[:/]", here)[-1] == LOGICAL_IDS.get(there, there)

    def value(self, address: str, path: str) -> tuple[Any, str]:
        """A value, or the name and the attribute of the resource to which it refers."""
        value = at(self._values[address], path)
        if value is not None:
            return value, ""
        references = at(self._expressions[re.sub(r"\[.*]$", "", address)], f"{path}.references")
        if not references:
            return None, ""
        referred, _, kind = references[0].rpartition(".")
        return self._values[f"{address.partition('.')[0]}.{referred}"]["name"], kind


def properties(name: str, resource: Mapping[str, Any]) -> tuple[str, ...]:
    """The properties of a resource to compare."""
    return PROPERTIES.get(resource["Type"], ()) + PROPERTIES.get(name, ())


def compare(stacks: Mapping[str, Stack], plan: Plan) -> Iterator[str]:
    """Yields the places that differ, or that only a stack has."""
    resources = {name: part for stack in stacks.values() for name, part in stack.resources.items()}
    for place in [*ADDRESSES, *(name for name in PROPERTIES if "::" not in name)]:
        if place.partition(".")[0] not in resources:
            yield f"{place} is in no template"
    for name, resource in resources.items():
        for prop in properties(name, resource):
            here = canonical(at(resource["Properties"], prop))
            address = ADDRESSES.get(f"{name}.{prop}", ADDRESSES.get(name)) or plan.address(resource)
            if here is None and not address:
                continue  # As a method without a validator.
            if not address or not plan.is_same(here, address, attribute(prop)):
                yield f"{name}.{prop} is {here!r}, and {address or 'nothing'} differs"


def attribute(prop: str) -> str:
    """The path in Terraform of a property, where objects are in a list, but not variables."""
    parts = [prop] if prop in RENAMED else prop.split(".")
    path = ".0.".join(part if part.isupper() else RENAMED.get(part, snake(part)) for part in parts)
    return path.replace("variables.0.", "variables.")


def at(value: Any, path: str) -> Any:
    """The value at a path, None where there is none."""
    return jmespath.search(re.sub(r"\.(\d+)", r"[\1]", path), value)
