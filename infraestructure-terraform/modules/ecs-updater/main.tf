# ecs-updater for the services of a cluster: ledger and function, and on request the HTTP API, the queue, the functions for pushes and
# for CodePipeline, and the alarms with the dashboard. An input that is null has its default in the module that takes it. These modules also validate the values.

locals {
  project        = "${path.module}/../../.."
  lambda_package = coalesce(var.lambda_package, "${local.project}/build/ecs-updater-package.zip")

  # The permissions that the allowed fields need.
  run_tasks             = length(setintersection(var.allowed_fields, ["run_before", "*"])) > 0
  read_scalable_targets = length(setintersection(var.allowed_fields, ["ecs_desired_count", "*"])) > 0
}

module "ledger" {
  source = "../ecs-updater-ledger"

  function_name  = var.function_name
  lambda_package = local.lambda_package
  runtime        = var.runtime
  architecture   = var.architecture

  cluster_name           = var.cluster_name
  task_definition_family = var.task_definition_family
  passable_role_arns     = var.passable_role_arns
  run_tasks              = local.run_tasks
  task_log_group_name    = var.task_log_group_name
  targets_parameter_name = var.targets_parameter_name
  target_role_arns       = var.target_role_arns
  express_services       = var.express_services
  permissions_boundary   = var.permissions_boundary

  deletion_protection   = var.deletion_protection
  ledger_retention_days = var.settings.ledger_retention_days
  poll_minutes          = var.settings.poll_minutes
  deployment_alarms     = var.settings.deployment_alarms
  task_failures         = var.settings.task_failures
  open_update_max_hours = var.settings.open_update_max_hours

  event_bus_name   = var.event_bus_name
  notify_topic_arn = var.notify_topic_arn

  endpoint_url       = var.endpoint_url
  log_level          = var.settings.log_level
  log_retention_days = var.settings.log_retention_days
  metrics_by_service = var.metrics_by_service
  tracing            = var.tracing
  kms_key_arn        = var.kms_key_arn
}

module "lambda" {
  source = "../ecs-updater-lambda"

  function_name        = var.function_name
  lambda_package       = local.lambda_package
  runtime              = var.runtime
  architecture         = var.architecture
  memory_size          = var.settings.memory_size
  timeout              = var.settings.timeout
  reserved_concurrency = var.reserved_concurrency

  cluster_name           = var.cluster_name
  task_definition_family = var.task_definition_family
  passable_role_arns     = var.passable_role_arns
  allowed_images         = var.allowed_images
  allowed_services       = var.allowed_services
  allowed_fields         = var.allowed_fields
  allowed_secrets        = var.allowed_secrets
  run_tasks              = local.run_tasks
  task_log_group_name    = var.task_log_group_name
  targets_parameter_name = var.targets_parameter_name
  target_role_arns       = var.target_role_arns
  express_services       = var.express_services
  read_scalable_targets  = local.read_scalable_targets
  permissions_boundary   = var.permissions_boundary

  event_cluster_name              = var.settings.event_cluster_name
  event_service_name              = var.settings.event_service_name
  event_container_name            = var.settings.event_container_name
  event_image                     = var.settings.event_image
  expected_task_definition_family = var.settings.expected_task_definition_family
  unknown_fields                  = var.settings.unknown_fields
  task_failures                   = var.settings.task_failures
  open_update_max_hours           = var.settings.open_update_max_hours
  circuit_breaker                 = var.settings.circuit_breaker
  deployment_alarms               = var.settings.deployment_alarms
  verify_image                    = var.settings.verify_image
  pin_digest                      = var.settings.pin_digest
  private_registries              = var.settings.private_registries
  ecr_repository_names            = var.ecr_repository_names

  ledger_table_name     = module.ledger.ledger_table_name
  ledger_cluster_name   = module.ledger.ledger_cluster_name
  ledger_retention_days = var.settings.ledger_retention_days

  event_bus_name   = var.event_bus_name
  notify_topic_arn = var.notify_topic_arn

  endpoint_url       = var.endpoint_url
  log_level          = var.settings.log_level
  log_retention_days = var.settings.log_retention_days
  metrics_by_service = var.metrics_by_service
  tracing            = var.tracing
  kms_key_arn        = var.kms_key_arn
}

module "api" {
  source = "../ecs-updater-api"
  count  = var.api == null ? 0 : 1

  updater           = module.lambda.updater
  schemas_directory = coalesce(var.schemas_directory, "${local.project}/lambda_code/ecs_updater/schemas")

  update_memory_size          = var.api.update_memory_size
  status_memory_size          = var.api.status_memory_size
  update_reserved_concurrency = var.api.update_reserved_concurrency
  status_reserved_concurrency = var.api.status_reserved_concurrency
  api_auth                    = var.api.api_auth
  jwt_issuer                  = var.api.jwt_issuer
  jwt_audience                = var.api.jwt_audience
  jwks_url                    = var.api.jwks_url
  authorizer_package          = coalesce(var.authorizer_package, "${local.project}/build/ecs-updater-authorizer-package.zip")
  source_cidrs                = var.api.source_cidrs
  caller_principal_arns       = var.api.caller_principal_arns
  scopes_parameter_name       = var.api.scopes_parameter_name
  approvals                   = var.api.approvals
  stage_name                  = var.api.stage_name
  throttle_rate               = var.api.throttle_rate
  throttle_burst              = var.api.throttle_burst
  key_rate                    = var.api.key_rate
  key_burst                   = var.api.key_burst
  daily_quota                 = var.api.daily_quota
  environment                 = var.api.environment
  tag_filters                 = var.api.tag_filters
  account_log_role            = var.api.account_log_role

  target_read_role_arns = var.target_read_role_arns
}

module "waf" {
  source = "../ecs-updater-waf"
  count  = var.web_acl_arn == null ? 0 : 1

  web_acl_arn = var.web_acl_arn
  rest_api_id = one(module.api[*].rest_api_id)
  stage_name  = one(module.api[*].api_stage_name)
}

module "notify" {
  source = "../ecs-updater-notify"
  count  = var.notify == null ? 0 : 1

  function_name        = var.function_name
  event_bus_name       = var.event_bus_name
  notify_verdicts      = var.notify.notify_verdicts
  notify_cluster_name  = var.notify.notify_cluster_name
  slack_webhook        = var.notify.slack_webhook
  teams_webhook        = var.notify.teams_webhook
  webhook_secret_arn   = var.notify.webhook_secret_arn
  permissions_boundary = var.permissions_boundary
  kms_key_arn          = var.kms_key_arn
  endpoint_url         = var.endpoint_url
}

module "fleet" {
  source = "../ecs-updater-fleet"
  count  = var.fleet == null ? 0 : 1

  updater = module.lambda.updater

  queue_retention_days = var.fleet.queue_retention_days
  maximum_concurrency  = var.fleet.maximum_concurrency
  sender_dry_runs      = var.fleet.sender_dry_runs
  ecs_rates            = var.fleet.ecs_rates
}

module "push" {
  source = "../ecs-updater-push"
  count  = var.push == null ? 0 : 1

  updater         = module.lambda.updater
  fleet_queue_url = one(module.fleet[*].fleet_queue_url)

  dry_run   = var.push.dry_run
  ecs_rates = try(var.fleet.ecs_rates, null)
}

module "codepipeline" {
  source = "../ecs-updater-codepipeline"
  count  = var.codepipeline ? 1 : 0

  updater = module.lambda.updater
}

module "operations" {
  source = "../ecs-updater-operations"
  count  = var.operations == null ? 0 : 1

  function_name   = var.function_name
  alarm_topic_arn = var.operations.alarm_topic_arn

  api_deployed          = var.api != null
  authorizer_deployed   = try(var.api.api_auth == "jwt", false)
  fleet_deployed        = var.fleet != null
  push_deployed         = var.push != null
  codepipeline_deployed = var.codepipeline
  notify_deployed       = var.notify != null

  error_threshold      = var.operations.error_threshold
  throttle_threshold   = var.operations.throttle_threshold
  latency_milliseconds = var.operations.latency_milliseconds
  message_age_seconds  = var.operations.message_age_seconds
  run_period_seconds   = var.operations.run_period_seconds
}
