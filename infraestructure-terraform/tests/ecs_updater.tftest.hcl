mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  cluster_name           = "shop"
  task_definition_family = "web-*"
  passable_role_arns     = ["arn:aws:iam::111122223333:role/web-*"]
  lambda_package         = "main.tf" # Any file, because nothing is uploaded.
}

run "without_api_fleet_push_codepipeline_and_operations_there_is_none" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }

  assert {
    condition     = output.api == null && output.fleet == null && output.push == null && output.codepipeline == null && output.operations == null
    error_message = "The API, the queue, a function for pushes or CodePipeline, or alarms would be created."
  }
  assert {
    condition     = [output.ledger.ledger_cluster_name, output.lambda.function_cluster_name] == ["shop", "shop"]
    error_message = "Ledger and function are for different clusters."
  }
}

run "an_empty_object_creates_each_with_its_defaults" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }
  variables {
    schemas_directory = "tests/schemas"
    function_name     = "shop"
    settings          = { verify_image = "require" }
    api               = {}
    fleet             = {}
    push              = {}
    codepipeline      = true
    operations        = {}
  }

  assert {
    condition = [output.api.api_update_function_name, output.fleet.fleet_function_name, output.ledger.completer_function_name, output.push.push_function_name, output.codepipeline.codepipeline_function_name, output.operations.dashboard_name] == [
      "shop-api-update", "shop-fleet", "shop-completer", "shop-push", "shop-codepipeline", "shop",
    ]
    error_message = "A function has the name of another deployment."
  }
  assert {
    condition     = output.lambda.updater.environment["VERIFY_IMAGE"] == "require"
    error_message = "A setting does not reach the functions."
  }
}

run "the_functions_get_the_permissions_of_the_allowed_fields" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }
  variables {
    allowed_fields = ["run_before", "ecs_cpu"]
  }

  assert {
    condition     = [local.run_tasks, local.read_scalable_targets] == [true, false]
    error_message = "A permission is missing, or no allowed field needs it."
  }
}

run "the_targets_reach_every_function_that_updates_services" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }
  variables {
    targets_parameter_name = "/shop/targets"
    target_role_arns       = ["arn:aws:iam::222222222222:role/shop-target-update-*"]
  }

  assert {
    condition     = output.lambda.updater.environment["TARGETS_PARAMETER"] == "/shop/targets"
    error_message = "The functions do not know the targets."
  }
}

run "without_allowed_fields_there_are_no_permissions_for_them" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }

  assert {
    condition     = [local.run_tasks, local.read_scalable_targets] == [false, false]
    error_message = "The functions have permissions that no allowed field needs."
  }
}

run "all_fields_need_all_permissions" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }
  variables {
    allowed_fields = ["*"]
  }

  assert {
    condition     = [local.run_tasks, local.read_scalable_targets] == [true, true]
    error_message = "A permission is missing."
  }
}
