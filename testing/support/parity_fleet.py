"""The fleet in the list to which the CloudFormation templates and the Terraform tree are held, and
what only it needs said.
"""

_FLEET = "module.fleet."
ADDRESSES = {
    "FleetQueue": _FLEET + "aws_sqs_queue.this",
    "FleetDeadLetterQueue": _FLEET + "aws_sqs_queue.dead_letters",
    "FleetQueuePolicy": _FLEET + "aws_sqs_queue_policy.this[0]",
    "FleetDeadLetterQueuePolicy": _FLEET + "aws_sqs_queue_policy.dead_letters[0]",
    "FleetAlarm": _FLEET + "aws_cloudwatch_metric_alarm.dead_letters",
    "FleetFunction": _FLEET + "aws_lambda_function.this",
    "FleetMapping": _FLEET + "aws_lambda_event_source_mapping.this",
    "FleetRole": _FLEET + "aws_iam_role.this",
    "FleetRole.Policies[0]": _FLEET + "aws_iam_role_policy.this",
    "FleetLogGroup": _FLEET + "aws_cloudwatch_log_group.this",
    "FleetSenderPolicy": _FLEET + "aws_iam_policy.sender",
}

TYPES: dict[str, tuple[str, dict[str, str]]] = {
    "AWS::CloudWatch::Alarm": ("aws_cloudwatch_metric_alarm", {"OKActions": "ok_actions"}),
    "AWS::IAM::ManagedPolicy": (
        "aws_iam_policy",
        {"ManagedPolicyName": "name", "PolicyDocument": "policy"},
    ),
    "AWS::Lambda::EventSourceMapping": ("aws_lambda_event_source_mapping", {}),
    "AWS::SQS::QueuePolicy": (
        "aws_sqs_queue_policy",
        {"Queues": "queue_url", "PolicyDocument": "policy"},
    ),
}

WITHOUT_COUNTERPART = {
    ("aws_iam_policy", "tags"): "CloudFormation cannot tag one",
}

UNSEEN = {
    "FleetFunction.environment.variables.QUEUE_URL": (
        "with an endpoint the emulator's, as CloudFormation's own reference has it"
    ),
    "FleetFunction.environment.variables.DEAD_LETTER_QUEUE_URL": "the same",
}
"""What is not compared as written. Terraform's own tests say what is made of it,
testing/contract/test_templates_fleet.py what CloudFormation makes, and the deployments are
compared.
"""
