# With api_auth jwt, a function in a bundle of its own checks the bearer token of each request.

locals {
  authorizers = var.api_auth == "jwt" ? 1 : 0
  authorizer  = "${local.api}-jwt"
}

resource "aws_lambda_function" "authorizer" {
  #checkov:skip=CKV_AWS_115:the throttling of the API bounds the concurrency; reserved concurrency is taken from other functions
  #checkov:skip=CKV_AWS_116:it is only invoked synchronously
  #checkov:skip=CKV_AWS_117:it reads the public keys of a public issuer; in a VPC it would need a NAT gateway
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  count = local.authorizers

  function_name    = local.authorizer
  description      = "Checks the bearer tokens of the HTTP API"
  handler          = "ecs_updater_authorizer.handler.lambda_handler"
  filename         = var.authorizer_package
  source_code_hash = try(filebase64sha256(var.authorizer_package), null)
  runtime          = var.updater.runtime
  architectures    = [var.updater.architecture]
  memory_size      = 512
  timeout          = 15
  role             = aws_iam_role.authorizer[0].arn

  reserved_concurrent_executions = -1

  logging_config {
    log_group             = aws_cloudwatch_log_group.authorizer[0].name
    log_format            = "JSON"
    application_log_level = var.updater.log_level
  }

  kms_key_arn = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn

  tracing_config {
    mode = var.updater.tracing
  }

  environment {
    variables = merge(
      {
        JWT_ISSUER              = var.jwt_issuer
        JWT_AUDIENCE            = var.jwt_audience
        JWKS_URL                = var.jwks_url
        POWERTOOLS_SERVICE_NAME = local.authorizer
        POWERTOOLS_LOG_LEVEL    = var.updater.log_level
      },
      # It permits an issuer on this machine.
      local.is_emulated ? { AWS_ENDPOINT_URL = var.updater.endpoint_url } : {},
    )
  }

  # Callers may use it at once, so its permissions must exist before it.
  depends_on = [aws_iam_role_policy.authorizer]

  lifecycle {
    precondition {
      condition     = fileexists(var.authorizer_package)
      error_message = "There is no bundle ${var.authorizer_package}: make build-lambda-package API_AUTH=jwt."
    }
    precondition {
      condition     = var.jwt_issuer != ""
      error_message = "api_auth jwt needs jwt_issuer."
    }
    precondition {
      condition     = var.jwt_audience != ""
      error_message = "api_auth jwt needs jwt_audience."
    }
    # An issuer signs tokens for others, too: without scopes all of them could do everything.
    precondition {
      condition     = var.scopes_parameter_name != ""
      error_message = "api_auth jwt needs scopes_parameter_name."
    }
  }
}

# It allows only the function's own logs and traces.
resource "aws_iam_role" "authorizer" {
  count = local.authorizers

  name                 = "${local.authorizer}-${local.region}"
  description          = "Lets the authoriser of the API write its logs"
  permissions_boundary = var.updater.permissions_boundary == "" ? null : var.updater.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "authorizer" {
  count = local.authorizers

  name = "ecs-updater-api-jwt"
  role = aws_iam_role.authorizer[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.authorizer[0].name}:*"
      },
      # The actions have no resource type.
      ], var.updater.tracing == "PassThrough" ? [] : [
      { Sid = "WriteTraces", Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
      ], var.updater.kms_key_arn == "" ? [] : [
      {
        Sid       = "UseKey"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.updater.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "lambda.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      },
    ])
  })
}

resource "aws_cloudwatch_log_group" "authorizer" {
  #checkov:skip=CKV_AWS_158:kms_key_arn sets a key; without it CloudWatch encrypts it with its own
  #checkov:skip=CKV_AWS_338:log_retention_days decides
  count = local.authorizers

  name              = "/aws/lambda/${local.authorizer}"
  retention_in_days = var.updater.log_retention_days
  kms_key_id        = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
}

# Without a cache, so that an expired token is rejected at once.
resource "aws_api_gateway_authorizer" "this" {
  count = local.authorizers

  rest_api_id     = aws_api_gateway_rest_api.this.id
  name            = local.authorizer
  type            = "REQUEST"
  identity_source = "method.request.header.Authorization"
  authorizer_uri  = "${local.call}/${local.functions}:${aws_lambda_function.authorizer[0].function_name}/invocations"

  authorizer_result_ttl_in_seconds = 0
}

resource "aws_lambda_permission" "authorizer" {
  count = local.authorizers

  function_name = aws_lambda_function.authorizer[0].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/authorizers/${aws_api_gateway_authorizer.this[0].id}"
}
