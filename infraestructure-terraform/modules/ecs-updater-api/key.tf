# The API key and its limits.

resource "aws_api_gateway_usage_plan" "this" {
  name        = local.api
  description = "How much one key may call"

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

# API Gateway makes its value up. No output has it; the state, which has everything, does: keep it where no one else reads.
resource "aws_api_gateway_api_key" "this" {
  name        = local.api
  description = "The key with which the API is called"
  enabled     = true
  # The provider sends an empty one, which the emulator takes for one that is too short.
  value = local.is_emulated ? sha256("${local.api} of an emulator") : null
}

resource "aws_api_gateway_usage_plan_key" "this" {
  key_id        = aws_api_gateway_api_key.this.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.this.id
}
