# What the gateway answers itself has the form of what the functions answer.

locals {
  by_iam  = var.api_auth == "iam"
  message = "$context.error.messageString" # Of the gateway, in quotes.

  responses = {
    INVALID_API_KEY = {
      status = "403", type = "Forbidden"
      text   = "\"the header x-api-key is missing, or its value is no key of this API\""
    }
    MISSING_AUTHENTICATION_TOKEN = {
      status = local.by_iam ? "403" : "404", type = local.by_iam ? "Forbidden" : "NotFound"
      text = (local.by_iam ?
        "\"there is no such route or method, or the request is not signed: GET / lists the routes\"" :
      "\"there is no such route or method: GET / lists them\"")
    }
    ACCESS_DENIED     = { status = "403", type = "Forbidden", text = local.message }
    INVALID_SIGNATURE = { status = "403", type = "Forbidden", text = local.message }
    EXPIRED_TOKEN     = { status = "403", type = "Forbidden", text = local.message }
    UNAUTHORIZED      = { status = "403", type = "Forbidden", text = local.message }
    THROTTLED         = { status = "429", type = "TooManyRequests", text = local.message, retry_after = "1" }
    QUOTA_EXCEEDED    = { status = "429", type = "QuotaExceeded", text = local.message, retry_after = "3600" }
    BAD_REQUEST_BODY = {
      status = "400", type = "InvalidEventError"
      text   = "\"[ERROR][json_validation] wrong input event format: the body is not what the schema in /openapi.json says\""
      more   = ", \"violations\": [\"$context.error.validationErrorString\"]"
    }
    BAD_REQUEST_PARAMETERS = { status = "400", type = "BadRequest", text = local.message }
    UNSUPPORTED_MEDIA_TYPE = { status = "415", type = "UnsupportedMediaType", text = local.message }
    REQUEST_TOO_LARGE      = { status = "413", type = "PayloadTooLarge", text = local.message }
    INTEGRATION_TIMEOUT = {
      status = "504", type = "GatewayTimeout"
      text   = "\"no answer within 29 seconds: an update goes on; GET /deployments tells what became of it, and the same request_id gets its answer\""
    }
    INTEGRATION_FAILURE = { status = "504", type = "IntegrationFailure", text = local.message }
    # Of the rest each keeps the status that it has.
    DEFAULT_4XX = { status = null, type = "BadRequest", text = local.message }
    DEFAULT_5XX = { status = null, type = "InternalServerError", text = local.message }
  }
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = local.responses

  rest_api_id   = aws_api_gateway_rest_api.this.id
  response_type = each.key
  status_code   = each.value.status

  response_parameters = try({ "gatewayresponse.header.Retry-After" = "'${each.value.retry_after}'" }, null)
  response_templates = {
    "application/json" = "{\"errorType\": \"${each.value.type}\", \"errorMessage\": ${each.value.text}, \"requestId\": \"$context.requestId\"${try(each.value.more, "")}}"
  }
}
