# Routes and their functions. All but the help require an API key and, with api_auth iam, a signature; with jwt a bearer token instead.

locals {
  # Built from the names, so that a plan shows what each route calls.
  functions = "arn:${local.partition}:lambda:${local.region}:${local.account}:function"
  call      = "arn:${local.partition}:apigateway:${local.region}:lambda:path/2015-03-31/functions"
  update    = "${local.call}/${local.functions}:${aws_lambda_function.update.function_name}/invocations"
  status    = "${local.call}/${local.functions}:${aws_lambda_function.status.function_name}/invocations"
}

resource "aws_api_gateway_resource" "update" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "update"
}

resource "aws_api_gateway_resource" "rollback" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "rollback"
}

resource "aws_api_gateway_resource" "list" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "list"
}

resource "aws_api_gateway_resource" "deployments" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "deployments"
}

resource "aws_api_gateway_resource" "deployment" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.deployments.id
  path_part   = "{id}"
}

# The answers to the hook that a deployment awaits. The keys are written out, because `terraform import` refuses those of a resource
# that does not exist yet.
locals {
  answers = toset(["approve", "reject"])
}

resource "aws_api_gateway_resource" "answer" {
  for_each = local.answers

  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.deployment.id
  path_part   = each.key
}

resource "aws_api_gateway_resource" "openapi" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "openapi.json"
}

# Public: it lists the routes and no services.
resource "aws_api_gateway_method" "help" {
  #checkov:skip=CKV_AWS_59:the help is public: it lists the routes and no services
  #checkov:skip=CKV2_AWS_53:there is no body, and the function validates the query
  rest_api_id      = aws_api_gateway_rest_api.this.id
  resource_id      = aws_api_gateway_rest_api.this.root_resource_id
  http_method      = "GET"
  api_key_required = false
  authorization    = "NONE"
}

resource "aws_api_gateway_integration" "help" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.help.resource_id
  http_method             = aws_api_gateway_method.help.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.status
}

resource "aws_api_gateway_method" "update" {
  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = aws_api_gateway_resource.update.id
  http_method          = "POST"
  api_key_required     = local.has_key
  authorization        = local.authorization
  authorizer_id        = local.authorizer_id
  request_validator_id = aws_api_gateway_request_validator.this.id
  request_models       = { "application/json" = aws_api_gateway_model.update_body.name }
}

resource "aws_api_gateway_integration" "update" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.update.resource_id
  http_method             = aws_api_gateway_method.update.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.update
}

resource "aws_api_gateway_method" "rollback" {
  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = aws_api_gateway_resource.rollback.id
  http_method          = "POST"
  api_key_required     = local.has_key
  authorization        = local.authorization
  authorizer_id        = local.authorizer_id
  request_validator_id = aws_api_gateway_request_validator.this.id
  request_models       = { "application/json" = aws_api_gateway_model.rollback_body.name }
}

resource "aws_api_gateway_integration" "rollback" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.rollback.resource_id
  http_method             = aws_api_gateway_method.rollback.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.update
}

resource "aws_api_gateway_method" "answer" {
  for_each = local.answers

  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = aws_api_gateway_resource.answer[each.key].id
  http_method          = "POST"
  api_key_required     = local.has_key
  authorization        = local.authorization
  authorizer_id        = local.authorizer_id
  request_parameters   = { "method.request.path.id" = true }
  request_validator_id = aws_api_gateway_request_validator.this.id
  request_models       = { "application/json" = aws_api_gateway_model.event["hook-answer"].name }
}

resource "aws_api_gateway_integration" "answer" {
  for_each = local.answers

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.answer[each.key].id
  http_method             = aws_api_gateway_method.answer[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.update
}

resource "aws_api_gateway_method" "list" {
  #checkov:skip=CKV2_AWS_53:there is no body, and the function validates the query
  rest_api_id      = aws_api_gateway_rest_api.this.id
  resource_id      = aws_api_gateway_resource.list.id
  http_method      = "GET"
  api_key_required = local.has_key
  authorization    = local.authorization
  authorizer_id    = local.authorizer_id
}

resource "aws_api_gateway_integration" "list" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.list.resource_id
  http_method             = aws_api_gateway_method.list.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.status
}

resource "aws_api_gateway_method" "deployments" {
  #checkov:skip=CKV2_AWS_53:there is no body, and the function validates the query
  rest_api_id      = aws_api_gateway_rest_api.this.id
  resource_id      = aws_api_gateway_resource.deployments.id
  http_method      = "GET"
  api_key_required = local.has_key
  authorization    = local.authorization
  authorizer_id    = local.authorizer_id
}

resource "aws_api_gateway_integration" "deployments" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.deployments.resource_id
  http_method             = aws_api_gateway_method.deployments.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.status
}

resource "aws_api_gateway_method" "deployment" {
  #checkov:skip=CKV2_AWS_53:there is no body, and the function validates the query
  rest_api_id        = aws_api_gateway_rest_api.this.id
  resource_id        = aws_api_gateway_resource.deployment.id
  http_method        = "GET"
  api_key_required   = local.has_key
  authorization      = local.authorization
  authorizer_id      = local.authorizer_id
  request_parameters = { "method.request.path.id" = true }
}

resource "aws_api_gateway_integration" "deployment" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.deployment.resource_id
  http_method             = aws_api_gateway_method.deployment.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.status
}

resource "aws_api_gateway_method" "openapi" {
  #checkov:skip=CKV2_AWS_53:there is no body, and the function validates the query
  rest_api_id      = aws_api_gateway_rest_api.this.id
  resource_id      = aws_api_gateway_resource.openapi.id
  http_method      = "GET"
  api_key_required = local.has_key
  authorization    = local.authorization
  authorizer_id    = local.authorizer_id
}

resource "aws_api_gateway_integration" "openapi" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.openapi.resource_id
  http_method             = aws_api_gateway_method.openapi.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.status
}
