# API Gateway's own errors have the same form as the functions' responses.

locals {
  by_iam  = var.api_auth == "iam"
  by_jwt  = var.api_auth == "jwt"
  message = "$context.error.messageString" # Of the gateway, in quotes.

  responses = {
    INVALID_API_KEY = {
      status = "403", type = "Forbidden"
      text   = "\"the header x-api-key is missing, or its value is not a key of this API\""
    }
    MISSING_AUTHENTICATION_TOKEN = {
      status = local.by_iam ? "403" : "404", type = local.by_iam ? "Forbidden" : "NotFound"
      text = (local.by_iam ?
        "\"there is no such route or method, or the request is not signed: GET / lists the routes\"" :
      "\"there is no such route or method: GET / lists them\"")
    }
    # With api_auth jwt.
    UNAUTHORIZED = {
      status = "401", type = "Unauthorized", header = { WWW-Authenticate = "Bearer" }
      text   = "\"the header Authorization has no valid bearer token: the log of the authoriser has the reason\""
    }
    # With api_auth jwt the authoriser denies what has no valid token.
    ACCESS_DENIED = {
      status = local.by_jwt ? "401" : "403", type = local.by_jwt ? "Unauthorized" : "$context.error.responseType"
      text = (local.by_jwt ?
        "\"the bearer token is not valid, or the resource policy denies the request: the log of the authoriser has the reason\"" :
      local.message)
      header = local.by_jwt ? { WWW-Authenticate = "Bearer" } : null
    }
    AUTHORIZER_FAILURE = {
      status = "500", type = "AuthorizerFailure"
      text   = "\"the bearer token could not be checked: try again; the log of the authoriser has the reason\""
    }
    THROTTLED      = { status = "429", type = "TooManyRequests", text = local.message, header = { Retry-After = "1" } }
    QUOTA_EXCEEDED = { status = "429", type = "QuotaExceeded", text = local.message, header = { Retry-After = "3600" } }
    BAD_REQUEST_BODY = {
      status = "400", type = "InvalidEventError"
      text   = "\"[ERROR][json_validation] wrong input event format: the body is not what the schema in /openapi.json says\""
      more   = ", \"violations\": [\"$context.error.validationErrorString\"]"
    }
    INTEGRATION_TIMEOUT = {
      status = "504", type = "GatewayTimeout"
      text   = "\"no answer within 29 seconds: an update goes on; GET /deployments shows its result, and the same request_id gets its answer\""
    }
    # Other errors keep their status. Their errorType is the response type, such as EXPIRED_TOKEN.
    DEFAULT_4XX = { status = null, type = "$context.error.responseType", text = local.message }
    DEFAULT_5XX = { status = null, type = "$context.error.responseType", text = local.message }
  }
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = local.responses

  rest_api_id   = aws_api_gateway_rest_api.this.id
  response_type = each.key
  status_code   = each.value.status

  response_parameters = try({ for name, value in each.value.header : "gatewayresponse.header.${name}" => "'${value}'" }, null)
  response_templates = {
    "application/json" = "{\"errorType\": \"${each.value.type}\", \"errorMessage\": ${each.value.text}, \"requestId\": \"$context.requestId\"${try(each.value.more, "")}}"
  }
}
