# The API key and its limits. With api_auth jwt there is no key, so only the stage's limits apply.

resource "aws_api_gateway_usage_plan" "this" {
  count = local.has_key ? 1 : 0

  name        = local.api
  description = "Limits of one API key"

  api_stages {
    api_id = aws_api_gateway_rest_api.this.id
    stage  = aws_api_gateway_stage.this.stage_name
  }

  throttle_settings {
    rate_limit  = var.key_rate
    burst_limit = var.key_burst
  }

  quota_settings {
    limit  = var.daily_quota
    period = "DAY"
  }
}

# API Gateway generates the value. It is in no output, but in Terraform's state: restrict access to it.
resource "aws_api_gateway_api_key" "this" {
  count = local.has_key ? 1 : 0

  name        = local.api
  description = "API key of the callers"
  enabled     = true
  # The provider sends an empty string, which the emulator refuses as too short.
  value = local.is_emulated ? sha256("${local.api} of an emulator") : null
}

resource "aws_api_gateway_usage_plan_key" "this" {
  count = local.has_key ? 1 : 0

  key_id        = aws_api_gateway_api_key.this[0].id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.this[0].id
}
