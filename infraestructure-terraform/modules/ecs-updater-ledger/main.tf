# The ledger, a table of the updates and their leases, with the reconciler, which finishes open updates.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  completer        = "${var.function_name}-completer"
  arn_of_ecs       = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  services         = "${local.arn_of_ecs}:service/${var.cluster_name}/*"
  task_definitions = "${local.arn_of_ecs}:task-definition/${var.task_definition_family}:*"
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:kms_key_arn sets a key; without it DynamoDB encrypts it with its own
  name                        = "${var.function_name}-ledger"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "feed"
    type = "S"
  }

  attribute {
    name = "begun_at"
    type = "S"
  }

  # The updates of all services, ordered by their start.
  global_secondary_index {
    name      = "recent"
    hash_key  = "feed"
    range_key = "begun_at"
    # All attributes, because a projection cannot be changed later.
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn == "" ? [] : [var.kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  # It holds the history and the leases. A changed function_name must not replace it by an empty table.
  lifecycle {
    ignore_changes = [name]
  }
}

# The reconciler finishes open updates and rolls them back where requested.
resource "aws_lambda_function" "completer" {
  #checkov:skip=CKV_AWS_115:the lease serialises the updates of a service; reserved concurrency is taken from other functions
  #checkov:skip=CKV_AWS_116:no event needs a retry: the next run of the reconciler repeats the work
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints; in a VPC it would need a NAT gateway or endpoints
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  function_name = local.completer
  description   = "Finishes open updates of ECS services"
  handler       = "ecs_updater.handlers.reconcile.lambda_handler"
  filename      = var.lambda_package # The same bundle as the function's.
  # A changed bundle is deployed. Without a bundle only destroy works: see the precondition.
  source_code_hash = try(filebase64sha256(var.lambda_package), null)
  runtime          = var.runtime
  architectures    = [var.architecture]
  memory_size      = 256
  # Lambda's maximum. With thousands of open updates a run takes minutes, see docs/many-services.md.
  timeout                        = 900
  reserved_concurrent_executions = -1
  role                           = aws_iam_role.completer.arn

  logging_config {
    log_group             = aws_cloudwatch_log_group.completer.name
    log_format            = "JSON"
    application_log_level = var.log_level == "DEBUG" ? "DEBUG" : "INFO" # Metrics are lines of the level INFO.
  }

  kms_key_arn = var.kms_key_arn == "" ? null : var.kms_key_arn

  tracing_config {
    mode = var.tracing
  }

  environment {
    variables = merge(
      {
        LEDGER_TABLE            = aws_dynamodb_table.this.name
        LEDGER_RETENTION_DAYS   = tostring(var.ledger_retention_days)
        TASK_FAILURES           = tostring(var.task_failures)
        OPEN_UPDATE_MAX_HOURS   = tostring(var.open_update_max_hours)
        DEPLOYMENT_ALARMS       = join(",", var.deployment_alarms)
        ECS_ARN_PREFIX          = "${local.arn_of_ecs}:"
        TARGETS_PARAMETER       = var.targets_parameter_name
        EVENT_BUS               = var.event_bus_name
        NOTIFY_TOPIC_ARN        = var.notify_topic_arn
        POWERTOOLS_SERVICE_NAME = local.completer
        POWERTOOLS_LOG_LEVEL    = var.log_level
        UPDATER_NAME            = var.function_name
        METRICS_BY_SERVICE      = tostring(var.metrics_by_service)
      },
      # Omitted instead of empty, because the SDK reads it.
      var.endpoint_url == "" ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
    )
  }

  # The rule may invoke it at once, so its permissions must exist before it.
  depends_on = [aws_iam_role_policy.completer]

  lifecycle {
    precondition {
      condition     = fileexists(var.lambda_package)
      error_message = "There is no bundle ${var.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_iam_role" "completer" {
  name                 = "${local.completer}-${local.region}"
  description          = "Lets the reconciler finish and roll back updates of services in one cluster"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "completer" {
  name = "ecs-updater-completer"
  role = aws_iam_role.completer.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      { Sid = "ReadServices", Effect = "Allow", Action = "ecs:DescribeServices", Resource = local.services },
      # A rollback restores the revision and the tags.
      {
        Sid      = "ChangeServices"
        Effect   = "Allow"
        Action   = ["ecs:UpdateService", "ecs:TagResource", "ecs:UntagResource"]
        Resource = local.services
      },
      { Sid = "FollowDeployments", Effect = "Allow", Action = "ecs:ListServiceDeployments", Resource = local.services },
      # ECS may evaluate these two actions on the service as well.
      {
        Sid      = "ReadServiceRevisions"
        Effect   = "Allow"
        Action   = "ecs:DescribeServiceRevisions"
        Resource = [local.services, "${local.arn_of_ecs}:service-revision/${var.cluster_name}/*"]
      },
      {
        Sid      = "StopDeployments"
        Effect   = "Allow"
        Action   = ["ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment"]
        Resource = [local.services, "${local.arn_of_ecs}:service-deployment/${var.cluster_name}/*"]
      },
      {
        Sid      = "ReadTasks"
        Effect   = "Allow"
        Action   = "ecs:DescribeTasks"
        Resource = "${local.arn_of_ecs}:task/${var.cluster_name}/*"
      },
      # ListTasks with a service is evaluated without a resource, with the cluster as condition.
      {
        Sid       = "ListTasks"
        Effect    = "Allow"
        Action    = "ecs:ListTasks"
        Resource  = "*"
        Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
      },
      # The Service Authorization Reference lists no resource type for this action.
      { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      # UpdateService refuses an INACTIVE revision: a rollback to one registers its content again.
      {
        Sid      = "RegisterTaskDefinitions"
        Effect   = "Allow"
        Action   = "ecs:RegisterTaskDefinition"
        Resource = local.task_definitions
      },
      # The new revision keeps the tags of the INACTIVE one.
      {
        Sid       = "TagNewTaskDefinitions"
        Effect    = "Allow"
        Action    = "ecs:TagResource"
        Resource  = local.task_definitions
        Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
      },
      # ARNs are built from the names, so that a plan shows the whole policy.
      {
        Sid    = "UseLedger"
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem",
          "dynamodb:DeleteItem",
          "dynamodb:GetItem",
          "dynamodb:PutItem",
          "dynamodb:Query",
          "dynamodb:UpdateItem",
        ]
        Resource = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${aws_dynamodb_table.this.name}"
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.completer.name}:*"
      },
      ], var.event_bus_name == "" ? [] : [
      {
        Sid      = "SendEvents"
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${var.event_bus_name}"
      },
      ], var.notify_topic_arn == "" ? [] : [
      { Sid = "PublishMessages", Effect = "Allow", Action = "sns:Publish", Resource = var.notify_topic_arn },
      # The actions have no resource type.
      ], var.tracing == "PassThrough" ? [] : [
      { Sid = "WriteTraces", Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
      ], var.kms_key_arn == "" ? [] : [
      {
        Sid       = "UseKey"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = ["dynamodb.${local.region}.${data.aws_partition.current.dns_suffix}", "lambda.${local.region}.${data.aws_partition.current.dns_suffix}"] } }
      },
      ], !var.run_tasks ? [] : [
      {
        Sid       = "StopTasks"
        Effect    = "Allow"
        Action    = "ecs:StopTask"
        Resource  = "${local.arn_of_ecs}:task/${var.cluster_name}/*"
        Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
      },
      ], var.task_log_group_name == "" ? [] : [
      {
        Sid      = "ReadTaskLogs"
        Effect   = "Allow"
        Action   = "logs:GetLogEvents"
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${var.task_log_group_name}:log-stream:*"
      },
      ], var.targets_parameter_name == "" ? [] : [
      {
        Sid      = "ReadTargets"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.targets_parameter_name}"
      },
      ], length(var.target_role_arns) == 0 ? [] : [
      { Sid = "AssumeTargetRoles", Effect = "Allow", Action = "sts:AssumeRole", Resource = var.target_role_arns },
      ], !var.express_services ? [] : [
      { Sid = "ChangeExpressServices", Effect = "Allow", Action = "ecs:UpdateExpressGatewayService", Resource = local.services },
      ], length(var.passable_role_arns) == 0 ? [] : [
      {
        Sid       = "PassTaskRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = var.passable_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      # ECS gets the infrastructure role at every update of an Express service.
      ], !var.express_services || length(var.passable_role_arns) == 0 ? [] : [
      {
        Sid       = "PassInfrastructureRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = var.passable_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs.amazonaws.com" } }
      },
    ])
  })
}

resource "aws_cloudwatch_log_group" "completer" {
  #checkov:skip=CKV_AWS_158:kms_key_arn sets a key; without it CloudWatch encrypts it with its own
  #checkov:skip=CKV_AWS_338:log_retention_days decides
  name              = "/aws/lambda/${local.completer}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn == "" ? null : var.kms_key_arn
}

# Events of ECS: a deployment of a service in the cluster ended, or a hook of one changed.
resource "aws_cloudwatch_event_rule" "deployments" {
  name        = "${local.completer}-deployments"
  description = "Invokes the reconciler when a deployment of an ECS service ends or one of its hooks changes"
  state       = "ENABLED"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Deployment State Change", "ECS Hook State Change"]
    # * has the same meaning in EventBridge patterns and in IAM. An event of a hook is about the service deployment.
    resources = [{ wildcard = local.services }, { wildcard = "${local.arn_of_ecs}:service-deployment/${var.cluster_name}/*" }]
    detail    = { eventName = ["SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED", { prefix = "HOOK_" }] }
  })
}

resource "aws_cloudwatch_event_target" "deployments" {
  rule      = aws_cloudwatch_event_rule.deployments.name
  target_id = "completer"
  arn       = aws_lambda_function.completer.arn
}

resource "aws_lambda_permission" "deployments" {
  function_name = aws_lambda_function.completer.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.deployments.arn
}

# Without a circuit breaker ECS sends no event for a failure, and an event may be lost.
resource "aws_cloudwatch_event_rule" "poll" {
  name                = "${local.completer}-poll"
  description         = "Invokes the reconciler for updates whose end ECS reports with no event"
  state               = "ENABLED"
  schedule_expression = var.poll_minutes == 1 ? "rate(1 minute)" : "rate(${var.poll_minutes} minutes)"
}

resource "aws_cloudwatch_event_target" "poll" {
  rule      = aws_cloudwatch_event_rule.poll.name
  target_id = "completer"
  arn       = aws_lambda_function.completer.arn
}

resource "aws_lambda_permission" "poll" {
  function_name = aws_lambda_function.completer.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.poll.arn
}
