# The two functions behind the API, from the bundle of the function itself.

locals {
  # A bundle with other content is deployed. Without one, only destroying goes on: see the preconditions.
  bundle_hash = try(filebase64sha256(var.lambda_package), null)
  # Left out rather than empty: the SDK reads it, not the functions.
  endpoint = local.is_emulated ? { AWS_ENDPOINT_URL = var.endpoint_url } : {}
}

# With the role of the updater, and therefore into its log group.
resource "aws_lambda_function" "update" {
  #checkov:skip=CKV_AWS_115:the lease of each service keeps two updates apart; what is reserved other functions of the account could not use
  #checkov:skip=CKV_AWS_116:nothing calls it asynchronously: every caller waits for its answer
  #checkov:skip=CKV_AWS_117:it calls AWS's public endpoints alone; in a VPC it would need a NAT gateway or endpoints for them
  #checkov:skip=CKV_AWS_173:no variable holds a secret, and Lambda encrypts them with a key of its own
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes at the deployment; a signing profile belongs to an organisation
  function_name    = "${local.api}-update"
  description      = "Updates and rolls back ECS services, called by HTTP"
  handler          = "ecs_updater.handlers.api_update.lambda_handler"
  filename         = var.lambda_package
  source_code_hash = local.bundle_hash
  runtime          = var.runtime
  architectures    = [var.architecture]
  memory_size      = var.update_memory_size
  # The gateway waits no longer than 29 seconds. What it gave up on goes on and comes to its end.
  timeout                        = 120
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
        POWERTOOLS_SERVICE_NAME = "${local.api}-update"
        POWERTOOLS_LOG_LEVEL    = var.log_level
      },
      local.endpoint,
    )
  }

  lifecycle {
    precondition {
      condition     = fileexists(var.lambda_package)
      error_message = "There is no bundle ${var.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_lambda_function" "status" {
  #checkov:skip=CKV_AWS_115:the throttling of the API bounds its calls; what is reserved other functions of the account could not use
  #checkov:skip=CKV_AWS_116:nothing calls it asynchronously: every caller waits for its answer
  #checkov:skip=CKV_AWS_117:it calls AWS's public endpoints alone; in a VPC it would need a NAT gateway or endpoints for them
  #checkov:skip=CKV_AWS_173:no variable holds a secret, and Lambda encrypts them with a key of its own
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes at the deployment; a signing profile belongs to an organisation
  function_name                  = "${local.api}-status"
  description                    = "Tells by HTTP what runs and what was updated"
  handler                        = "ecs_updater.handlers.api_status.lambda_handler"
  filename                       = var.lambda_package
  source_code_hash               = local.bundle_hash
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  memory_size                    = var.status_memory_size
  timeout                        = 29
  reserved_concurrent_executions = -1
  role                           = aws_iam_role.status.arn

  logging_config {
    log_group             = aws_cloudwatch_log_group.status.name
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
        LEDGER_TABLE            = var.ledger_table_name
        TAG_FILTERS             = join(",", var.tag_filters)
        API_AUTH                = var.api_auth
        POWERTOOLS_SERVICE_NAME = "${local.api}-status"
        POWERTOOLS_LOG_LEVEL    = var.log_level
      },
      local.endpoint,
    )
  }

  # Callers have it as soon as it is there: then it is to be allowed what it does.
  depends_on = [aws_iam_role_policy.status]

  lifecycle {
    precondition {
      condition     = fileexists(var.lambda_package)
      error_message = "There is no bundle ${var.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_lambda_permission" "update" {
  function_name = aws_lambda_function.update.function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/*/POST/*"
}

resource "aws_lambda_permission" "status" {
  function_name = aws_lambda_function.status.function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/*/GET/*"
}
