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

run "the_load_balancer_is_off_by_default" {
  command = plan
  plan_options {
    target = [module.vpc, module.ecs_cluster, module.load_balancer]
  }
  variables {
    lambda_package = "nowhere.zip"
  }

  assert {
    condition     = length(module.load_balancer) == 0 && output.target_group_arn == null
    error_message = "A load balancer is planned although the service is updated in a rolling way."
  }
}

run "ledger_and_function_need_no_schemas" {
  command = plan
  plan_options {
    target = [module.ecs_updater.module.ledger, module.ecs_updater.module.lambda]
  }
  variables {
    lambda_package    = "main.tf" # Any file, because nothing is uploaded.
    schemas_directory = "nowhere"
  }
}

run "the_longest_name_is_accepted_by_every_module" {
  command = plan
  variables {
    stack_name        = "abcdefghijklmnopqrstuvwxy"
    load_balancer     = true
    function_name     = "abcdefghijklmnopqrstuvwxyz-abcdefghijk"
    lambda_package    = "main.tf"
    schemas_directory = "tests/schemas"
  }
}

run "a_target_needs_no_bundle_and_has_the_permissions_of_the_allowed_fields" {
  command = plan
  plan_options {
    target = [module.target]
  }
  variables {
    lambda_package = "nowhere.zip"
    cluster_name   = "shop"
    allowed_fields = ["run_before"]
    target         = { home_account = "444455556666", home_region = "us-isob-east-1", external_id = "an-id" }
  }

  assert {
    condition     = [local.run_tasks, local.read_scalable_targets] == [true, false]
    error_message = "A permission is missing, or no allowed field needs it."
  }
}

# The modules validate the other values.
run "the_root_validates_variables_of_no_module" {
  command = plan
  variables {
    stack_name        = "abcdefghijklmnopqrstuvwxyz"
    lambda_package    = "main.tf"
    schemas_directory = "tests/schemas"
    environment       = ""
    owner             = "platform\n"
    contact           = "platform#example.com"
  }
  expect_failures = [var.stack_name, var.environment, var.owner, var.contact]
}
