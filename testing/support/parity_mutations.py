"""One change at a time to either side, each of which the comparison has to find."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from support.parity import OWNERSHIP
from support.parity_comparison import Sides
from support.parity_list import ADDRESSES

Mutation = Callable[[Sides], Sides]
_GONE = object()
_PARAMETER = ("Type", "Default", "Description", "ConstraintDescription", "AllowedPattern")
_VPC_ID = "module_calls.vpc.module.outputs.vpc_id"
_FUNCTION, _ROLE, _POLICY = (
    "Resources.Function.Properties",
    "Resources.FunctionRole.Properties",
    "FunctionRole.Policies[0]",
)
_STATEMENTS = f"{_ROLE}.Policies.0.PolicyDocument.Statement"
_LEDGER, _TABLE, _RULE = (
    "02-ledger.yml",
    "Resources.LedgerTable.Properties",
    "Resources.DeploymentRule.Properties",
)
_INDEX = f"{_TABLE}.GlobalSecondaryIndexes.0"
_API, _STAGE = "04-api.yml", "Resources.Stage.Properties"
_STATUS = "Resources.StatusRole.Properties.Policies.0.PolicyDocument.Statement"
_FLEET, _QUEUE = "05-fleet.yml", "Resources.FleetQueue.Properties"
_WORKERS = "Resources.FleetRole.Properties.Policies.0.PolicyDocument.Statement"
_SENDERS = "Resources.FleetSenderPolicy.Properties.PolicyDocument.Statement"
_COMPLETERS = "Resources.CompleterRole.Properties.Policies.0.PolicyDocument.Statement"


def _changed(tree: Any, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        tree = tree[int(step) if isinstance(tree, list) else step]
    key = int(last) if isinstance(tree, list) else last
    if value is _GONE:
        del tree[key]
    elif callable(value):
        tree[key] = value(tree[key])
    else:
        tree[key] = value


def _template(name: str, path: str, value: Any) -> Mutation:
    """Changes a template."""

    def mutate(sides: Sides) -> Sides:
        templates = deepcopy(dict(sides.templates))
        _changed(templates[name], path, value)
        return replace(sides, templates=templates)

    return mutate


def _plan(name: str, path: str, value: Any) -> Mutation:
    """Changes what is planned of the resource with that name in the list."""

    def mutate(sides: Sides) -> Sides:
        document = deepcopy(dict(sides.document))
        _changed(
            _planned(document["planned_values"]["root_module"], ADDRESSES[name])["values"],
            path,
            value,
        )
        return replace(sides, document=document)

    return mutate


def _planned(module: Mapping[str, Any], address: str) -> Any:
    resources = [one for child in module["child_modules"] for one in child["resources"]]
    # One that is not made with these values has nothing to change.
    return next(
        (one for one in resources if one["address"] == address),
        {"values": {"policy": "SecureTransport"}},
    )


def _configuration(path: str, value: Any) -> Mutation:
    """Changes the configuration that is in the plan, from the calls of the modules on."""

    def mutate(sides: Sides) -> Sides:
        document = deepcopy(dict(sides.document))
        _changed(document["configuration"]["root_module"], path, value)
        return replace(sides, document=document)

    return mutate


def _source(module: str, old: str, new: str) -> Mutation:
    """Changes the source of a module's variables."""

    def mutate(sides: Sides) -> Sides:
        assert sides.sources[module].count(old) == 1, (
            f"{module}: {old} is there {sides.sources[module].count(old)} times"
        )
        return replace(
            sides, sources={**sides.sources, module: sides.sources[module].replace(old, new)}
        )

    return mutate


def _instead(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, f"{old} is not in {text}"
        return text.replace(old, new)

    return change


def _one_resource_less(sides: Sides) -> Sides:
    document = deepcopy(dict(sides.document))
    for child in document["planned_values"]["root_module"]["child_modules"]:
        child["resources"] = [
            one for one in child["resources"] if one["address"] != ADDRESSES["DeadLetterQueue"]
        ]
    return replace(sides, document=document)


def _refers_to(address: str, attribute: str, reference: str) -> Mutation:
    """Changes what an attribute of a resource of a module, by its address, refers to."""
    _, module, resource = address.split(".", 2)

    def mutate(sides: Sides) -> Sides:
        document = deepcopy(dict(sides.document))
        called = document["configuration"]["root_module"]["module_calls"][module]["module"]
        described = next(one for one in called["resources"] if one["address"] == resource)
        _changed(described["expressions"], f"{attribute}.references", [reference])
        return replace(sides, document=document)

    return mutate


CLOUDFORMATION: dict[str, Mutation] = {
    "an action": _template("03-lambda.yml", f"{_STATEMENTS}.1.Action.0", "ecs:DeleteService"),
    "an action more": _template(
        "03-lambda.yml", f"{_STATEMENTS}.1.Action", lambda actions: [*actions, "ecs:DeleteService"]
    ),
    "an action less": _template("03-lambda.yml", f"{_STATEMENTS}.1.Action.2", _GONE),
    "every resource": _template("03-lambda.yml", f"{_STATEMENTS}.8.Resource", "*"),
    "a condition less": _template("03-lambda.yml", f"{_STATEMENTS}.9.Condition", _GONE),
    "a statement less": _template("03-lambda.yml", f"{_STATEMENTS}.14", _GONE),
    "whom a role trusts": _template(
        "03-lambda.yml",
        f"{_ROLE}.AssumeRolePolicyDocument.Statement.0.Principal.Service",
        "ec2.amazonaws.com",
    ),
    "a managed policy": _template(
        "03-lambda.yml", f"{_ROLE}.ManagedPolicyArns", ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    ),
    "the permissions boundary": _template("03-lambda.yml", f"{_ROLE}.PermissionsBoundary", _GONE),
    "the value of a tag": _template("03-lambda.yml", f"{_FUNCTION}.Tags.1.Value", "nobody"),
    "a tag less": _template("01-vpc.yml", "Resources.SubnetA.Properties.Tags.3", _GONE),
    "the time-out": _template("03-lambda.yml", f"{_FUNCTION}.Timeout", 61),
    "the handler": _template("03-lambda.yml", f"{_FUNCTION}.Handler", "ecs_updater.handler"),
    "the memory": _template("03-lambda.yml", f"{_FUNCTION}.MemorySize", _GONE),
    "the tracing": _template("03-lambda.yml", f"{_FUNCTION}.TracingConfig.Mode", "Active"),
    "the reserved concurrency": _template(
        "03-lambda.yml", f"{_FUNCTION}.ReservedConcurrentExecutions", 2
    ),
    "a variable of the environment": _template(
        "03-lambda.yml", f"{_FUNCTION}.Environment.Variables.MORE", "x"
    ),
    "the dead-letter target": _template("03-lambda.yml", f"{_FUNCTION}.DeadLetterConfig", _GONE),
    "a property more": _template("03-lambda.yml", f"{_FUNCTION}.EphemeralStorage", {"Size": 1024}),
    "the retention of a log": _template(
        "02-ecs.yml", "Resources.TaskLogGroup.Properties.RetentionInDays", 7
    ),
    "the retention of the queue": _template(
        "03-lambda.yml", "Resources.DeadLetterQueue.Properties.MessageRetentionPeriod", 60
    ),
    "a resource more": _template(
        "03-lambda.yml", "Resources.Queue", {"Type": "AWS::SQS::Queue", "Properties": {}}
    ),
    "a resource of another type": _template(
        "03-lambda.yml", "Resources.Topic", {"Type": "AWS::SNS::Topic"}
    ),
    "the sentence of a rule": _template(
        "02-ecs.yml",
        "Rules.InstancesAreInANetwork.Assertions.0.AssertDescription",
        "Launch type EC2 needs a network.",
    ),
    "a port": _template(
        "01-vpc.yml", "Resources.TaskSecurityGroup.Properties.SecurityGroupEgress.0.ToPort", 444
    ),
    "a rule more": _template(
        "01-vpc.yml",
        "Resources.TaskSecurityGroup.Properties.SecurityGroupIngress",
        [{"IpProtocol": "-1", "CidrIp": "10.0.0.0/8"}],
    ),
    "where a subnet is routed": _template(
        "01-vpc.yml", "Resources.SubnetBRouteTable.Properties.SubnetId", {"Ref": "SubnetA"}
    ),
    "what becomes of a removed resource": _template(
        "03-lambda.yml", "Resources.FunctionLogGroup.DeletionPolicy", "Retain"
    ),
    "a name": _template(
        "02-ecs.yml", "Resources.TaskLogGroup.Properties.LogGroupName", "/ecs/tasks"
    ),
    "a default": _template("03-lambda.yml", "Parameters.Timeout.Default", 300),
    "a bound": _template("03-lambda.yml", "Parameters.MemorySize.MaxValue", 3008),
    "what is allowed": _template("02-ecs.yml", "Parameters.LogRetentionDays.AllowedValues.0", 2),
    "a pattern": _template("02-ecs.yml", "Parameters.ClusterName.AllowedPattern", "^.*$"),
    "the sentence of a constraint": _template(
        "01-vpc.yml", "Parameters.Owner.ConstraintDescription", "must be an owner"
    ),
    "a parameter more": _template(
        "01-vpc.yml", "Parameters.More", dict.fromkeys(_PARAMETER, "") | {"Type": "String"}
    ),
    "a parameter's description": _template(
        "03-lambda.yml", "Parameters.Runtime.Description", "Runtime."
    ),
    "an output's value": _template("02-ecs.yml", "Outputs.ClusterArn.Value", {"Ref": "Cluster"}),
    "an output's description": _template(
        "03-lambda.yml", "Outputs.FunctionArn.Description", "ARN."
    ),
    "an output less": _template("01-vpc.yml", "Outputs.VpcId", _GONE),
    "the script of the instances": _template(
        "02-ecs.yml",
        "Resources.LaunchTemplate.Properties.LaunchTemplateData.UserData",
        {"Fn::Base64": "#!/bin/bash"},
    ),
    "a tag of the instances": _template(
        "02-ecs.yml", "Resources.AutoScalingGroup.Properties.Tags.2.PropagateAtLaunch", False
    ),
    "the recovery of the table": _template(
        _LEDGER, f"{_TABLE}.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", False
    ),
    "what the table lets expire": _template(
        _LEDGER, f"{_TABLE}.TimeToLiveSpecification.AttributeName", "expires_at"
    ),
    "a key of the table": _template(_LEDGER, f"{_TABLE}.KeySchema.1.AttributeName", "id"),
    "a key less": _template(_LEDGER, f"{_TABLE}.KeySchema.1", _GONE),
    "the type of a key": _template(_LEDGER, f"{_TABLE}.AttributeDefinitions.0.AttributeType", "N"),
    "what the table costs": _template(_LEDGER, f"{_TABLE}.BillingMode", "PROVISIONED"),
    "the protection of the table": _template(_LEDGER, f"{_TABLE}.DeletionProtectionEnabled", False),
    "the default of a choice": _template(_LEDGER, "Parameters.DeletionProtection.Default", "false"),
    "what a rule waits for": _template(
        _LEDGER, f"{_RULE}.EventPattern.detail.eventName", ["SERVICE_DEPLOYMENT_FAILED"]
    ),
    "whose events a rule waits for": _template(_LEDGER, f"{_RULE}.EventPattern.resources", _GONE),
    "the target of a rule": _template(
        _LEDGER, f"{_RULE}.Targets.0.Arn", {"Fn::GetAtt": ["CompleterRole", "Arn"]}
    ),
    "a target less": _template(_LEDGER, f"{_RULE}.Targets", []),
    "the schedule": _template(
        _LEDGER, "Resources.PollRule.Properties.ScheduleExpression", "rate(1 hour)"
    ),
    "whether a rule is in force": _template(
        _LEDGER, "Resources.PollRule.Properties.State", "DISABLED"
    ),
    "who may call the completer": _template(
        _LEDGER, "Resources.PollRulePermission.Properties.SourceArn", _GONE
    ),
    "the completer's condition": _template(
        _LEDGER, f"{_COMPLETERS}.6.Condition.ArnLike", {"ecs:cluster": "*"}
    ),
    "an action more of the completer": _template(
        _LEDGER, f"{_COMPLETERS}.7.Action", lambda actions: [*actions, "dynamodb:Scan"]
    ),
    "an optional statement less": _template("03-lambda.yml", f"{_STATEMENTS}.12", _GONE),
    "what the index has of an entry": _template(
        _LEDGER, f"{_INDEX}.Projection.ProjectionType", "KEYS_ONLY"
    ),
    "a table that goes with its stack": _template(
        _LEDGER, "Resources.LedgerTable.DeletionPolicy", "Delete"
    ),
    "a table that is lost with its name": _template(
        _LEDGER, "Resources.LedgerTable.UpdateReplacePolicy", _GONE
    ),
    "who is refused by the function's dead-letter queue": _template(
        "03-lambda.yml",
        "Resources.DeadLetterQueuePolicy.Properties.PolicyDocument.Statement.0.Condition",
        _GONE,
    ),
    "when the function's alarm sounds": _template(
        "03-lambda.yml", "Resources.DeadLetterAlarm.Properties.Threshold", 1
    ),
    "the cluster that the function compares": _template(
        "03-lambda.yml", f"{_FUNCTION}.Environment.Variables.LEDGER_CLUSTER_PATTERN", ""
    ),
    "a key of the index": _template(_LEDGER, f"{_INDEX}.KeySchema.1.AttributeName", "ended_at"),
    "no index": _template(_LEDGER, f"{_TABLE}.GlobalSecondaryIndexes", _GONE),
    "an action more of who reads": _template(
        _API, f"{_STATUS}.4.Action", lambda actions: [*actions, "dynamodb:PutItem"]
    ),
    "what who reads may read": _template(_API, f"{_STATUS}.3.Resource", "*"),
    "a route without a key": _template(_API, "Resources.GetList.Properties.ApiKeyRequired", False),
    "a route without a signature": _template(
        _API, "Resources.PostUpdate.Properties.AuthorizationType", "NONE"
    ),
    "a route of another function": _template(
        _API,
        "Resources.GetList.Properties.Integration.Uri",
        {"Fn::Sub": "functions/${UpdateFunction.Arn}/invocations"},
    ),
    "a route at another place": _template(
        _API, "Resources.GetList.Properties.ResourceId", {"Ref": "DeploymentsResource"}
    ),
    "a method": _template(_API, "Resources.PostRollback.Properties.HttpMethod", "PUT"),
    "a body that is not validated": _template(
        _API, "Resources.PostUpdate.Properties.RequestValidatorId", _GONE
    ),
    "a body that is held to another model": _template(
        _API,
        "Resources.PostUpdate.Properties.RequestModels",
        {"application/json": {"Ref": "UpdateModel"}},
    ),
    "the schema of a model": _template(
        _API, "Resources.ShortModel.Properties.Schema.additionalProperties", True
    ),
    "what the validator validates": _template(
        _API, "Resources.RequestValidator.Properties.ValidateRequestBody", False
    ),
    "a status of the gateway": _template(
        _API, "Resources.ThrottledResponse.Properties.StatusCode", "503"
    ),
    "a header of the gateway": _template(
        _API, "Resources.QuotaExceededResponse.Properties.ResponseParameters", _GONE
    ),
    "an answer of the gateway": _template(
        _API, "Resources.AccessDeniedResponse.Properties.ResponseTemplates", _GONE
    ),
    "what is logged of a call": _template(
        _API, f"{_STAGE}.AccessLogSetting.Format", '{"key": "$context.identity.apiKey"}'
    ),
    "whether bodies are logged": _template(
        _API, f"{_STAGE}.MethodSettings.0.DataTraceEnabled", True
    ),
    "for which routes calls are bounded": _template(
        _API, f"{_STAGE}.MethodSettings.0.ResourcePath", "/list"
    ),
    "how much a key may call": _template(
        _API, "Resources.UsagePlan.Properties.Quota.Period", "WEEK"
    ),
    "whose key it is": _template(
        _API, "Resources.UsagePlanKey.Properties.KeyId", {"Ref": "RestApi"}
    ),
    "whether the account is left alone": _template(
        _API, "Conditions.HasAccountLogRole", {"Fn::Equals": ["make", "keep"]}
    ),
    "what tags can be filters": _template(
        _API, "Parameters.TagFilters.AllowedPattern", r"^([\w .:/=+@-]{1,128})?$"
    ),
    "the time-out of an update": _template(_API, "Resources.UpdateFunction.Properties.Timeout", 29),
    "the order of the queue": _template(_FLEET, f"{_QUEUE}.DeduplicationScope", "queue"),
    "how long the queue hides a message": _template(_FLEET, f"{_QUEUE}.VisibilityTimeout", 180),
    "how long the queue keeps a message": _template(_FLEET, "Mappings.Days.7.Seconds", 86400),
    "the encryption of the queue": _template(_FLEET, f"{_QUEUE}.SqsManagedSseEnabled", _GONE),
    "how often a message comes": _template(_FLEET, f"{_QUEUE}.RedrivePolicy.maxReceiveCount", 6),
    "no dead letters of the queue": _template(_FLEET, f"{_QUEUE}.RedrivePolicy", _GONE),
    "whose dead letters they are": _template(
        _FLEET,
        "Resources.FleetDeadLetterQueue.Properties.RedriveAllowPolicy.redrivePermission",
        "allowAll",
    ),
    "who is refused by the queue": _template(
        _FLEET, "Resources.FleetQueuePolicy.Properties.PolicyDocument.Statement.0.Condition", _GONE
    ),
    "which queue refuses": _template(
        _FLEET, "Resources.FleetDeadLetterQueuePolicy.Properties.Queues", [{"Ref": "FleetQueue"}]
    ),
    "when the alarm sounds": _template(_FLEET, "Resources.FleetAlarm.Properties.Threshold", 1),
    "which queue the alarm is about": _template(
        _FLEET,
        "Resources.FleetAlarm.Properties.Dimensions.0.Value",
        {"Fn::GetAtt": ["FleetQueue", "QueueName"]},
    ),
    "who hears the alarm": _template(_FLEET, "Resources.FleetAlarm.Properties.AlarmActions", _GONE),
    "how many messages come together": _template(
        _FLEET, "Resources.FleetMapping.Properties.BatchSize", 1
    ),
    "that one message of several can fail": _template(
        _FLEET, "Resources.FleetMapping.Properties.FunctionResponseTypes", _GONE
    ),
    "how many workers there are": _template(
        _FLEET, "Resources.FleetMapping.Properties.ScalingConfig", _GONE
    ),
    "whom the queue calls": _template(
        _FLEET, "Resources.FleetMapping.Properties.FunctionName", {"Ref": "FunctionName"}
    ),
    "an action less of the worker": _template(_FLEET, f"{_WORKERS}.15.Action.2", _GONE),
    "the queue that the worker may use": _template(_FLEET, f"{_WORKERS}.15.Resource", "*"),
    "the rates of ECS": _template(
        _FLEET, "Resources.FleetFunction.Properties.Environment.Variables.ECS_RATES", ""
    ),
    "what a sender may write": _template(_FLEET, f"{_SENDERS}.2.Condition", _GONE),
    "a key more that a sender may write": _template(
        _FLEET,
        f"{_SENDERS}.2.Condition.ForAllValues:StringLike",
        {"dynamodb:LeadingKeys": ["BATCH#*", "PACE"]},
    ),
    "an action more of a sender": _template(
        _FLEET, f"{_SENDERS}.0.Action", lambda actions: [*actions, "sqs:PurgeQueue"]
    ),
    "a list of registries": _template(
        "03-lambda.yml", f"{_FUNCTION}.Environment.Variables.PRIVATE_REGISTRIES", ""
    ),
}
"""Changes to the templates."""

TERRAFORM: dict[str, Mutation] = {
    "an action": _plan(_POLICY, "policy", _instead("ecs:UntagResource", "ecs:DeleteService")),
    "every resource": _plan(_POLICY, "policy", _instead("service/*", "*")),
    "a condition": _plan(
        _POLICY, "policy", _instead("ecs-tasks.amazonaws.com", "ec2.amazonaws.com")
    ),
    "the account": _plan(_POLICY, "policy", _instead("arn:aws:sqs:", "arn:aws-cn:sqs:")),
    "whom a role trusts": _plan(
        "TaskExecutionRole", "assume_role_policy", _instead("aws:SourceAccount", "aws:SourceOrgID")
    ),
    "the permissions boundary": _plan("FunctionRole", "permissions_boundary", None),
    "the value of a tag": _plan("Function", "tags.owner", "nobody"),
    "a tag less": _plan("SubnetA", "tags.Name", _GONE),
    "the tag of ownership": _plan("DeadLetterQueue", "tags_all.ecs-updater", "another"),
    "the tag of ownership of the instances": _plan(
        "AutoScalingGroup", "tag", lambda tags: [one for one in tags if one["key"] != OWNERSHIP]
    ),
    "the time-out": _plan("Function", "timeout", 61),
    "the reserved concurrency": _plan("Function", "reserved_concurrent_executions", 0),
    "a variable of the environment": _plan("Function", "environment.0.variables.IMAGE", "busybox"),
    "the logging": _plan("Function", "logging_config.0.log_format", "Text"),
    "the retention of a log": _plan("FunctionLogGroup", "retention_in_days", 0),
    "the encryption of the queue": _plan("DeadLetterQueue", "sqs_managed_sse_enabled", False),
    "an address": _plan("TaskSecurityGroup.SecurityGroupEgress[0]", "cidr_ipv4", "10.0.0.0/8"),
    "a name": _plan("FunctionRole", "name", "another"),
    "a block more": _plan(
        "LaunchTemplate",
        "tag_specifications",
        lambda blocks: [*blocks, {"resource_type": "instance"}],
    ),
    "a resource less": _one_resource_less,
    "the dead-letter target": _refers_to(
        ADDRESSES["Function"], "dead_letter_config.0.target_arn", "aws_iam_role.this.arn"
    ),
    "the role of the function": _refers_to(
        ADDRESSES["Function"], "role", "aws_sqs_queue.dead_letters.arn"
    ),
    "a default": _configuration("module_calls.lambda.module.variables.timeout.default", 300),
    "a default of the root module": _configuration("variables.timeout.default", 300),
    "a description": _configuration(
        "module_calls.vpc.module.variables.vpc_cidr.description", "Addresses."
    ),
    "an output's description": _configuration(f"{_VPC_ID}.description", "Id."),
    "an output's value": _configuration(f"{_VPC_ID}.expression.references.0", "aws_subnet.public"),
    "an output of the root module": _configuration("outputs.vpc_id.description", "Id."),
    "a bound": _source("ecs-updater-lambda", "var.timeout <= 900", "var.timeout <= 600"),
    "the sentence of a validation": _source(
        "ecs-updater-lambda", "timeout must be 10 to 900 seconds.", "timeout must be right."
    ),
    "the sentence of a validation of the root module": _source(
        "", "timeout must be 10 to 900 seconds.", "timeout must be right."
    ),
    "the sentence of a precondition": _source(
        "ecs-updater-ecs-cluster", "launch_type EC2 needs subnet_ids,", "It needs them,"
    ),
    "a pattern": _source(
        "ecs-updater-ecs-cluster",
        '"^[a-zA-Z0-9_-]{1,255}$", var.cluster_name',
        '"^.*$", var.cluster_name',
    ),
    "a type": _source(
        "ecs-updater-vpc", 'string\n  default     = "10.42', 'any\n  default     = "10.42'
    ),
    "the recovery of the table": _plan("LedgerTable", "point_in_time_recovery.0.enabled", False),
    "what the table lets expire": _plan("LedgerTable", "ttl.0.attribute_name", "expires_at"),
    "a key of the table": _plan("LedgerTable", "range_key", "id"),
    "what the table costs": _plan("LedgerTable", "billing_mode", "PROVISIONED"),
    "the protection of the table": _plan("LedgerTable", "deletion_protection_enabled", False),
    "the tag of ownership of the table": _plan("LedgerTable", "tags_all.ecs-updater", _GONE),
    "what a rule waits for": _plan(
        "DeploymentRule", "event_pattern", _instead("_COMPLETED", "_IN_PROGRESS")
    ),
    "the schedule": _plan("PollRule", "schedule_expression", "rate(1 hour)"),
    "the target of a rule": _refers_to(
        ADDRESSES["PollRule.Targets[0]"], "arn", "aws_iam_role.completer.arn"
    ),
    "the rule of a target": _plan(
        "PollRule.Targets[0]", "rule", "ecs-updater-completer-deployments"
    ),
    "who may call the completer": _plan("PollRulePermission", "principal", "*"),
    "which rule may call the completer": _refers_to(
        ADDRESSES["PollRulePermission"], "source_arn", "aws_cloudwatch_event_rule.deployments.arn"
    ),
    "the table of the function": _plan(
        "Function", "environment.0.variables.LEDGER_TABLE", "another-ledger"
    ),
    "what the index has of an entry": _plan(
        "LedgerTable", "global_secondary_index.0.projection_type", "KEYS_ONLY"
    ),
    "what the function's dead-letter queue refuses": _plan(
        "DeadLetterQueuePolicy", "policy", _instead("SecureTransport", "ViaAWSService")
    ),
    "which queue the function's alarm is about": _plan(
        "DeadLetterAlarm", "dimensions", {"QueueName": "another"}
    ),
    "the cluster that the worker compares": _plan(
        "FleetFunction", "environment.0.variables.CLUSTER_PATTERN", "another"
    ),
    "an action of who reads": _plan(
        "StatusRole.Policies[0]", "policy", _instead("dynamodb:GetItem", "dynamodb:PutItem")
    ),
    "what who reads may read": _plan(
        "StatusRole.Policies[0]", "policy", _instead("/index/recent", "/index/*")
    ),
    "a route without a key": _plan("GetDeployments", "api_key_required", False),
    "a route without a signature": _plan("PostUpdate", "authorization", "NONE"),
    "a route of another function": _plan(
        "GetList.Integration", "uri", _instead("api-status", "api-update")
    ),
    "a route at another place": _refers_to(
        ADDRESSES["GetList"], "resource_id", "aws_api_gateway_resource.update.id"
    ),
    "a body that is held to another model": _plan(
        "PostRollback", "request_models", {"application/json": "Update"}
    ),
    "the schema of a model": _plan("RollbackModel", "schema", "{}"),
    "an answer of the gateway": _plan(
        "ThrottledResponse",
        "response_templates",
        lambda texts: {name: text.replace("Too", "Too_") for name, text in texts.items()},
    ),
    "what is logged of a call": _plan(
        "Stage", "access_log_settings.0.format", _instead("identity.apiKeyId", "identity.apiKey")
    ),
    "whether bodies are logged": _plan(
        "Stage.MethodSettings", "settings.0.data_trace_enabled", True
    ),
    "how much a key may call": _plan("UsagePlan", "quota_settings.0.limit", 501),
    "the tag of ownership of the key": _plan("ApiKey", "tags_all.ecs-updater", _GONE),
    "the role of the account": _refers_to(
        ADDRESSES["Account"].removesuffix("[0]"), "cloudwatch_role_arn", "aws_iam_role.status.arn"
    ),
    "the order of the queue": _plan("FleetQueue", "fifo_throughput_limit", "perQueue"),
    "how long the queue hides a message": _plan("FleetQueue", "visibility_timeout_seconds", 180),
    "how often a message comes": _plan(
        "FleetQueue", "redrive_policy", _instead('"maxReceiveCount":20', '"maxReceiveCount":6')
    ),
    "whose dead letters they are": _plan(
        "FleetDeadLetterQueue", "redrive_allow_policy", _instead("fleet.fifo", "other.fifo")
    ),
    "what the queue refuses": _plan(
        "FleetQueuePolicy", "policy", _instead("SecureTransport", "ViaAWSService")
    ),
    "which queue refuses": _refers_to(
        ADDRESSES["FleetQueuePolicy"].removesuffix("[0]"),
        "queue_url",
        "aws_sqs_queue.dead_letters.url",
    ),
    "which queue the alarm is about": _plan(
        "FleetAlarm", "dimensions", {"QueueName": "another-function-fleet.fifo"}
    ),
    "who hears the alarm": _plan("FleetAlarm", "ok_actions", []),
    "the tag of ownership of the alarm": _plan("FleetAlarm", "tags_all.ecs-updater", _GONE),
    "what calls the worker": _refers_to(
        ADDRESSES["FleetMapping"], "event_source_arn", "aws_sqs_queue.dead_letters.arn"
    ),
    "how many workers there are": _plan("FleetMapping", "scaling_config.0.maximum_concurrency", 9),
    "the tag of ownership of the mapping": _plan("FleetMapping", "tags_all.ecs-updater", _GONE),
    "an action of the worker": _plan(
        "FleetRole.Policies[0]", "policy", _instead("sqs:DeleteMessage", "sqs:PurgeQueue")
    ),
    "what a sender may write": _plan("FleetSenderPolicy", "policy", _instead("BATCH#*", "*")),
    "whom a sender may watch": _plan("FleetSenderPolicy", "policy", _instead("REQUEST#*", "*")),
    "the address of the queue": _configuration(
        "outputs.fleet_queue_url.expression.references",
        ["module.fleet.fleet_dead_letter_queue_url"],
    ),
    "a bound of the fleet": _source(
        "ecs-updater-fleet", "var.maximum_concurrency <= 20", "var.maximum_concurrency <= 1000"
    ),
    "a bound of the API": _source(
        "ecs-updater-api", "var.throttle_rate <= 10000", "var.throttle_rate <= 100"
    ),
    "a bound of the ledger": _source(
        "ecs-updater-ledger", "var.poll_minutes <= 1440", "var.poll_minutes <= 60"
    ),
}
"""Changes to the plan and to the sources."""
