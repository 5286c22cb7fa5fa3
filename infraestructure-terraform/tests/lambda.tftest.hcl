mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  cluster_name   = "team-one"
  lambda_package = "main.tf" # Any file, because nothing is uploaded.
}

run "without_roles_to_pass_there_is_no_permission_to_pass_any" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "iam:PassRole")
    error_message = "The function may pass roles."
  }
}

run "roles_are_passed_only_to_tasks" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    passable_role_arns = ["arn:aws:iam::111122223333:role/one", "arn:aws:iam::111122223333:role/team/*"]
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Condition if try(one.Action == "iam:PassRole", false)
    ] == [{ StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }]
    error_message = "A role can be passed to another service than ECS."
  }
}

run "services_are_changed_in_one_cluster_and_revisions_registered_in_one_family" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    task_definition_family = "web"
  }

  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Sid => one.Resource } == {
      ReadServices            = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/*"
      ChangeServices          = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"
      FollowDeployments       = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"
      ReadServiceRevisions    = ["arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service-revision/team-one/*"]
      StopDeployments         = ["arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service-deployment/team-one/*"]
      ReadTasks               = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task/team-one/*"
      ListTasks               = "*"
      ReadTaskDefinitions     = "*"
      RegisterTaskDefinitions = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task-definition/web:*"
      TagNewTaskDefinitions   = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task-definition/web:*"
      WriteLogs               = "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/aws/lambda/ecs-updater:*"
      SendEvents              = "arn:aws-iso-b:events:us-isob-east-1:111122223333:event-bus/default"
      SendDeadLetters         = "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-dead-letters"
    }
    error_message = "A statement allows another resource."
  }
}

run "tasks_are_listed_in_one_cluster" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Condition if try(one.Action == "ecs:ListTasks", false)
    ] == [{ ArnLike = { "ecs:cluster" = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:cluster/team-one" } }]
    error_message = "Tasks of another cluster can be listed."
  }
}

run "one_off_tasks_run_and_stop_in_one_cluster" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    task_definition_family = "web"
    run_tasks              = true
    task_log_group_name    = "/ecs/*"
    read_scalable_targets  = true
  }

  assert {
    condition = {
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Action => one.Resource
      if try(contains(["RunTasks", "StopTasks", "ReadTaskLogs", "ReadScalableTargets"], one.Sid), false)
      } == {
      "ecs:RunTask"                                     = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task-definition/web:*"
      "ecs:StopTask"                                    = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task/team-one/*"
      "logs:GetLogEvents"                               = "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/ecs/*:log-stream:*"
      "application-autoscaling:DescribeScalableTargets" = "*"
    }
    error_message = "A statement is missing, or allows another resource."
  }
  assert {
    condition = distinct([
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Condition.ArnLike["ecs:cluster"] if contains(["RunTasks", "StopTasks"], one.Sid)
    ]) == tolist(["arn:aws-iso-b:ecs:us-isob-east-1:111122223333:cluster/team-one"])
    error_message = "Tasks can run or be stopped in another cluster."
  }
}

run "express_services_of_one_cluster_get_their_infrastructure_roles" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    express_services   = true
    passable_role_arns = ["arn:aws:iam::111122223333:role/one"]
  }

  assert {
    condition = {
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Sid => [one.Action, one.Resource]
      if try(contains(["ReadExpressServices", "ChangeExpressServices", "PassInfrastructureRoles"], one.Sid), false)
      } == {
      ReadExpressServices     = ["ecs:DescribeExpressGatewayService", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"]
      ChangeExpressServices   = ["ecs:UpdateExpressGatewayService", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"]
      PassInfrastructureRoles = ["iam:PassRole", ["arn:aws:iam::111122223333:role/one"]]
    }
    error_message = "A statement is missing, or allows another resource."
  }
}

run "a_ledger_is_one_table_and_no_other" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    ledger_table_name = "a-ledger"
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Resource if one.Sid == "UseLedger"
    ] == ["arn:aws-iso-b:dynamodb:us-isob-east-1:111122223333:table/a-ledger"]
    error_message = "The function may use another table, or cannot use its own."
  }
}

run "images_are_read_to_check_them" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    verify_image         = "warn"
    ecr_repository_names = ["team/*", "web"]
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Resource if one.Sid == "ReadImages"
    ] == [["arn:*:ecr:*:*:repository/team/*", "arn:*:ecr:*:*:repository/web"]]
    error_message = "The function cannot read images to check them."
  }
}

run "images_are_read_to_pin_them" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    pin_digest = "tag"
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.this.policy, "arn:*:ecr:*:*:repository/*")
    error_message = "The function cannot read images to pin them."
  }
}

run "several_private_registries_are_one_variable_of_the_function" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    private_registries = ["registry.internal:5000", "10.0.0.7", "[fd00::7]:5000"]
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["PRIVATE_REGISTRIES"] == "registry.internal:5000,10.0.0.7,[fd00::7]:5000"
    error_message = "The function would not read the registries."
  }
}

run "on_aws_the_function_has_no_endpoint_and_no_permissions_boundary_by_default" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this.environment[0].variables), "AWS_ENDPOINT_URL")
    error_message = "The function would call another endpoint than AWS's."
  }
  assert {
    condition     = aws_iam_role.this.permissions_boundary == null
    error_message = "The permissions boundary must be absent, not empty."
  }
}

run "an_endpoint_and_a_permissions_boundary_reach_function_and_role" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    endpoint_url         = "http://127.0.0.1:4566"
    permissions_boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    error_message = "The function would not call the emulator."
  }
  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::aws:policy/PowerUserAccess"
    error_message = "The role has no permissions boundary."
  }
}

run "the_longest_name_leaves_room_for_the_region_in_the_name_of_the_role" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    function_name = "abcdefghijklmnopqrstuvwxyz_abcdefghijk"
  }

  assert {
    condition     = length(aws_iam_role.this.name) <= 64
    error_message = "IAM takes no name longer than 64 characters."
  }
}

run "a_missing_bundle_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    lambda_package = "nowhere.zip"
  }
  expect_failures = [aws_lambda_function.this]
}

run "the_lowest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    memory_size           = 128
    timeout               = 10
    reserved_concurrency  = -1
    task_failures         = 1
    open_update_max_hours = 1
    ledger_table_name     = "a-b"
    ledger_retention_days = 1
    log_retention_days    = 1
  }
}

run "the_highest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    memory_size           = 10240
    timeout               = 900
    reserved_concurrency  = 1000
    task_failures         = 50
    open_update_max_hours = 720
    ledger_retention_days = 3650
    log_retention_days    = 3653
  }
}

run "values_below_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    lambda_package                  = ""
    function_name                   = ""
    runtime                         = "python3.10"
    architecture                    = "amd64"
    memory_size                     = 127
    timeout                         = 9
    reserved_concurrency            = -2
    cluster_name                    = ""
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
    allowed_fields                  = ["ecs_image_name"]
    allowed_secrets                 = ["secret"]
    task_log_group_name             = "a group"
    ledger_cluster_name             = "team/one"
    ledger_table_name               = "ab"
    ledger_retention_days           = 0
    endpoint_url                    = "127.0.0.1:4566"
    log_level                       = "info"
    log_retention_days              = 0
  }
  expect_failures = [
    var.lambda_package, var.function_name, var.runtime, var.architecture, var.memory_size, var.timeout,
    var.reserved_concurrency, var.cluster_name, var.task_definition_family, var.passable_role_arns,
    var.permissions_boundary, var.event_cluster_name, var.event_service_name, var.event_container_name, var.event_image,
    var.expected_task_definition_family, var.unknown_fields, var.task_failures, var.open_update_max_hours, var.circuit_breaker, var.verify_image,
    var.pin_digest, var.private_registries, var.allowed_images, var.allowed_services, var.allowed_fields, var.allowed_secrets, var.task_log_group_name, var.ledger_cluster_name, var.ledger_table_name, var.ledger_retention_days, var.endpoint_url,
    var.log_level, var.log_retention_days,
  ]
}

run "values_above_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    function_name          = "abcdefghijklmnopqrstuvwxyz_abcdefghijkl"
    memory_size            = 10241
    timeout                = 901
    reserved_concurrency   = 1001
    cluster_name           = "team/one"
    task_definition_family = "web:7"
    passable_role_arns     = ["arn:aws:iam::111122223333:role/one", "*"]
    permissions_boundary   = "arn:aws:iam::111122223333:role/boundary"
    task_failures          = 51
    open_update_max_hours  = 721
    circuit_breaker        = "disable"
    private_registries     = ["registry.internal", "https://registry.internal"]
    allowed_images         = ["two words"]
    allowed_services       = ["web;"]
    allowed_fields         = ["*", "ecs_cpu*"]
    allowed_secrets        = ["*", "arn:aws:ssm:eu-west-1:111122223333:parameter/a b"]
    ledger_cluster_name    = "team/one"
    ledger_table_name      = "a/b/c"
    ledger_retention_days  = 3651
    endpoint_url           = "http://127.0.0.1:4566/path"
    targets_parameter_name = "targets"
    target_role_arns       = ["222222222222"]
    log_retention_days     = 3654
  }
  expect_failures = [
    var.targets_parameter_name, var.target_role_arns, var.function_name, var.memory_size, var.timeout, var.reserved_concurrency, var.cluster_name,
    var.task_definition_family, var.passable_role_arns, var.permissions_boundary, var.task_failures, var.open_update_max_hours,
    var.circuit_breaker, var.private_registries, var.allowed_images, var.allowed_services, var.allowed_fields, var.allowed_secrets, var.ledger_cluster_name, var.ledger_table_name, var.ledger_retention_days, var.endpoint_url,
    var.log_retention_days,
  ]
}

run "fractions_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    memory_size           = 256.5
    timeout               = 30.5
    reserved_concurrency  = 1.5
    task_failures         = 3.5
    open_update_max_hours = 24.5
    ledger_retention_days = 90.5
  }
  expect_failures = [var.memory_size, var.timeout, var.reserved_concurrency, var.task_failures, var.open_update_max_hours, var.ledger_retention_days]
}

run "the_dead_letter_queue_refuses_calls_without_tls" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.dead_letters[0].policy).Statement[0].Condition == { Bool = { "aws:SecureTransport" = "false" } }
    error_message = "The queue accepts requests without TLS."
  }
}

run "an_emulator_needs_no_tls" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    endpoint_url = "http://127.0.0.1:4566"
  }

  assert {
    condition     = length(aws_sqs_queue_policy.dead_letters) == 0
    error_message = "The emulator's calls would be refused."
  }
}

run "the_function_compares_its_cluster_with_the_ledgers" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    cluster_name        = "team-one"
    ledger_cluster_name = "team-*"
  }

  assert {
    condition = [
      for name in ["CLUSTER_PATTERN", "LEDGER_CLUSTER_PATTERN"] : aws_lambda_function.this.environment[0].variables[name]
    ] == ["team-one", "team-*"]
    error_message = "The function would not see both."
  }
}

run "the_function_reads_the_targets_and_assumes_their_roles" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    targets_parameter_name = "/team/targets"
    target_role_arns       = ["arn:aws-iso-b:iam::222222222222:role/team-target-update-*"]
  }

  assert {
    condition = {
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Action => [one.Resource] if try(contains(["ReadTargets", "AssumeTargetRoles"], one.Sid), false)
      } == {
      "ssm:GetParameter" = ["arn:aws-iso-b:ssm:us-isob-east-1:111122223333:parameter/team/targets"]
      "sts:AssumeRole"   = [["arn:aws-iso-b:iam::222222222222:role/team-target-update-*"]]
    }
    error_message = "The function cannot use the targets, or can assume other roles."
  }
  assert {
    condition = [for name in ["ECS_ARN_PREFIX", "TARGETS_PARAMETER"] : aws_lambda_function.this.environment[0].variables[name]] == [
      "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:", "/team/targets",
    ]
    error_message = "The function knows neither its account nor the targets."
  }
}

run "traces_and_a_customer_key_are_off_by_default" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "PassThrough" && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "The function starts traces, or the dead-letter queue is not encrypted."
  }
  assert {
    condition     = aws_lambda_function.this.kms_key_arn == null && aws_cloudwatch_log_group.this.kms_key_id == null && !strcontains(aws_iam_role_policy.this.policy, "kms:") && !strcontains(aws_iam_role_policy.this.policy, "xray:")
    error_message = "There is a customer key, or a permission without need."
  }
}

run "traces_and_a_customer_key_come_with_their_permissions" {
  command = plan
  module {
    source = "./modules/ecs-updater-lambda"
  }
  variables {
    tracing     = "Active"
    kms_key_arn = "arn:aws-iso-b:kms:us-isob-east-1:111122223333:key/a-key"
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "The function starts no traces."
  }
  assert {
    condition     = [aws_lambda_function.this.kms_key_arn, aws_cloudwatch_log_group.this.kms_key_id, aws_sqs_queue.dead_letters.kms_master_key_id] == [var.kms_key_arn, var.kms_key_arn, var.kms_key_arn]
    error_message = "Something is encrypted with another key."
  }
  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Sid => [one.Action, one.Resource] if contains(["WriteTraces", "UseKey"], one.Sid) } == {
      WriteTraces = [["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"]
      UseKey      = [["kms:Decrypt", "kms:GenerateDataKey"], var.kms_key_arn]
    }
    error_message = "The function cannot trace, cannot use the key, or may do more."
  }
}
