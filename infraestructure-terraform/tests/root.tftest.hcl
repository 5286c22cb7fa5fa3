mock_provider "aws" {
  source = "./tests/mocks"
}

run "network_and_cluster_need_no_bundle" {
  command = plan
  plan_options {
    target = [module.vpc, module.ecs_cluster]
  }
  variables {
    lambda_package = "nowhere.zip"
  }
}

run "instances_are_in_the_network_that_is_made_with_them" {
  command = plan
  plan_options {
    target = [module.vpc, module.ecs_cluster]
  }
  variables {
    lambda_package = "nowhere.zip"
    launch_type    = "EC2"
  }

  assert {
    condition     = output.launch_type == "EC2"
    error_message = "Tasks do not run on instances, or the first step does not say so."
  }
}

run "ledger_and_function_need_no_schemas" {
  command = plan
  plan_options {
    target = [module.ledger, module.lambda]
  }
  variables {
    lambda_package    = "main.tf" # Any file does: nothing is uploaded.
    schemas_directory = "nowhere"
  }
}

run "the_longest_name_is_accepted_by_every_module" {
  command = plan
  variables {
    stack_name        = "abcdefghijklmnopqrstuvwxy"
    function_name     = "abcdefghijklmnopqrstuvwxyz-abcdefghijk"
    lambda_package    = "main.tf"
    schemas_directory = "tests/schemas"
  }
}

# Why each is refused is tested with the modules.
run "the_root_refuses_what_its_modules_refuse" {
  command = plan
  variables {
    stack_name                      = "abcdefghijklmnopqrstuvwxyz"
    lambda_package                  = ""
    schemas_directory               = ""
    vpc_cidr                        = "10.42.0.0/24"
    cluster_name                    = "team-*"
    container_insights              = ""
    launch_type                     = ""
    instance_type                   = ""
    instance_count                  = 0
    instance_image                  = ""
    key_pair_name                   = " "
    function_name                   = ""
    runtime                         = ""
    architecture                    = ""
    memory_size                     = 127
    timeout                         = 9
    reserved_concurrency            = -2
    task_definition_family          = ""
    passable_role_arns              = [""]
    permissions_boundary            = "boundary"
    event_cluster_name              = " "
    event_service_name              = " "
    event_container_name            = " "
    event_image                     = " "
    expected_task_definition_family = " "
    unknown_fields                  = ""
    task_failures                   = 0
    open_update_max_hours           = 0
    circuit_breaker                 = ""
    verify_image                    = ""
    pin_digest                      = ""
    private_registries              = [""]
    allowed_images                  = ["two words"]
    allowed_services                = ["web;"]
    ledger_retention_days           = 0
    poll_minutes                    = 0
    update_memory_size              = 0
    status_memory_size              = 0
    api_auth                        = ""
    stage_name                      = ""
    throttle_rate                   = 0
    throttle_burst                  = 0
    key_rate                        = 0
    key_burst                       = 0
    daily_quota                     = 0
    queue_retention_days            = 0
    maximum_concurrency             = 0
    alarm_topic_arn                 = "alarms"
    ecs_rates                       = [""]
    tag_filters                     = ["next"]
    account_log_role                = ""
    endpoint_url                    = "127.0.0.1:4566"
    log_level                       = ""
    log_retention_days              = 0
    environment                     = ""
    owner                           = ""
    contact                         = ""
  }
  expect_failures = [
    var.stack_name, var.lambda_package, var.vpc_cidr, var.cluster_name, var.container_insights, var.launch_type,
    var.instance_type, var.instance_count, var.instance_image, var.key_pair_name, var.function_name, var.runtime, var.architecture, var.memory_size, var.timeout, var.reserved_concurrency, var.task_definition_family,
    var.passable_role_arns, var.permissions_boundary, var.event_cluster_name, var.event_service_name,
    var.event_container_name, var.event_image, var.expected_task_definition_family, var.unknown_fields, var.task_failures, var.open_update_max_hours,
    var.circuit_breaker, var.verify_image, var.pin_digest, var.private_registries, var.allowed_images, var.allowed_services, var.ledger_retention_days,
    var.poll_minutes, var.endpoint_url, var.schemas_directory, var.update_memory_size, var.status_memory_size, var.api_auth,
    var.stage_name, var.throttle_rate, var.throttle_burst, var.key_rate, var.key_burst, var.daily_quota, var.queue_retention_days,
    var.maximum_concurrency, var.alarm_topic_arn, var.ecs_rates, var.tag_filters,
    var.account_log_role, var.log_level, var.log_retention_days, var.environment, var.owner, var.contact,
  ]
}
