# ecs-updater: network, cluster, ledger, function, API and fleet, the same resources as ../infraestructure makes with CloudFormation.
#
# `terraform apply` makes everything. A service has to be there before the function is of use, and is not Terraform's (the
# function changes it), so the pipeline goes in four steps, on one state:
#
#   terraform apply -target=module.vpc -target=module.ecs_cluster     the service comes next, by aws cli
#   terraform apply -target=module.ledger -target=module.lambda
#   terraform apply -target=module.ledger -target=module.lambda -target=module.api
#   terraform apply
#
# The first step needs no bundle and, run again, leaves a function that is there alone. Without the third there is no API, without
# the last one no queue for many services.

module "vpc" {
  source = "./modules/ecs-updater-vpc"

  name     = "${var.stack_name}-vpc"
  vpc_cidr = var.vpc_cidr

  environment = var.environment
  owner       = var.owner
  contact     = var.contact
}

module "ecs_cluster" {
  source = "./modules/ecs-updater-ecs-cluster"

  name                 = "${var.stack_name}-ecs"
  cluster_name         = var.cluster_name
  container_insights   = var.container_insights
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary

  launch_type            = var.launch_type
  instance_type          = var.instance_type
  instance_count         = var.instance_count
  instance_image         = var.instance_image
  key_pair_name          = var.key_pair_name
  subnet_ids             = module.vpc.subnet_ids
  task_security_group_id = module.vpc.task_security_group_id

  environment = var.environment
  owner       = var.owner
  contact     = var.contact
}

module "ledger" {
  source = "./modules/ecs-updater-ledger"

  function_name  = var.function_name
  lambda_package = var.lambda_package
  runtime        = var.runtime
  architecture   = var.architecture

  cluster_name           = module.ecs_cluster.cluster_name
  task_definition_family = var.task_definition_family
  passable_role_arns     = concat([module.ecs_cluster.task_execution_role_arn], var.passable_role_arns)
  permissions_boundary   = var.permissions_boundary

  ledger_retention_days = var.ledger_retention_days
  deletion_protection   = var.deletion_protection

  poll_minutes          = var.poll_minutes
  task_failures         = var.task_failures
  open_update_max_hours = var.open_update_max_hours
  endpoint_url          = var.endpoint_url

  log_level          = var.log_level
  log_retention_days = var.log_retention_days

  environment = var.environment
  owner       = var.owner
  contact     = var.contact
}

module "lambda" {
  source = "./modules/ecs-updater-lambda"

  function_name        = var.function_name
  lambda_package       = var.lambda_package
  runtime              = var.runtime
  architecture         = var.architecture
  memory_size          = var.memory_size
  timeout              = var.timeout
  reserved_concurrency = var.reserved_concurrency

  cluster_name           = module.ecs_cluster.cluster_name
  task_definition_family = var.task_definition_family
  passable_role_arns     = concat([module.ecs_cluster.task_execution_role_arn], var.passable_role_arns)
  allowed_images         = var.allowed_images
  allowed_services       = var.allowed_services
  permissions_boundary   = var.permissions_boundary

  alarm_topic_arn = var.alarm_topic_arn

  event_cluster_name   = var.event_cluster_name
  event_service_name   = var.event_service_name
  event_container_name = var.event_container_name
  event_image          = var.event_image

  expected_task_definition_family = var.expected_task_definition_family
  unknown_fields                  = var.unknown_fields
  task_failures                   = var.task_failures
  open_update_max_hours           = var.open_update_max_hours
  circuit_breaker                 = var.circuit_breaker
  endpoint_url                    = var.endpoint_url

  verify_image       = var.verify_image
  pin_digest         = var.pin_digest
  private_registries = var.private_registries

  ledger_table_name     = module.ledger.ledger_table_name
  ledger_cluster_name   = module.ledger.ledger_cluster_name
  ledger_retention_days = var.ledger_retention_days

  log_level          = var.log_level
  log_retention_days = var.log_retention_days

  environment = var.environment
  owner       = var.owner
  contact     = var.contact
}

module "api" {
  source = "./modules/ecs-updater-api"

  function_name      = var.function_name
  lambda_package     = var.lambda_package
  schemas_directory  = var.schemas_directory
  runtime            = var.runtime
  architecture       = var.architecture
  update_memory_size = var.update_memory_size
  status_memory_size = var.status_memory_size

  updater_role_arn       = module.lambda.function_role_arn
  updater_cluster_name   = module.lambda.function_cluster_name
  updater_log_group_name = module.lambda.function_log_group_name
  allowed_images         = var.allowed_images
  allowed_services       = var.allowed_services
  permissions_boundary   = var.permissions_boundary

  api_auth       = var.api_auth
  stage_name     = var.stage_name
  throttle_rate  = var.throttle_rate
  throttle_burst = var.throttle_burst
  key_rate       = var.key_rate
  key_burst      = var.key_burst
  daily_quota    = var.daily_quota

  tag_filters                     = var.tag_filters
  expected_task_definition_family = var.expected_task_definition_family
  unknown_fields                  = var.unknown_fields
  task_failures                   = var.task_failures
  open_update_max_hours           = var.open_update_max_hours
  circuit_breaker                 = var.circuit_breaker
  endpoint_url                    = var.endpoint_url

  verify_image       = var.verify_image
  pin_digest         = var.pin_digest
  private_registries = var.private_registries

  ledger_table_name     = module.ledger.ledger_table_name
  ledger_cluster_name   = module.ledger.ledger_cluster_name
  ledger_retention_days = var.ledger_retention_days

  log_level          = var.log_level
  log_retention_days = var.log_retention_days
  account_log_role   = var.account_log_role

  environment = var.environment
  owner       = var.owner
  contact     = var.contact
}

module "fleet" {
  source = "./modules/ecs-updater-fleet"

  function_name  = var.function_name
  lambda_package = var.lambda_package
  runtime        = var.runtime
  architecture   = var.architecture

  cluster_name           = module.ecs_cluster.cluster_name
  task_definition_family = var.task_definition_family
  passable_role_arns     = concat([module.ecs_cluster.task_execution_role_arn], var.passable_role_arns)
  allowed_images         = var.allowed_images
  allowed_services       = var.allowed_services
  permissions_boundary   = var.permissions_boundary

  queue_retention_days = var.queue_retention_days
  maximum_concurrency  = var.maximum_concurrency
  alarm_topic_arn      = var.alarm_topic_arn

  ecs_rates                       = var.ecs_rates
  expected_task_definition_family = var.expected_task_definition_family
  unknown_fields                  = var.unknown_fields
  task_failures                   = var.task_failures
  open_update_max_hours           = var.open_update_max_hours
  circuit_breaker                 = var.circuit_breaker
  endpoint_url                    = var.endpoint_url

  verify_image       = var.verify_image
  pin_digest         = var.pin_digest
  private_registries = var.private_registries

  ledger_table_name     = module.ledger.ledger_table_name
  ledger_cluster_name   = module.ledger.ledger_cluster_name
  ledger_retention_days = var.ledger_retention_days

  log_level          = var.log_level
  log_retention_days = var.log_retention_days

  environment = var.environment
  owner       = var.owner
  contact     = var.contact
}
