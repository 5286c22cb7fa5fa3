# The function that works off the queue, with the role and the log group of the updater.

# Begins updates at the rate that ECS allows, and waits for none: the reconciler of the ledger finishes them.
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:the mapping from the queue bounds how many run; what is reserved other functions of the account could not use
  #checkov:skip=CKV_AWS_116:nothing invokes it asynchronously: the queue has a dead-letter queue
  #checkov:skip=CKV_AWS_117:it calls AWS's public endpoints alone; in a VPC it would need a NAT gateway or endpoints for them
  #checkov:skip=CKV_AWS_173:no variable holds a secret, and Lambda encrypts them with a key of its own
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes at the deployment; a signing profile belongs to an organisation
  function_name = local.fleet
  description   = "Works off a queue of updates of ECS services"
  handler       = "ecs_updater.handlers.sqs_worker.lambda_handler"
  filename      = var.lambda_package # The bundle of the function itself.
  # A bundle with other content is deployed. Without one, only destroying goes on: see the precondition.
  source_code_hash               = try(filebase64sha256(var.lambda_package), null)
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  memory_size                    = 256
  timeout                        = local.worker_timeout
  reserved_concurrent_executions = -1
  role                           = var.updater_role_arn

  logging_config {
    log_group             = var.updater_log_group_name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  # Passes on what a caller traces and traces nothing of its own.
  tracing_config {
    mode = "PassThrough"
  }

  environment {
    variables = merge(
      {
        QUEUE_URL               = "${local.address_of_queues}/${aws_sqs_queue.this.name}"
        DEAD_LETTER_QUEUE_URL   = "${local.address_of_queues}/${aws_sqs_queue.dead_letters.name}"
        MAX_RECEIVES            = tostring(local.max_receives)
        ECS_RATES               = join(",", var.ecs_rates)
        ECS_ARN_PREFIX          = "${local.arn_of_ecs}:"
        ALLOWED_IMAGES          = join(",", var.allowed_images)
        ALLOWED_SERVICES        = join(",", var.allowed_services)
        CLUSTER_PATTERN         = var.updater_cluster_name
        LEDGER_CLUSTER_PATTERN  = var.ledger_cluster_name
        TASK_DEF                = var.expected_task_definition_family
        UNKNOWN_FIELDS          = var.unknown_fields
        TASK_FAILURES           = tostring(var.task_failures)
        OPEN_UPDATE_MAX_HOURS   = tostring(var.open_update_max_hours)
        CIRCUIT_BREAKER         = var.circuit_breaker
        VERIFY_IMAGE            = var.verify_image
        PIN_DIGEST              = var.pin_digest
        PRIVATE_REGISTRIES      = join(",", var.private_registries)
        LEDGER_TABLE            = var.ledger_table_name
        LEDGER_RETENTION_DAYS   = tostring(var.ledger_retention_days)
        POWERTOOLS_SERVICE_NAME = local.fleet
        POWERTOOLS_LOG_LEVEL    = var.log_level
      },
      # Left out rather than empty: the SDK reads it, not the function.
      var.endpoint_url == "" ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
    )
  }

  lifecycle {
    precondition {
      condition     = fileexists(var.lambda_package)
      error_message = "There is no bundle ${var.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = aws_lambda_function.this.function_name
  batch_size              = 10 # As many services as one DescribeServices reads.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }

  # Lambda refuses a mapping from a queue that the role may not receive from.
  depends_on = [aws_iam_role_policy.this]
}

# What the worker does beyond what the role of the updater allows.
resource "aws_iam_role_policy" "this" {
  name = "ecs-updater-fleet"
  role = basename(var.updater_role_arn)

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # All but the third are Lambda's own calls; the function lets a message come again sooner than the queue would.
      {
        Sid      = "WorkOffMessages"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
        Resource = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
      },
      # A message that cannot be read goes there at once, with the reason.
      {
        Sid      = "SendDeadLetters"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "${local.arn_of_queues}:${aws_sqs_queue.dead_letters.name}"
      },
    ]
  })
}
