mock_provider "aws" {
  source = "./tests/mocks"

  # Values that AWS generates during apply.
  mock_resource "aws_api_gateway_rest_api" {
    defaults = {
      id               = "an-api"
      root_resource_id = "root"
      execution_arn    = "arn:aws-iso-b:execute-api:us-isob-east-1:111122223333:an-api"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws-iso-b:iam::111122223333:role/a-role"
    }
  }
}

variables {
  schemas_directory = "tests/schemas" # Each file has only its name.
  updater = {
    function_name        = "ecs-updater"
    lambda_package       = "main.tf" # Any file, because nothing is uploaded.
    runtime              = "python3.13"
    architecture         = "x86_64"
    cluster_name         = "team-one"
    role_arn             = "arn:aws-iso-b:iam::111122223333:role/updater"
    log_group_name       = "/aws/lambda/updater"
    permissions_boundary = ""
    ledger_table_name    = "a-ledger"
    log_level            = "INFO"
    tracing              = "PassThrough"
    kms_key_arn          = ""
    log_retention_days   = 14
    endpoint_url         = ""
    environment          = { LEDGER_TABLE = "a-ledger", ECS_ARN_PREFIX = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:", TARGETS_PARAMETER = "" }
  }
}

run "the_status_function_can_only_read" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.status.policy).Statement : one.Sid => [one.Action, one.Resource] } == {
      ListClusters        = ["ecs:ListClusters", "*"]
      ListServices        = ["ecs:ListServices", "*"]
      ReadTaskDefinitions = ["ecs:DescribeTaskDefinition", "*"]
      ReadServices        = ["ecs:DescribeServices", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/*"]
      ReadLedger          = [["dynamodb:GetItem", "dynamodb:Query"], "arn:aws-iso-b:dynamodb:us-isob-east-1:111122223333:table/a-ledger"]
      ReadRecent          = ["dynamodb:Query", "arn:aws-iso-b:dynamodb:us-isob-east-1:111122223333:table/a-ledger/index/recent"]
      WriteLogs           = [["logs:CreateLogStream", "logs:PutLogEvents"], "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/aws/lambda/ecs-updater-api-status:*"]
    }
    error_message = "A statement allows actions other than reading, or another resource."
  }
}

run "it_lists_the_services_of_targets_with_their_read_roles" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    updater               = merge(var.updater, { environment = merge(var.updater.environment, { TARGETS_PARAMETER = "/team/targets" }) })
    target_read_role_arns = ["arn:aws-iso-b:iam::222222222222:role/team-target-read-*"]
  }

  assert {
    condition = {
      for one in jsondecode(aws_iam_role_policy.status.policy).Statement : one.Action => [one.Resource] if try(contains(["ReadTargets", "AssumeTargetRoles"], one.Sid), false)
      } == {
      "ssm:GetParameter" = ["arn:aws-iso-b:ssm:us-isob-east-1:111122223333:parameter/team/targets"]
      "sts:AssumeRole"   = [["arn:aws-iso-b:iam::222222222222:role/team-target-read-*"]]
    }
    error_message = "The status function cannot read the targets, or can read more."
  }
  assert {
    condition = [for name in ["ECS_ARN_PREFIX", "TARGETS_PARAMETER"] : aws_lambda_function.status.environment[0].variables[name]] == [
      "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:", "/team/targets",
    ]
    error_message = "The status function knows neither its account nor the targets."
  }
}

run "the_update_function_has_the_updaters_role_and_log_group" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = aws_lambda_function.update.role == var.updater.role_arn && aws_lambda_function.update.logging_config[0].log_group == var.updater.log_group_name
    error_message = "Its role cannot write its logs or cannot update."
  }
}

run "every_route_but_the_help_requires_the_key" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition = alltrue([
      for one in [
        aws_api_gateway_method.update, aws_api_gateway_method.rollback, aws_api_gateway_method.list, aws_api_gateway_method.deployments,
        aws_api_gateway_method.deployment, aws_api_gateway_method.openapi, aws_api_gateway_method.answer["approve"],
        aws_api_gateway_method.answer["reject"],
      ] : one.api_key_required && one.authorization == "NONE"
    ])
    error_message = "A route is public or requires a signature."
  }
  assert {
    condition     = !aws_api_gateway_method.help.api_key_required && aws_api_gateway_method.help.authorization == "NONE"
    error_message = "The help is closed."
  }
  assert {
    condition     = aws_api_gateway_gateway_response.this["MISSING_AUTHENTICATION_TOKEN"].status_code == "404"
    error_message = "A missing route does not answer 404."
  }
}

run "with_iam_they_require_a_signature_too" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    api_auth = "iam"
  }

  assert {
    condition = alltrue([
      for one in [
        aws_api_gateway_method.update, aws_api_gateway_method.rollback, aws_api_gateway_method.list, aws_api_gateway_method.deployments,
        aws_api_gateway_method.deployment, aws_api_gateway_method.openapi, aws_api_gateway_method.answer["approve"],
        aws_api_gateway_method.answer["reject"],
      ] : one.api_key_required && one.authorization == "AWS_IAM"
    ])
    error_message = "A route accepts a request without key or signature."
  }
  assert {
    condition     = !aws_api_gateway_method.help.api_key_required && aws_api_gateway_method.help.authorization == "NONE"
    error_message = "The help is closed."
  }
  assert {
    condition     = aws_api_gateway_gateway_response.this["MISSING_AUTHENTICATION_TOKEN"].status_code == "403"
    error_message = "A request without signature gets 404."
  }
}

run "with_jwt_they_require_a_bearer_token_and_no_key" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    api_auth              = "jwt"
    jwt_issuer            = "https://issuer.example.com"
    jwt_audience          = "updater"
    scopes_parameter_name = "/ecs-updater/scopes"
    authorizer_package    = "main.tf" # Any file, because nothing is uploaded.
  }

  assert {
    condition = alltrue([
      for one in [
        aws_api_gateway_method.update, aws_api_gateway_method.rollback, aws_api_gateway_method.list, aws_api_gateway_method.deployments,
        aws_api_gateway_method.deployment, aws_api_gateway_method.openapi, aws_api_gateway_method.answer["approve"],
        aws_api_gateway_method.answer["reject"],
      ] : !one.api_key_required && one.authorization == "CUSTOM"
    ])
    error_message = "A route accepts a request without a token or requires a key."
  }
  assert {
    condition     = !aws_api_gateway_method.help.api_key_required && aws_api_gateway_method.help.authorization == "NONE"
    error_message = "The help is closed."
  }
  assert {
    condition     = length(aws_api_gateway_api_key.this) + length(aws_api_gateway_usage_plan.this) + length(aws_api_gateway_usage_plan_key.this) == 0
    error_message = "There is a key that no route requires."
  }
  assert {
    condition     = aws_api_gateway_authorizer.this[0].type == "REQUEST" && aws_api_gateway_authorizer.this[0].authorizer_result_ttl_in_seconds == 0
    error_message = "The result for a token is kept after the token's end."
  }
  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.authorizer[0].policy).Statement : one.Sid => [one.Action, one.Resource] } == {
      WriteLogs = [["logs:CreateLogStream", "logs:PutLogEvents"], "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/aws/lambda/ecs-updater-api-jwt:*"]
    }
    error_message = "The authoriser may do more than write its logs."
  }
  assert {
    condition     = aws_lambda_function.authorizer[0].environment[0].variables["JWT_AUDIENCE"] == "updater" && !contains(keys(aws_lambda_function.authorizer[0].environment[0].variables), "AWS_ENDPOINT_URL")
    error_message = "The authoriser does not know the audience, or takes an issuer in a private network."
  }
}

run "jwt_needs_issuer_audience_scopes_and_bundle" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    api_auth           = "jwt"
    authorizer_package = "nowhere.zip"
  }
  expect_failures = [aws_lambda_function.authorizer]
}

run "jwt_needs_scopes" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    api_auth           = "jwt"
    jwt_issuer         = "https://issuer.example.com"
    jwt_audience       = "updater"
    authorizer_package = "main.tf"
  }
  expect_failures = [aws_lambda_function.authorizer]
}

run "each_model_is_its_file_and_validates_bodies" {
  command = apply
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = { for name, one in aws_api_gateway_model.event : name => jsondecode(one.schema).title } == { update = "update", short = "short", rollback = "rollback", short-rollback = "short-rollback", hook-answer = "hook-answer" }
    error_message = "A model has the schema of another."
  }
  assert {
    condition = jsondecode(aws_api_gateway_model.update_body.schema).anyOf == [
      { "$ref" = "https://apigateway.amazonaws.com/restapis/an-api/models/Update" },
      { "$ref" = "https://apigateway.amazonaws.com/restapis/an-api/models/Short" },
    ]
    error_message = "The model of an update is not the event or its short form."
  }
  assert {
    condition = jsondecode(aws_api_gateway_model.rollback_body.schema).anyOf == [
      { "$ref" = "https://apigateway.amazonaws.com/restapis/an-api/models/Rollback" },
      { "$ref" = "https://apigateway.amazonaws.com/restapis/an-api/models/ShortRollback" },
    ]
    error_message = "The model of a rollback is not the event or its short form."
  }
  assert {
    condition     = aws_api_gateway_method.update.request_models["application/json"] == "UpdateBody" && aws_api_gateway_method.rollback.request_models["application/json"] == "RollbackBody"
    error_message = "A body is validated with another model."
  }
  assert {
    condition = alltrue([
      for one in concat([aws_api_gateway_method.update, aws_api_gateway_method.rollback], values(aws_api_gateway_method.answer)) :
      one.request_validator_id == aws_api_gateway_request_validator.this.id
    ]) && aws_api_gateway_request_validator.this.validate_request_body
    error_message = "A body is not validated."
  }
}

run "the_api_may_call_each_function_only_with_its_method" {
  command = apply
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition = [for one in [aws_lambda_permission.update, aws_lambda_permission.status] : [one.principal, one.source_arn]] == [
      ["apigateway.amazonaws.com", "arn:aws-iso-b:execute-api:us-isob-east-1:111122223333:an-api/*/POST/*"],
      ["apigateway.amazonaws.com", "arn:aws-iso-b:execute-api:us-isob-east-1:111122223333:an-api/*/GET/*"],
    ]
    error_message = "Another API may call a function, or this one with another method."
  }
}

run "the_url_is_that_of_aws" {
  command = apply
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = output.api_invoke_url == "https://an-api.execute-api.us-isob-east-1.sc2s.sgov.gov/v1"
    error_message = "The URL of the API is wrong."
  }
  assert {
    condition     = alltrue([for one in [aws_lambda_function.update, aws_lambda_function.status] : !contains(keys(one.environment[0].variables), "AWS_ENDPOINT_URL")])
    error_message = "A function would call another endpoint than AWS's."
  }
}

run "with_an_endpoint_every_url_is_the_emulators" {
  command = apply
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    stage_name = "two"
    updater    = merge(var.updater, { endpoint_url = "http://127.0.0.1:4566", environment = merge(var.updater.environment, { AWS_ENDPOINT_URL = "http://127.0.0.1:4566" }) })
  }

  assert {
    condition     = output.api_invoke_url == "http://127.0.0.1:4566/restapis/an-api/two/_user_request_"
    error_message = "The URL of the API on the emulator is wrong."
  }
  assert {
    condition     = alltrue([for one in [aws_lambda_function.update, aws_lambda_function.status] : one.environment[0].variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"])
    error_message = "A function would not call the emulator."
  }
}

run "the_logs_name_a_key_by_its_number" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = !strcontains(aws_api_gateway_stage.this.access_log_settings[0].format, "identity.apiKey\"") && !aws_api_gateway_method_settings.this.settings[0].data_trace_enabled
    error_message = "A key is written into the logs."
  }
}

run "the_accounts_setting_stays_by_default" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = length(aws_api_gateway_account.this) + length(aws_iam_role.logs) == 0
    error_message = "The setting of the account would be overwritten."
  }
}

run "the_accounts_role_can_only_write_logs" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    account_log_role = "make"
    updater          = merge(var.updater, { permissions_boundary = "arn:aws:iam::aws:policy/PowerUserAccess" })
  }

  assert {
    condition = alltrue([
      for one in jsondecode(aws_iam_role_policy.logs[0].policy).Statement :
      alltrue([for action in one.Action : startswith(action, "logs:")]) && one.Resource == "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:*"
    ])
    error_message = "The role may do more than write logs."
  }
  assert {
    condition     = alltrue([for one in [aws_iam_role.logs[0], aws_iam_role.status] : one.permissions_boundary == var.updater.permissions_boundary])
    error_message = "A role has no permissions boundary."
  }
}

run "without_a_permissions_boundary_there_is_none" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = aws_iam_role.status.permissions_boundary == null
    error_message = "The permissions boundary must be absent, not empty."
  }
}

run "the_longest_name_leaves_room_for_derived_names" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    account_log_role = "make"
    updater          = merge(var.updater, { function_name = "abcdefghijklmnopqrstuvwxyz_abcdefghijk" })
  }

  assert {
    condition = alltrue([
      for name in [aws_iam_role.status.name, aws_iam_role.logs[0].name, aws_lambda_function.update.function_name, aws_lambda_function.status.function_name] : length(name) <= 64
    ])
    error_message = "IAM and Lambda take no name longer than 64 characters."
  }
}

run "without_scopes_no_function_may_read_a_parameter" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = length(aws_iam_role_policy.scopes) == 0 && !strcontains(aws_iam_role_policy.status.policy, "ssm:")
    error_message = "A function may read a parameter although there are no scopes."
  }
}

run "with_scopes_both_functions_read_them_and_know_the_authentication" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    scopes_parameter_name = "/team/scopes"
    api_auth              = "iam"
  }

  assert {
    condition = alltrue([
      for policy in [aws_iam_role_policy.scopes[0].policy, aws_iam_role_policy.status.policy] :
      contains(jsondecode(policy).Statement, {
        Sid      = "ReadScopes", Effect = "Allow", Action = "ssm:GetParameter"
        Resource = "arn:aws-iso-b:ssm:us-isob-east-1:111122223333:parameter/team/scopes"
      })
    ])
    error_message = "A function may not read the scopes."
  }
  assert {
    condition = alltrue([
      for one in [aws_lambda_function.update, aws_lambda_function.status] :
      one.environment[0].variables["SCOPES_PARAMETER"] == "/team/scopes" && one.environment[0].variables["API_AUTH"] == "iam"
    ])
    error_message = "A function does not know the scopes or the authentication."
  }
}

run "the_name_of_the_scopes_begins_with_a_slash" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    scopes_parameter_name = "scopes"
  }
  expect_failures = [var.scopes_parameter_name]
}

run "hooks_can_be_answered_only_if_approvals_are_on" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = length(aws_iam_role_policy.approvals) == 0 && aws_lambda_function.update.environment[0].variables["APPROVALS"] == "off"
    error_message = "The update function may answer hooks although approvals are off."
  }
}

run "with_approvals_the_update_function_answers_hooks_in_its_cluster" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    approvals = "on"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.approvals[0].policy).Statement == [{
      Sid      = "AnswerHooks", Effect = "Allow", Action = "ecs:ContinueServiceDeployment"
      Resource = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service-deployment/${var.updater.cluster_name}/*"
    }]
    error_message = "The policy does not allow exactly the answers to hooks in the cluster."
  }
  assert {
    condition = alltrue([
      for one in [aws_lambda_function.update, aws_lambda_function.status] : one.environment[0].variables["APPROVALS"] == "on"
    ])
    error_message = "A function does not know that approvals are on."
  }
}

run "a_missing_bundle_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    updater = merge(var.updater, { lambda_package = "nowhere.zip" })
  }
  expect_failures = [aws_lambda_function.update, aws_lambda_function.status]
}

run "missing_schemas_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    schemas_directory = "nowhere"
  }
  expect_failures = [aws_api_gateway_model.event]
}

run "the_lowest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    update_memory_size = 128
    status_memory_size = 128
    throttle_rate      = 1
    throttle_burst     = 1
    key_rate           = 1
    key_burst          = 1
    daily_quota        = 1
    tag_filters        = []
  }
}

run "the_highest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    update_memory_size = 10240
    status_memory_size = 10240
    throttle_rate      = 10000
    throttle_burst     = 5000
    key_rate           = 10000
    key_burst          = 5000
    daily_quota        = 10000000
  }
}

run "values_below_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    updater                     = merge(var.updater, { ledger_table_name = "" })
    schemas_directory           = ""
    update_memory_size          = 127
    status_memory_size          = 127
    update_reserved_concurrency = -2
    status_reserved_concurrency = -2
    api_auth                    = "none"
    stage_name                  = ""
    throttle_rate               = 0
    throttle_burst              = 0
    key_rate                    = 0
    key_burst                   = 0
    daily_quota                 = 0
    tag_filters                 = [""]
    environment                 = "a,b"
    account_log_role            = "ours"
    jwt_issuer                  = "an issuer"
    jwt_audience                = "an audience"
    jwks_url                    = "http://issuer.example.com/keys"
    authorizer_package          = " "

    target_read_role_arns = [""]
  }
  expect_failures = [
    var.updater, var.schemas_directory, var.update_memory_size, var.status_memory_size,
    var.update_reserved_concurrency, var.status_reserved_concurrency, var.api_auth, var.stage_name,
    var.throttle_rate, var.throttle_burst, var.key_rate, var.key_burst, var.daily_quota, var.tag_filters, var.environment,
    var.account_log_role, var.jwt_issuer, var.jwt_audience, var.jwks_url, var.authorizer_package, var.target_read_role_arns,
  ]
}

run "values_above_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    update_memory_size          = 10241
    status_memory_size          = 10241
    update_reserved_concurrency = 1001
    status_reserved_concurrency = 1001
    stage_name                  = "v1/two"
    throttle_rate               = 10001
    throttle_burst              = 5001
    key_rate                    = 10001
    key_burst                   = 5001
    daily_quota                 = 10000001
    tag_filters                 = ["owner", "limit"]
  }
  expect_failures = [
    var.update_memory_size, var.status_memory_size, var.update_reserved_concurrency, var.status_reserved_concurrency, var.stage_name, var.throttle_rate, var.throttle_burst, var.key_rate,
    var.key_burst, var.daily_quota, var.tag_filters,
  ]
}

run "fractions_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    update_memory_size          = 256.5
    status_memory_size          = 256.5
    update_reserved_concurrency = 1.5
    status_reserved_concurrency = 1.5
    throttle_rate               = 1.5
    throttle_burst              = 1.5
    key_rate                    = 1.5
    key_burst                   = 1.5
    daily_quota                 = 1.5
  }
  expect_failures = [
    var.update_memory_size, var.status_memory_size, var.update_reserved_concurrency, var.status_reserved_concurrency,
    var.throttle_rate, var.throttle_burst, var.key_rate, var.key_burst, var.daily_quota,
  ]
}

run "there_is_no_resource_policy_by_default" {
  command = plan
  module {
    source = "./modules/ecs-updater-api"
  }

  assert {
    condition     = length(aws_api_gateway_rest_api_policy.this) == 0
    error_message = "A resource policy is there that nobody asked for."
  }
}

run "named_networks_and_principals_are_in_the_resource_policy" {
  module {
    source = "./modules/ecs-updater-api"
  }
  variables {
    api_auth              = "iam"
    source_cidrs          = ["192.0.2.0/24"]
    caller_principal_arns = ["arn:aws-iso-b:iam::444455556666:role/deployer"]
  }

  assert {
    condition = [for one in jsondecode(aws_api_gateway_rest_api_policy.this[0].policy).Statement : [one.Sid, one.Effect, one.Resource]] == [
      ["AllowAnonymous", "Allow", "arn:aws-iso-b:execute-api:us-isob-east-1:111122223333:an-api/*/GET/"],
      ["AllowPrincipals", "Allow", "arn:aws-iso-b:execute-api:us-isob-east-1:111122223333:an-api/*"],
      ["RefuseOtherNetworks", "Deny", "arn:aws-iso-b:execute-api:us-isob-east-1:111122223333:an-api/*"],
    ]
    error_message = "With IAM everyone may call more than the help, or a network or a principal is missing."
  }
}
