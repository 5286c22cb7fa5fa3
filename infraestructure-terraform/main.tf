# ecs-updater: network, cluster, ledger, function, API and fleet. ../infraestructure creates the same resources with CloudFormation.
#
# `terraform apply` creates everything. The pipeline applies in four steps on one state. It creates the service with the aws cli
# after the first step, because Terraform must not manage what the function changes:
#
#   terraform apply -target=module.vpc -target=module.ecs_cluster
#   terraform apply -target=module.ecs_updater.module.ledger -target=module.ecs_updater.module.lambda
#   terraform apply -target=(the same) -target=module.ecs_updater.module.api
#   terraform apply
#
# The first step needs no bundle and never changes an existing function. The third step is for the API, the last one for the queue.

module "vpc" {
  source = "./modules/ecs-updater-vpc"

  name = "${var.stack_name}-vpc"
}

module "ecs_cluster" {
  source = "./modules/ecs-updater-ecs-cluster"

  name                 = "${var.stack_name}-ecs"
  cluster_name         = var.cluster_name
  permissions_boundary = var.permissions_boundary

  launch_type            = var.launch_type
  subnet_ids             = module.vpc.subnet_ids
  task_security_group_id = module.vpc.task_security_group_id
}

# Only for the strategies of ECS that shift traffic. The service that uses it is not managed here.
module "load_balancer" {
  source = "./modules/ecs-updater-load-balancer"
  count  = var.load_balancer ? 1 : 0

  name                 = "${var.stack_name}-alb"
  vpc_id               = module.vpc.vpc_id
  vpc_cidr             = module.vpc.vpc_cidr
  subnet_ids           = module.vpc.subnet_ids
  permissions_boundary = var.permissions_boundary
}

module "ecs_updater" {
  source = "./modules/ecs-updater"

  function_name        = var.function_name
  lambda_package       = var.lambda_package
  authorizer_package   = var.authorizer_package
  schemas_directory    = var.schemas_directory
  runtime              = var.runtime
  architecture         = var.architecture
  reserved_concurrency = var.reserved_concurrency

  cluster_name           = module.ecs_cluster.cluster_name
  task_definition_family = var.task_definition_family
  passable_role_arns     = [module.ecs_cluster.task_execution_role_arn]
  allowed_images         = var.allowed_images
  allowed_services       = var.allowed_services
  allowed_fields         = var.allowed_fields
  allowed_secrets        = var.allowed_secrets
  ecr_repository_names   = var.ecr_repository_names
  task_log_group_name    = var.task_log_group_name
  targets_parameter_name = var.targets_parameter_name
  target_role_arns       = var.target_role_arns
  target_read_role_arns  = var.target_read_role_arns
  express_services       = var.express_services
  permissions_boundary   = var.permissions_boundary
  deletion_protection    = var.deletion_protection
  metrics_by_service     = var.metrics_by_service
  tracing                = var.tracing
  kms_key_arn            = var.kms_key_arn
  event_bus_name         = var.event_bus_name
  notify_topic_arn       = var.notify_topic_arn

  api = {
    api_auth                    = var.api_auth
    jwt_issuer                  = var.jwt_issuer
    jwt_audience                = var.jwt_audience
    jwks_url                    = var.jwks_url
    source_cidrs                = var.api_source_cidrs
    caller_principal_arns       = var.api_principal_arns
    scopes_parameter_name       = var.scopes_parameter_name
    update_reserved_concurrency = var.api_update_concurrency
    status_reserved_concurrency = var.api_status_concurrency
    account_log_role            = var.account_log_role
    environment                 = var.environment
  }

  web_acl_arn = var.web_acl_arn
  notify      = var.notify

  fleet = { sender_dry_runs = var.sender_dry_runs }

  push         = var.push ? {} : null
  codepipeline = var.codepipeline
  operations   = var.operations ? { alarm_topic_arn = var.alarm_topic_arn } : null

  endpoint_url = var.endpoint_url
}

# The roles of a target, another account or region whose services the function updates. They are applied there, without the rest:
# terraform apply -target=module.target
locals {
  # The permissions that the allowed fields need.
  run_tasks             = length(setintersection(coalesce(var.allowed_fields, []), ["run_before", "*"])) > 0
  read_scalable_targets = length(setintersection(coalesce(var.allowed_fields, []), ["ecs_desired_count", "*"])) > 0
}

module "target" {
  source = "./modules/ecs-updater-target"
  count  = var.target == null ? 0 : 1

  home_account          = var.target.home_account
  home_region           = var.target.home_region
  function_name         = var.function_name
  external_id           = var.target.external_id
  update_principal_arns = var.target.update_principal_arns
  read_principal_arns   = var.target.read_principal_arns

  cluster_name           = var.cluster_name
  task_definition_family = var.task_definition_family
  passable_role_arns     = var.target.passable_role_arns
  run_tasks              = local.run_tasks
  task_log_group_name    = var.task_log_group_name
  express_services       = var.express_services
  read_scalable_targets  = local.read_scalable_targets
  permissions_boundary   = var.permissions_boundary
}

# The addresses before the module ecs-updater. scripts/terraform.sh moves them itself, because -target refuses pending moves.

moved {
  from = module.ledger
  to   = module.ecs_updater.module.ledger
}

moved {
  from = module.lambda
  to   = module.ecs_updater.module.lambda
}

moved {
  from = module.api
  to   = module.ecs_updater.module.api[0]
}

moved {
  from = module.fleet
  to   = module.ecs_updater.module.fleet[0]
}
