# The worker, which uses the updater's role and log group.

# Starts updates within ECS's rate limits and does not wait. The reconciler finishes them.
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:the event source mapping bounds the concurrency; reserved concurrency is taken from other functions
  #checkov:skip=CKV_AWS_116:nothing invokes it asynchronously: the queue has a dead-letter queue
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints; in a VPC it would need a NAT gateway or endpoints
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  function_name = local.fleet
  description   = "Processes queued updates of ECS services"
  handler       = "ecs_updater.handlers.sqs_worker.lambda_handler"
  filename      = var.updater.lambda_package # The same bundle as the function's.
  # A changed bundle is deployed. Without a bundle only destroy works: see the precondition.
  source_code_hash               = try(filebase64sha256(var.updater.lambda_package), null)
  runtime                        = var.updater.runtime
  architectures                  = [var.updater.architecture]
  memory_size                    = 256
  timeout                        = local.worker_timeout
  reserved_concurrent_executions = -1
  role                           = var.updater.role_arn

  logging_config {
    log_group             = var.updater.log_group_name
    log_format            = "JSON"
    application_log_level = var.updater.log_level == "DEBUG" ? "DEBUG" : "INFO" # Metrics are lines of the level INFO.
  }

  kms_key_arn = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn

  tracing_config {
    mode = var.updater.tracing
  }

  environment {
    variables = merge(var.updater.environment, {
      QUEUE_URL               = "${local.address_of_queues}/${aws_sqs_queue.this.name}"
      DEAD_LETTER_QUEUE_URL   = "${local.address_of_queues}/${aws_sqs_queue.dead_letters.name}"
      MAX_RECEIVES            = tostring(local.max_receives)
      ECS_RATES               = join(",", var.ecs_rates)
      POWERTOOLS_SERVICE_NAME = local.fleet
    })
  }

  lifecycle {
    precondition {
      condition     = fileexists(var.updater.lambda_package)
      error_message = "There is no bundle ${var.updater.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = aws_lambda_function.this.function_name
  batch_size              = 10 # DescribeServices reads up to ten services.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }

  # Lambda refuses an event source mapping if the role may not receive from the queue.
  depends_on = [aws_iam_role_policy.this]
}

# The worker's permissions beside those of the updater's role.
resource "aws_iam_role_policy" "this" {
  name = "ecs-updater-fleet"
  role = basename(var.updater.role_arn)

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # Lambda's own calls, except the third: the worker shortens a message's visibility time-out.
      {
        Sid      = "WorkOffMessages"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
        Resource = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
      },
      # The worker sends invalid messages there with the cause.
      {
        Sid      = "SendDeadLetters"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "${local.arn_of_queues}:${aws_sqs_queue.dead_letters.name}"
      },
    ]
  })
}
