"""Compares as written what the emulator does not show of a deployment: its CloudFormation ignores
some properties, and it has no TLS to require."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath

from support.cloudformation import Stack
from support.parity_state import canonical

_KEY = {"KmsKeyArn": "kms_key_arn"}
_BOUNDARY = {"PermissionsBoundary": "permissions_boundary"}
_POLICY = {"Queues": "queue_url", "PolicyDocument": "policy"}  # Only where there is TLS.
_VALIDATOR = {"RequestValidatorId": "request_validator_id"}
PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "LedgerTable": (
        "ledger.aws_dynamodb_table.this",
        {
            "TimeToLiveSpecification.AttributeName": "ttl.0.attribute_name",
            "TimeToLiveSpecification.Enabled": "ttl.0.enabled",
            "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": (
                "point_in_time_recovery.0.enabled"
            ),
            "SSESpecification.KMSMasterKeyId": "server_side_encryption.0.kms_key_arn",
            "SSESpecification.SSEEnabled": "server_side_encryption.0.enabled",
        },
    ),
    "Completer": ("ledger.aws_lambda_function.completer", _KEY),
    "UpdateFunction": ("api.aws_lambda_function.update", _KEY),
    "StatusFunction": ("api.aws_lambda_function.status", _KEY),
    "FleetFunction": ("fleet.aws_lambda_function.this", _KEY),
    "PushFunction": ("push.aws_lambda_function.this", _KEY),
    "CodepipelineFunction": ("codepipeline.aws_lambda_function.this", _KEY),
    "Function": (
        "lambda.aws_lambda_function.this",
        _KEY
        | {
            "DeadLetterConfig.TargetArn": "dead_letter_config.0.target_arn",
            # The scripts set it on the emulator.
            "ReservedConcurrentExecutions": "reserved_concurrent_executions",
        },
    ),
    "RestApi": (
        "api.aws_api_gateway_rest_api.this",
        {"EndpointConfiguration.Types": "endpoint_configuration.0.types"},
    ),
    "RequestValidator": (
        "api.aws_api_gateway_request_validator.this",
        {
            "Name": "name",
            "ValidateRequestBody": "validate_request_body",
            "ValidateRequestParameters": "validate_request_parameters",
        },
    ),
    "PostUpdate": ("api.aws_api_gateway_method.update", _VALIDATOR),
    "PostRollback": ("api.aws_api_gateway_method.rollback", _VALIDATOR),
    "PostApprove": ('api.aws_api_gateway_method.answer["approve"]', _VALIDATOR),
    "PostReject": ('api.aws_api_gateway_method.answer["reject"]', _VALIDATOR),
    "Stage": (
        "api.aws_api_gateway_stage.this",
        {
            "AccessLogSetting.DestinationArn": "access_log_settings.0.destination_arn",
            "AccessLogSetting.Format": "access_log_settings.0.format",
        },
    ),
    "TaskExecutionRole": ("ecs_cluster.aws_iam_role.task_execution", _BOUNDARY),
    "InstanceRole": ("ecs_cluster.aws_iam_role.instance[0]", _BOUNDARY),
    "InfrastructureRole": ("load_balancer.aws_iam_role.infrastructure", _BOUNDARY),
    "CompleterRole": ("ledger.aws_iam_role.completer", _BOUNDARY),
    "FunctionRole": ("lambda.aws_iam_role.this", _BOUNDARY),
    "PushRole": ("push.aws_iam_role.this", _BOUNDARY),
    "StatusRole": ("api.aws_iam_role.status", _BOUNDARY),
    "UpdateRole": ("target.aws_iam_role.update", _BOUNDARY),
    "ReadRole": ("target.aws_iam_role.read", _BOUNDARY),
    "AuthorizerRole": ("api.aws_iam_role.authorizer[0]", _BOUNDARY | {"RoleName": "name"}),
    "AuthorizerFunction": (
        "api.aws_lambda_function.authorizer[0]",
        {"FunctionName": "function_name", "Handler": "handler", "MemorySize": "memory_size"}
        | {"Timeout": "timeout"}
        | {
            f"Environment.Variables.{name}": f"environment.0.variables.{name}"
            for name in ("JWT_ISSUER", "JWT_AUDIENCE", "JWKS_URL", "POWERTOOLS_SERVICE_NAME")
        },
    ),
    "AuthorizerLogGroup": (
        "api.aws_cloudwatch_log_group.authorizer[0]",
        {"LogGroupName": "name", "RetentionInDays": "retention_in_days"},
    ),
    "Authorizer": (
        "api.aws_api_gateway_authorizer.this[0]",
        {"Name": "name", "Type": "type", "IdentitySource": "identity_source"}
        | {"AuthorizerResultTtlInSeconds": "authorizer_result_ttl_in_seconds"},
    ),
    "LogsRole": ("api.aws_iam_role.logs[0]", _BOUNDARY),
    "DeadLetterQueuePolicy": ("lambda.aws_sqs_queue_policy.dead_letters[0]", _POLICY),
    "FleetQueuePolicy": ("fleet.aws_sqs_queue_policy.this[0]", _POLICY),
    "FleetDeadLetterQueuePolicy": ("fleet.aws_sqs_queue_policy.dead_letters[0]", _POLICY),
    "PushQueuePolicy": ("push.aws_sqs_queue_policy.this", _POLICY),
    "PushDeadLetterQueuePolicy": ("push.aws_sqs_queue_policy.dead_letters[0]", _POLICY),
    # Its CloudFormation refuses the type.
    "WebAclAssociation": ("waf.aws_wafv2_web_acl_association.this", {"WebACLArn": "web_acl_arn"}),
}
"""By logical id the address in Terraform, and by property the attribute."""

LOGICAL_IDS = {"body-and-parameters": "RequestValidator"}
"""What a stack has of a resource, by its name in Terraform, where CloudFormation has only an id."""


def compare(stacks: Mapping[str, Stack], plan: Mapping[str, Any]) -> Iterator[str]:
    """Yields the places that differ."""
    resources = {name: part for stack in stacks.values() for name, part in stack.resources.items()}
    for name, (address, attributes) in PLACES.items():
        for prop, attribute in attributes.items():
            here = canonical(at(resources[name]["Properties"], prop))
            there, kind = planned(plan, address, attribute)
            if kind:  # The name of a resource, where a stack has its ARN, its address or its id.
                is_same = isinstance(here, str) and here.startswith(FORMS[kind])
                is_same = is_same and re.split("[:/]", here)[-1] == LOGICAL_IDS.get(there, there)
            else:
                is_same = here is not None and here == canonical(there)
            if not is_same:
                yield f"{name}.{prop} is {here!r}, and {address}/{attribute} is {there!r}"


_INDEX = r"(?:module\.ecs_updater\.)?(module\.\w+)(\[0])?"
FORMS = {"arn": "arn:", "url": "https://", "id": ""}


def planned(plan: Mapping[str, Any], address: str, attribute: str) -> tuple[Any, str]:
    """The planned value, or the name and the attribute of the resource to which it refers."""
    module, _, name = address.partition(".")
    parts = plan["planned_values"]["root_module"]["child_modules"]
    parts = [*parts, *(inner for part in parts for inner in part.get("child_modules", []))]
    resources = {
        re.sub(_INDEX, r"\1", found["address"]): found["values"]
        for part in parts
        for found in part.get("resources", [])
    }
    value = at(resources.get(f"module.{address}"), attribute)
    if value is not None:
        return value, ""
    calls = plan["configuration"]["root_module"]["module_calls"]
    calls = calls | calls["ecs_updater"]["module"]["module_calls"]
    configured = calls[module]["module"]["resources"]
    expressions = {found["address"]: found.get("expressions", {}) for found in configured}
    references = at(expressions[re.sub(r"\[.*]$", "", name)], f"{attribute}.references")
    if not references:
        return None, ""
    referred, _, kind = references[0].rpartition(".")
    return resources[f"module.{module}.{referred}"]["name"], kind


def at(value: Any, path: str) -> Any:
    """The value at a path, None where there is none."""
    return jmespath.search(re.sub(r"\.(\d+)", r"[\1]", path), value)
