# The stage: its deployment, its logs and its limits.

locals {
  # A change of any of these files is deployed.
  parts = ["authorizer.tf", "main.tf", "models.tf", "responses.tf", "routes.tf"]
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  description = "Deployment of the API"

  triggers = {
    parts   = sha256(join("", [for name in local.parts : file("${path.module}/${name}")]))
    schemas = sha256(join("", [for name in keys(local.events) : try(file("${var.schemas_directory}/${name}.json"), "")]))
    calls   = sha256(join(" ", [local.update, local.status]))
    auth    = var.api_auth
    callers = jsonencode([var.source_cidrs, local.caller_principals])
  }

  depends_on = [
    aws_api_gateway_gateway_response.this, aws_api_gateway_integration.help, aws_api_gateway_integration.update,
    aws_api_gateway_integration.rollback, aws_api_gateway_integration.answer, aws_api_gateway_integration.list,
    aws_api_gateway_integration.deployments, aws_api_gateway_integration.deployment, aws_api_gateway_integration.openapi,
    aws_api_gateway_rest_api_policy.this,
  ]

  lifecycle {
    create_before_destroy = true # The stage has one at every moment.
  }
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_73:tracing decides: X-Ray costs per trace
  #checkov:skip=CKV_AWS_120:a cache would show services as they were, and costs per hour
  #checkov:skip=CKV2_AWS_4:access logs have every request; execution logs would also store bodies, without expiry
  #checkov:skip=CKV2_AWS_29:a firewall costs per month; API key, quota and throttling bound the requests
  #checkov:skip=CKV2_AWS_51:callers have a key and, if wanted, a signature; certificates are for back ends that are not Lambda
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = var.stage_name
  description          = "Stage of the API"
  xray_tracing_enabled = var.updater.tracing == "Active"

  access_log_settings {
    # Built from the name, so that a plan shows it.
    destination_arn = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.access.name}"
    # One line of JSON per call, with the id of a key instead of its value.
    format = jsonencode({
      requestId        = "$context.requestId"
      time             = "$context.requestTime"
      ip               = "$context.identity.sourceIp"
      apiKeyId         = "$context.identity.apiKeyId"
      caller           = "$context.identity.userArn"
      sub              = "$context.authorizer.principalId"
      method           = "$context.httpMethod"
      route            = "$context.resourcePath"
      status           = "$context.status"
      latency          = "$context.responseLatency"
      integrationError = "$context.integration.error"
      error            = "$context.error.responseType"
    })
  }

  # API Gateway refuses a stage with logs while the account has no role for them.
  depends_on = [aws_api_gateway_account.this]
}

# Neither bodies nor headers are logged: they contain events and the key.
resource "aws_api_gateway_method_settings" "this" {
  #checkov:skip=CKV_AWS_225:a cache would show services as they were, and costs per hour
  #checkov:skip=CKV_AWS_308:there is no cache
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    throttling_rate_limit  = var.throttle_rate
    throttling_burst_limit = var.throttle_burst
    caching_enabled        = false
    data_trace_enabled     = false
    logging_level          = "OFF"
    metrics_enabled        = false
  }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:kms_key_arn sets a key; without it CloudWatch encrypts it with its own
  #checkov:skip=CKV_AWS_338:log_retention_days decides
  name              = "/aws/apigateway/${local.api}"
  retention_in_days = var.updater.log_retention_days
  kms_key_id        = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
}
