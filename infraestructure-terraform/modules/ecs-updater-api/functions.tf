# The two functions behind the API, from the bundle of the function itself.

locals {
  # A changed bundle is deployed. Without a bundle only destroy works: see the preconditions.
  bundle_hash = try(filebase64sha256(var.updater.lambda_package), null)
}

# It uses the updater's role, so it writes to the updater's log group.
resource "aws_lambda_function" "update" {
  #checkov:skip=CKV_AWS_115:update_reserved_concurrency sets it; the lease serialises the updates of a service
  #checkov:skip=CKV_AWS_116:it is only invoked synchronously
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints; in a VPC it would need a NAT gateway or endpoints
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  function_name    = "${local.api}-update"
  description      = "Updates and rolls back ECS services for the HTTP API"
  handler          = "ecs_updater.handlers.api_update.lambda_handler"
  filename         = var.updater.lambda_package
  source_code_hash = local.bundle_hash
  runtime          = var.updater.runtime
  architectures    = [var.updater.architecture]
  memory_size      = var.update_memory_size
  # API Gateway waits at most 29 seconds. The function continues after that.
  timeout                        = 120
  reserved_concurrent_executions = var.update_reserved_concurrency
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
      API_AUTH                = var.api_auth
      SCOPES_PARAMETER        = var.scopes_parameter_name
      APPROVALS               = var.approvals
      POWERTOOLS_SERVICE_NAME = "${local.api}-update"
    })
  }

  lifecycle {
    precondition {
      condition     = fileexists(var.updater.lambda_package)
      error_message = "There is no bundle ${var.updater.lambda_package}: make build-lambda-package."
    }
  }
}

# The permissions of the update function beside those of the updater's role.
resource "aws_iam_role_policy" "scopes" {
  count = var.scopes_parameter_name == "" ? 0 : 1

  name = "ecs-updater-api-scopes"
  role = basename(var.updater.role_arn)

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [local.read_scopes]
  })
}

resource "aws_iam_role_policy" "approvals" {
  count = var.approvals == "on" ? 1 : 0

  name = "ecs-updater-api-approvals"
  role = basename(var.updater.role_arn)

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "AnswerHooks"
      Effect   = "Allow"
      Action   = "ecs:ContinueServiceDeployment"
      Resource = "arn:${local.partition}:ecs:${local.region}:${local.account}:service-deployment/${var.updater.cluster_name}/*"
    }]
  })
}

resource "aws_lambda_function" "status" {
  #checkov:skip=CKV_AWS_115:status_reserved_concurrency sets it; the throttling of the API bounds the concurrency
  #checkov:skip=CKV_AWS_116:it is only invoked synchronously
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints; in a VPC it would need a NAT gateway or endpoints
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  function_name                  = "${local.api}-status"
  description                    = "Lists ECS services and their updates for the HTTP API"
  handler                        = "ecs_updater.handlers.api_status.lambda_handler"
  filename                       = var.updater.lambda_package
  source_code_hash               = local.bundle_hash
  runtime                        = var.updater.runtime
  architectures                  = [var.updater.architecture]
  memory_size                    = var.status_memory_size
  timeout                        = 29
  reserved_concurrent_executions = var.status_reserved_concurrency
  role                           = aws_iam_role.status.arn

  logging_config {
    log_group             = aws_cloudwatch_log_group.status.name
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
        LEDGER_TABLE            = var.updater.ledger_table_name
        ENVIRONMENT             = var.environment
        TAG_FILTERS             = join(",", var.tag_filters)
        API_AUTH                = var.api_auth
        SCOPES_PARAMETER        = var.scopes_parameter_name
        APPROVALS               = var.approvals
        ECS_ARN_PREFIX          = var.updater.environment["ECS_ARN_PREFIX"]
        TARGETS_PARAMETER       = local.targets_parameter
        POWERTOOLS_SERVICE_NAME = "${local.api}-status"
        POWERTOOLS_LOG_LEVEL    = var.updater.log_level
        UPDATER_NAME            = var.updater.function_name
      },
      # Omitted instead of empty, because the SDK reads it.
      local.is_emulated ? { AWS_ENDPOINT_URL = var.updater.endpoint_url } : {},
    )
  }

  # Callers may use it at once, so its permissions must exist before it.
  depends_on = [aws_iam_role_policy.status]

  lifecycle {
    precondition {
      condition     = fileexists(var.updater.lambda_package)
      error_message = "There is no bundle ${var.updater.lambda_package}: make build-lambda-package."
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
