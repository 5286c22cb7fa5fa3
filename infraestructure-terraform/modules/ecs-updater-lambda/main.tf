# The function that updates the image and tags of an ECS service, with its role, logs and dead-letter queue.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  has_tls          = var.endpoint_url == "" # No emulator either, which has no reserved concurrency.
  arn_of_ecs       = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  services         = "${local.arn_of_ecs}:service/${var.cluster_name}/*"
  task_definitions = "${local.arn_of_ecs}:task-definition/${var.task_definition_family}:*"

  # The settings of every function that updates services.
  environment = merge(
    {
      ALLOWED_IMAGES         = join(",", var.allowed_images)
      ALLOWED_SERVICES       = join(",", var.allowed_services)
      ALLOWED_FIELDS         = join(",", var.allowed_fields)
      ALLOWED_SECRETS        = join(",", var.allowed_secrets)
      CLUSTER_PATTERN        = var.cluster_name
      LEDGER_CLUSTER_PATTERN = var.ledger_cluster_name
      TASK_DEF               = var.expected_task_definition_family
      UNKNOWN_FIELDS         = var.unknown_fields
      TASK_FAILURES          = tostring(var.task_failures)
      OPEN_UPDATE_MAX_HOURS  = tostring(var.open_update_max_hours)
      CIRCUIT_BREAKER        = var.circuit_breaker
      DEPLOYMENT_ALARMS      = join(",", var.deployment_alarms)
      VERIFY_IMAGE           = var.verify_image
      PIN_DIGEST             = var.pin_digest
      PRIVATE_REGISTRIES     = join(",", var.private_registries)
      ECS_ARN_PREFIX         = "${local.arn_of_ecs}:"
      TARGETS_PARAMETER      = var.targets_parameter_name
      LEDGER_TABLE           = var.ledger_table_name
      LEDGER_RETENTION_DAYS  = tostring(var.ledger_retention_days)
      POWERTOOLS_LOG_LEVEL   = var.log_level
      UPDATER_NAME           = var.function_name
      METRICS_BY_SERVICE     = tostring(var.metrics_by_service)
    },
    # Omitted instead of empty, because the SDK reads it.
    var.endpoint_url == "" ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
  )
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints; in a VPC it would need a NAT gateway or endpoints
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  function_name = var.function_name
  description   = "Updates the image and tags of an ECS service"
  handler       = "ecs_updater.handlers.update.lambda_handler"
  filename      = var.lambda_package
  # A changed bundle is deployed. Without a bundle only destroy works: see the precondition.
  source_code_hash               = try(filebase64sha256(var.lambda_package), null)
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  memory_size                    = var.memory_size
  timeout                        = var.timeout
  reserved_concurrent_executions = var.reserved_concurrency
  role                           = aws_iam_role.this.arn

  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.log_level == "DEBUG" ? "DEBUG" : "INFO" # Metrics are lines of the level INFO.
  }

  kms_key_arn = var.kms_key_arn == "" ? null : var.kms_key_arn

  tracing_config {
    mode = var.tracing
  }

  environment {
    variables = merge(local.environment, {
      # An empty variable counts as unset.
      CLUSTER_NAME            = var.event_cluster_name
      SERVICE_NAME            = var.event_service_name
      CONTAINER_NAME          = var.event_container_name
      IMAGE                   = var.event_image
      EVENT_BUS               = var.event_bus_name
      NOTIFY_TOPIC_ARN        = var.notify_topic_arn
      POWERTOOLS_SERVICE_NAME = var.function_name
    })
  }

  # Lambda refuses a dead-letter queue if the role may not send to it.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = fileexists(var.lambda_package)
      error_message = "There is no bundle ${var.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.function_name}-${local.region}"
  description          = "Lets the function read ECS services and update those of one cluster"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "ecs-updater"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        # Reading is allowed in every cluster, so that a wrong name gets "not found" instead of
        # "access denied". Writing is not.
        {
          Sid      = "ReadServices"
          Effect   = "Allow"
          Action   = "ecs:DescribeServices"
          Resource = "${local.arn_of_ecs}:service/*"
        },
        {
          Sid      = "ChangeServices"
          Effect   = "Allow"
          Action   = ["ecs:UpdateService", "ecs:TagResource", "ecs:UntagResource"]
          Resource = local.services
        },
        # For the wait: service deployments, tasks and their failures.
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
        {
          Sid      = "RegisterTaskDefinitions"
          Effect   = "Allow"
          Action   = "ecs:RegisterTaskDefinition"
          Resource = local.task_definitions
        },
        # A new revision keeps the tags of the running revision.
        {
          Sid       = "TagNewTaskDefinitions"
          Effect    = "Allow"
          Action    = "ecs:TagResource"
          Resource  = local.task_definitions
          Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
        },
      ],
      !var.run_tasks ? [] : [
        {
          Sid       = "RunTasks"
          Effect    = "Allow"
          Action    = "ecs:RunTask"
          Resource  = local.task_definitions
          Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
        },
        {
          Sid       = "StopTasks"
          Effect    = "Allow"
          Action    = "ecs:StopTask"
          Resource  = "${local.arn_of_ecs}:task/${var.cluster_name}/*"
          Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
        },
      ],
      var.task_log_group_name == "" ? [] : [
        {
          Sid      = "ReadTaskLogs"
          Effect   = "Allow"
          Action   = "logs:GetLogEvents"
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${var.task_log_group_name}:log-stream:*"
        },
      ],
      # The action has no resource type.
      !var.read_scalable_targets ? [] : [
        { Sid = "ReadScalableTargets", Effect = "Allow", Action = "application-autoscaling:DescribeScalableTargets", Resource = "*" },
      ],
      !var.express_services ? [] : [
        { Sid = "ReadExpressServices", Effect = "Allow", Action = "ecs:DescribeExpressGatewayService", Resource = local.services },
        { Sid = "ChangeExpressServices", Effect = "Allow", Action = "ecs:UpdateExpressGatewayService", Resource = local.services },
      ],
      length(var.passable_role_arns) == 0 ? [] : [
        {
          Sid       = "PassTaskRoles"
          Effect    = "Allow"
          Action    = "iam:PassRole"
          Resource  = var.passable_role_arns
          Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
        },
      ],
      # ECS gets the infrastructure role at every update of an Express service.
      !var.express_services || length(var.passable_role_arns) == 0 ? [] : [
        {
          Sid       = "PassInfrastructureRoles"
          Effect    = "Allow"
          Action    = "iam:PassRole"
          Resource  = var.passable_role_arns
          Condition = { StringEquals = { "iam:PassedToService" = "ecs.amazonaws.com" } }
        },
      ],
      # The image may be in another account or region, where the repository's policy decides.
      var.verify_image == "off" && var.pin_digest == "off" ? [] : [
        {
          Sid      = "ReadImages"
          Effect   = "Allow"
          Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = [for name in var.ecr_repository_names : "arn:*:ecr:*:*:repository/${name}"]
        },
        # A pull-through cache fetches an image at the first pull. The action has no resource type.
        { Sid = "ReadCacheRules", Effect = "Allow", Action = ["ecr:DescribePullThroughCacheRules"], Resource = ["*"] },
      ],
      var.targets_parameter_name == "" ? [] : [
        {
          Sid      = "ReadTargets"
          Effect   = "Allow"
          Action   = "ssm:GetParameter"
          Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.targets_parameter_name}"
        },
      ],
      length(var.target_role_arns) == 0 ? [] : [
        { Sid = "AssumeTargetRoles", Effect = "Allow", Action = "sts:AssumeRole", Resource = var.target_role_arns },
      ],
      var.ledger_table_name == "" ? [] : [
        {
          Sid      = "UseLedger"
          Effect   = "Allow"
          Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
          Resource = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.ledger_table_name}"
        },
      ],
      # With a ledger, its reconciler sends the verdicts.
      var.ledger_table_name != "" || var.event_bus_name == "" ? [] : [
        {
          Sid      = "SendEvents"
          Effect   = "Allow"
          Action   = "events:PutEvents"
          Resource = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${var.event_bus_name}"
        },
      ],
      var.ledger_table_name != "" || var.notify_topic_arn == "" ? [] : [
        { Sid = "PublishMessages", Effect = "Allow", Action = "sns:Publish", Resource = var.notify_topic_arn },
      ],
      # The actions have no resource type.
      var.tracing == "PassThrough" ? [] : [
        { Sid = "WriteTraces", Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
      ],
      var.kms_key_arn == "" ? [] : [
        {
          Sid       = "UseKey"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = var.kms_key_arn
          Condition = { StringEquals = { "kms:ViaService" = ["dynamodb.${local.region}.${data.aws_partition.current.dns_suffix}", "lambda.${local.region}.${data.aws_partition.current.dns_suffix}", "sqs.${local.region}.${data.aws_partition.current.dns_suffix}"] } }
        },
      ],
      # ARNs are built from the names, so that a plan shows the whole policy.
      [
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.this.name}:*"
        },
        {
          Sid      = "SendDeadLetters"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = "arn:${local.partition}:sqs:${local.region}:${local.account}:${aws_sqs_queue.dead_letters.name}"
        },
      ],
    )
  })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:kms_key_arn sets a key; without it CloudWatch encrypts it with its own
  #checkov:skip=CKV_AWS_338:log_retention_days decides
  name              = "/aws/lambda/${var.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn == "" ? null : var.kms_key_arn
}

# Events of asynchronous invocations whose last attempt failed.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.function_name}-dead-letters"
  message_retention_seconds = 1209600
  max_message_size          = 262144
  kms_master_key_id         = var.kms_key_arn == "" ? null : var.kms_key_arn
  sqs_managed_sse_enabled   = var.kms_key_arn == "" ? true : null
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count = local.has_tls ? 1 : 0

  queue_url = aws_sqs_queue.dead_letters.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = "arn:${local.partition}:sqs:${local.region}:${local.account}:${aws_sqs_queue.dead_letters.name}"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
