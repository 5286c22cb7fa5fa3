# The HTTP API, a REST API with an API key. This file has the API:
#   functions.tf   the two functions behind it          status_role.tf  what the one that reads may do
#   models.tf      what a body must be                  routes.tf       which route calls what
#   responses.tf   what the gateway answers itself      stage.tf        the deployment, its logs and its limits
#   key.tf         the key and how much it may call     account.tf      the role with which API Gateway writes logs
#   resource_policy.tf  which networks and principals may call
#   authorizer.tf       the check of bearer tokens

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  api           = "${var.updater.function_name}-api"
  has_key       = var.api_auth != "jwt"
  authorization = { key = "NONE", iam = "AWS_IAM", jwt = "CUSTOM" }[var.api_auth]
  authorizer_id = one(aws_api_gateway_authorizer.this[*].id)
  is_emulated   = var.updater.endpoint_url != ""
}

resource "aws_api_gateway_rest_api" "this" {
  #checkov:skip=CKV_AWS_237:a new deployment is created before the old one is deleted; a second API would have another URL and key
  name           = local.api
  description    = "Updates ECS services and lists services and updates"
  api_key_source = "HEADER"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_request_validator" "this" {
  rest_api_id                 = aws_api_gateway_rest_api.this.id
  name                        = "body-and-parameters"
  validate_request_body       = true
  validate_request_parameters = true
}
