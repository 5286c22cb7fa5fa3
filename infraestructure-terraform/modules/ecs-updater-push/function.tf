# The function, with a role and a log group of its own.

# Sends one update for each service that takes a push.
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:the event source mapping bounds the concurrency; reserved concurrency is taken from other functions
  #checkov:skip=CKV_AWS_116:nothing invokes it asynchronously: the queue has a dead-letter queue
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints; in a VPC it would need a NAT gateway or endpoints
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  function_name = local.push
  description   = "Deploys images pushed to Amazon ECR to the services whose policy takes them"
  handler       = "ecs_updater.handlers.push.lambda_handler"
  filename      = var.updater.lambda_package # The same bundle as the function's.
  # A changed bundle is deployed. Without a bundle only destroy works: see the precondition.
  source_code_hash               = try(filebase64sha256(var.updater.lambda_package), null)
  runtime                        = var.updater.runtime
  architectures                  = [var.updater.architecture]
  memory_size                    = 256
  timeout                        = local.function_timeout
  reserved_concurrent_executions = -1
  role                           = aws_iam_role.this.arn

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.updater.log_level == "DEBUG" ? "DEBUG" : "INFO" # Metrics are lines of the level INFO.
  }

  kms_key_arn = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn

  tracing_config {
    mode = var.updater.tracing
  }

  environment {
    variables = merge(
      {
        QUEUE_URL               = var.fleet_queue_url
        PUSH_DRY_RUN            = tostring(var.dry_run)
        ECS_RATES               = join(",", var.ecs_rates)
        ALLOWED_IMAGES          = var.updater.environment["ALLOWED_IMAGES"]
        ALLOWED_SERVICES        = var.updater.environment["ALLOWED_SERVICES"]
        CLUSTER_PATTERN         = var.updater.cluster_name
        ECS_ARN_PREFIX          = var.updater.environment["ECS_ARN_PREFIX"]
        LEDGER_TABLE            = var.updater.ledger_table_name
        POWERTOOLS_SERVICE_NAME = local.push
        POWERTOOLS_LOG_LEVEL    = var.updater.log_level
        UPDATER_NAME            = var.updater.function_name
      },
      # Omitted instead of empty, because the SDK reads it.
      var.updater.endpoint_url == "" ? {} : { AWS_ENDPOINT_URL = var.updater.endpoint_url },
    )
  }

  lifecycle {
    precondition {
      condition     = fileexists(var.updater.lambda_package)
      error_message = "There is no bundle ${var.updater.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn = aws_sqs_queue.this.arn
  function_name    = aws_lambda_function.this.function_name
  # The pushes of a minute together: of several to a service only the newest is deployed.
  batch_size                         = 1000
  maximum_batching_window_in_seconds = 60
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }

  # Lambda refuses an event source mapping if the role may not receive from the queue.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_iam_role" "this" {
  name                 = "${local.push}-${local.region}"
  description          = "Lets the function of the pushes read services in one cluster and send their updates"
  permissions_boundary = var.updater.permissions_boundary == "" ? null : var.updater.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "ecs-updater-push"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      # The Service Authorization Reference lists no resource type for this action.
      { Sid = "FindServices", Effect = "Allow", Action = "tag:GetResources", Resource = "*" },
      { Sid = "ReadServices", Effect = "Allow", Action = "ecs:DescribeServices", Resource = local.services },
      # The Service Authorization Reference lists no resource type for this action.
      { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      # ECS may evaluate this action on the service as well.
      {
        Sid      = "ReadServiceRevisions"
        Effect   = "Allow"
        Action   = "ecs:DescribeServiceRevisions"
        Resource = [local.services, "${local.arn_of_ecs}:service-revision/${var.updater.cluster_name}/*"]
      },
      {
        Sid      = "SendUpdates"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "${local.arn_of_queues}:${var.updater.function_name}-fleet.fifo"
      },
      # The results by request, the accepted pushes of the services, and the rate limits.
      {
        Sid      = "UseLedger"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.updater.ledger_table_name}"
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["REQUEST#*", "PACE", "${local.arn_of_ecs}:service/*"] }
          # ForAllValues is true for a call without a key, so Null requires one.
          Null = { "dynamodb:LeadingKeys" = "false" }
        }
      },
      # Lambda's own calls.
      {
        Sid      = "TakeEvents"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.this.name}:*"
      },
      # The actions have no resource type.
      ], var.updater.tracing == "PassThrough" ? [] : [
      { Sid = "WriteTraces", Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
      ], var.updater.kms_key_arn == "" ? [] : [
      {
        Sid       = "UseKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.updater.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = ["dynamodb.${local.region}.${data.aws_partition.current.dns_suffix}", "lambda.${local.region}.${data.aws_partition.current.dns_suffix}", "sqs.${local.region}.${data.aws_partition.current.dns_suffix}"] } }
      },
    ])
  })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:kms_key_arn sets a key; without it CloudWatch encrypts it with its own
  #checkov:skip=CKV_AWS_338:log_retention_days decides
  name              = "/aws/lambda/${local.push}"
  retention_in_days = var.updater.log_retention_days
  kms_key_id        = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
}
