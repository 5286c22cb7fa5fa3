"""The one list to which the CloudFormation templates and the Terraform tree are held: names, and
what differs and why.
"""

from support import parity_api, parity_fleet

MODULES = {
    "01-vpc.yml": ("ecs-updater-vpc", "-vpc"),
    "02-ecs.yml": ("ecs-updater-ecs-cluster", "-ecs"),
    "02-ledger.yml": ("ecs-updater-ledger", "-ledger"),
    "03-lambda.yml": ("ecs-updater-lambda", "-lambda"),
    "04-api.yml": ("ecs-updater-api", "-api"),
    "05-fleet.yml": ("ecs-updater-fleet", "-fleet"),
}
"""Each template's module, and what the stack's name ends with."""

_VPC, _ECS, _LEDGER, _LAMBDA = (
    "module.vpc.",
    "module.ecs_cluster.",
    "module.ledger.",
    "module.lambda.",
)
ADDRESSES = {
    "Vpc": _VPC + "aws_vpc.this",
    "InternetGateway": _VPC + "aws_internet_gateway.this",
    "SubnetA": _VPC + 'aws_subnet.public["a"]',
    "SubnetB": _VPC + 'aws_subnet.public["b"]',
    "RouteTable": _VPC + "aws_route_table.public",
    "DefaultRoute": _VPC + "aws_route.internet",
    "SubnetARouteTable": _VPC + 'aws_route_table_association.public["a"]',
    "SubnetBRouteTable": _VPC + 'aws_route_table_association.public["b"]',
    "TaskSecurityGroup": _VPC + "aws_security_group.tasks",
    "TaskSecurityGroup.SecurityGroupEgress[0]": _VPC + "aws_vpc_security_group_egress_rule.https",
    "Cluster": _ECS + "aws_ecs_cluster.this",
    "TaskLogGroup": _ECS + "aws_cloudwatch_log_group.tasks",
    "TaskExecutionRole": _ECS + "aws_iam_role.task_execution",
    "TaskExecutionRole.Policies[0]": _ECS + "aws_iam_role_policy.task_execution",
    "InstanceRole": _ECS + "aws_iam_role.instance[0]",
    "InstanceRole.Policies[0]": _ECS + "aws_iam_role_policy.instance[0]",
    "InstanceProfile": _ECS + "aws_iam_instance_profile.instance[0]",
    "LaunchTemplate": _ECS + "aws_launch_template.instances[0]",
    "AutoScalingGroup": _ECS + "aws_autoscaling_group.instances[0]",
    "LedgerTable": _LEDGER + "aws_dynamodb_table.this",
    "Completer": _LEDGER + "aws_lambda_function.completer",
    "CompleterRole": _LEDGER + "aws_iam_role.completer",
    "CompleterRole.Policies[0]": _LEDGER + "aws_iam_role_policy.completer",
    "CompleterLogGroup": _LEDGER + "aws_cloudwatch_log_group.completer",
    "DeploymentRule": _LEDGER + "aws_cloudwatch_event_rule.deployments",
    "DeploymentRule.Targets[0]": _LEDGER + "aws_cloudwatch_event_target.deployments",
    "DeploymentRulePermission": _LEDGER + "aws_lambda_permission.deployments",
    "PollRule": _LEDGER + "aws_cloudwatch_event_rule.poll",
    "PollRule.Targets[0]": _LEDGER + "aws_cloudwatch_event_target.poll",
    "PollRulePermission": _LEDGER + "aws_lambda_permission.poll",
    "Function": _LAMBDA + "aws_lambda_function.this",
    "FunctionRole": _LAMBDA + "aws_iam_role.this",
    "FunctionRole.Policies[0]": _LAMBDA + "aws_iam_role_policy.this",
    "FunctionLogGroup": _LAMBDA + "aws_cloudwatch_log_group.this",
    "DeadLetterQueue": _LAMBDA + "aws_sqs_queue.dead_letters",
    "DeadLetterQueuePolicy": _LAMBDA + "aws_sqs_queue_policy.dead_letters[0]",
    "DeadLetterAlarm": _LAMBDA + "aws_cloudwatch_metric_alarm.dead_letters",
    **parity_api.ADDRESSES,
    **parity_fleet.ADDRESSES,
}
"""Every resource: its logical id, or for a part of a resource that one and the part, and its
address in Terraform.
"""

TYPES: dict[str, tuple[str, dict[str, str]]] = {
    "AWS::AutoScaling::AutoScalingGroup": (
        "aws_autoscaling_group",
        {"AutoScalingGroupName": "name", "LaunchTemplateId": "id", "Tags": "tag"},
    ),
    "AWS::DynamoDB::Table": (
        "aws_dynamodb_table",
        {
            "TableName": "name",
            "TimeToLiveSpecification": "ttl",
            "PointInTimeRecoverySpecification": "point_in_time_recovery",
            "PointInTimeRecoveryEnabled": "enabled",
            "GlobalSecondaryIndexes": "global_secondary_index",
            "IndexName": "name",
            "Projection": "",
        },
    ),
    "AWS::EC2::InternetGateway": ("aws_internet_gateway", {}),
    "AWS::EC2::LaunchTemplate": (
        "aws_launch_template",
        {"LaunchTemplateName": "name", "LaunchTemplateData": "", "Groups": "security_groups"},
    ),
    "AWS::EC2::Route": ("aws_route", {}),
    "AWS::EC2::RouteTable": ("aws_route_table", {}),
    "AWS::EC2::SecurityGroup": (
        "aws_security_group",
        {"GroupName": "name", "GroupDescription": "description"},
    ),
    "AWS::EC2::Subnet": ("aws_subnet", {}),
    "AWS::EC2::SubnetRouteTableAssociation": ("aws_route_table_association", {}),
    "AWS::EC2::VPC": ("aws_vpc", {}),
    "AWS::ECS::Cluster": ("aws_ecs_cluster", {"ClusterName": "name", "ClusterSettings": "setting"}),
    "AWS::Events::Rule": ("aws_cloudwatch_event_rule", {}),
    "AWS::IAM::InstanceProfile": (
        "aws_iam_instance_profile",
        {"InstanceProfileName": "name", "Roles": "role"},
    ),
    "AWS::IAM::Role": (
        "aws_iam_role",
        {"RoleName": "name", "AssumeRolePolicyDocument": "assume_role_policy"},
    ),
    "AWS::Lambda::Function": ("aws_lambda_function", {}),
    "AWS::Lambda::Permission": ("aws_lambda_permission", {}),
    "AWS::Logs::LogGroup": ("aws_cloudwatch_log_group", {"LogGroupName": "name"}),
    "AWS::SQS::Queue": (
        "aws_sqs_queue",
        {
            "QueueName": "name",
            "MessageRetentionPeriod": "message_retention_seconds",
            "MaximumMessageSize": "max_message_size",
            "VisibilityTimeout": "visibility_timeout_seconds",
        },
    ),
    **parity_api.TYPES,
    **parity_fleet.TYPES,
}
"""Each type's name in Terraform, and the properties that are called otherwise there; "" has its
members without a wrapper.
"""

PARTS: dict[tuple[str, str], tuple[str, str, dict[str, str]]] = {
    # The blocks that Terraform has for these claim all there is, what others added included.
    ("AWS::EC2::SecurityGroup", "SecurityGroupEgress"): (
        "aws_vpc_security_group_egress_rule",
        "security_group_id",
        {"CidrIp": "cidr_ipv4"},
    ),
    ("AWS::Events::Rule", "Targets"): ("aws_cloudwatch_event_target", "rule", {"Id": "target_id"}),
    ("AWS::IAM::Role", "Policies"): (
        "aws_iam_role_policy",
        "role",
        {"PolicyName": "name", "PolicyDocument": "policy"},
    ),
}
"""Properties that are resources of their own in Terraform: their type, what says there whose part
they are, and other names.
"""

FOLDED = {"AWS::EC2::VPCGatewayAttachment": ("InternetGatewayId", "vpc_id")}
"""Resources that are an attribute of another one in Terraform: the property that names it, and the
attribute.
"""

RETAINED = {
    "LedgerTable": (
        {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"},
        "Terraform keeps the table's name",
    ),
    "Account": (
        {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"},
        "remove-deployment lets go of it",
    ),
    "LogsRole": (
        {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"},
        "remove-deployment lets go of it",
    ),
}
"""What stays when its stack does not, with the policies that say so, and what Terraform does in
their place.
"""

WITHOUT_COUNTERPART = {
    (
        "AWS::Lambda::Function",
        "Code",
    ): "where `package` and SAM put the bundle; Terraform uploads it itself",
    ("aws_lambda_function", "filename"): "the bundle, which CloudFormation takes from a bucket",
    (
        "aws_lambda_function",
        "source_code_hash",
    ): "tells of another bundle; CloudFormation sees another place in the bucket",
    ("aws_iam_instance_profile", "tags"): "CloudFormation cannot tag one",
    **parity_api.WITHOUT_COUNTERPART,
    **parity_fleet.WITHOUT_COUNTERPART,
}
"""What of a resource only one side says, and why."""

ONLY_IN_MODULES = {
    ("01-vpc.yml", "name"): "CloudFormation's own AWS::StackName",
    ("02-ecs.yml", "name"): "CloudFormation's own AWS::StackName",
    ("02-ledger.yml", "lambda_package"): "the bundle, which `package` and SAM find in the template",
    ("03-lambda.yml", "lambda_package"): "the bundle, which `package` and SAM find in the template",
    ("04-api.yml", "lambda_package"): "the bundle, which `package` finds in the template",
    ("04-api.yml", "schemas_directory"): "the schemas, which `package` finds in the template",
    ("05-fleet.yml", "lambda_package"): "the bundle, which `package` finds in the template",
}
"""Variables without a parameter, and why."""

DIFFERENT = {
    # Terraform can check what a pattern cannot: that the address is that of the network.
    ("01-vpc.yml", "vpc_cidr", "allows"): (
        r"^(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2[0-3])$",
        (
            'can(regex("^[0-9.]+/(1[6-9]|2[0-3])$", var.vpc_cidr)) && '
            "try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)"
        ),
    ),
    # A limit of the provider, not of Lambda.
    **dict.fromkeys(
        [
            (template, "runtime", "description")
            for template in ("02-ledger.yml", "03-lambda.yml", "04-api.yml", "05-fleet.yml")
        ],
        (
            "Runtime of the function; the bundle must be built for the same one.",
            "Runtime of the function; the bundle must be built for the same one. "
            "Version 5.100 of the provider does not know python3.14 yet.",
        ),
    ),
    # Terraform's patterns cannot say what does not match.
    ("04-api.yml", "tag_filters", "allows"): (
        r"^(?!(launch_type|limit|next|images)$)[\w .:/=+@-]{1,128}$",
        r'alltrue([for key in var.tag_filters : can(regex("^[\\w .:/=+@-]{1,128}$", key)) && '
        '!contains(["launch_type", "limit", "next", "images"], key)])',
    ),
}
"""What is said of a parameter and in other words of its variable, and why."""

ONLY_AT_THE_ROOT = {"stack_name": "what the stacks' names begin with, as the Makefile's STACK_NAME"}
"""Variables of the root module that no module has, and why."""

AT_THE_ROOT = {
    # The root module gives one value to two modules.
    (
        "log_retention_days",
        "description",
    ): "Days that the logs of the function and of the tasks are kept.",
    (
        "permissions_boundary",
        "description",
    ): "Optional ARN of a managed policy that bounds every role.",
    # The root module adds a role that it makes itself; with CloudFormation the scripts do.
    (
        "passable_role_arns",
        "description",
    ): "Optional ARNs or patterns of the task and execution roles of further services; "
    "the cluster's own execution role is always among them.",
    # Where make build-lambda-package puts it. A module cannot know where it is used from.
    ("lambda_package", "default"): "../build/ecs-updater-package.zip",
    **parity_api.AT_THE_ROOT,
}
"""What the root module says of a variable in other words than the module that it gives it to, and
why.
"""

ONLY_PRECONDITIONS = {
    "There is no bundle ${var.lambda_package}: make build-lambda-package.": (
        "`package` and SAM say so with CloudFormation"
    ),
    **parity_api.ONLY_PRECONDITIONS,
}
"""What Terraform alone refuses beside single values, and why."""

WIRED = {
    "name": "begins with stack_name",
    "subnet_ids": "output of the network",
    "task_security_group_id": "output of the network",
    "ledger_table_name": "output of the ledger",
    "ledger_cluster_name": "output of the ledger",
    **parity_api.WIRED,
}
"""Variables of modules that the root module has no variable for, and what they get."""

ONLY_STAR = {
    "ecr:DescribePullThroughCacheRules",
    "ecs:DescribeTaskDefinition",
    "ecs:DiscoverPollEndpoint",
    "ecs:ListClusters",
    "ecs:ListServices",
    # It knows instances. Asked for the tasks of a service, a condition on the cluster narrows it.
    "ecs:ListTasks",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
"""Actions for which AWS's Service Authorization Reference knows no resource."""
