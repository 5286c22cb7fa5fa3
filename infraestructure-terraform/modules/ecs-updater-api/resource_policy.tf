# The resource policy of the API, on request.

locals {
  caller_principals = var.api_auth == "iam" ? var.caller_principal_arns : []
  every_call        = "${aws_api_gateway_rest_api.this.execution_arn}/*"
}

resource "aws_api_gateway_rest_api_policy" "this" {
  count = length(var.source_cidrs) + length(local.caller_principals) == 0 ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      # API Gateway refuses anonymous calls that the policy does not allow. A signed call of this account needs only one of its own
      # policy and this one, so with IAM only the help is allowed here.
      {
        Sid       = "AllowAnonymous"
        Effect    = "Allow"
        Principal = "*"
        Action    = "execute-api:Invoke"
        Resource  = var.api_auth == "iam" ? "${aws_api_gateway_rest_api.this.execution_arn}/*/GET/" : local.every_call
      },
      ], length(local.caller_principals) == 0 ? [] : [
      {
        Sid       = "AllowPrincipals"
        Effect    = "Allow"
        Principal = { AWS = local.caller_principals }
        Action    = "execute-api:Invoke"
        Resource  = local.every_call
      },
      ], length(var.source_cidrs) == 0 ? [] : [
      {
        Sid       = "RefuseOtherNetworks"
        Effect    = "Deny"
        Principal = "*"
        Action    = "execute-api:Invoke"
        Resource  = local.every_call
        Condition = { NotIpAddress = { "aws:SourceIp" = var.source_cidrs } }
      },
    ])
  })
}
