mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  cluster_name   = "team-one"
  lambda_package = "main.tf" # Any file, because nothing is uploaded.
}

run "the_table_has_recovery_expiry_and_no_idle_cost" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "The table has no point-in-time recovery, or capacity that is paid for at rest."
  }
  assert {
    condition     = [for one in aws_dynamodb_table.this.ttl : [one.attribute_name, one.enabled]] == [["expires", true]]
    error_message = "The table keeps expired items."
  }
  assert {
    condition = { for one in aws_dynamodb_table.this.attribute : one.name => one.type } == {
      for key in concat(
        [aws_dynamodb_table.this.hash_key, aws_dynamodb_table.this.range_key],
        flatten([for index in aws_dynamodb_table.this.global_secondary_index : [index.hash_key, index.range_key]]),
      ) : key => "S"
    }
    error_message = "The keys of the table and of its index are not its attributes."
  }
  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "The table can be deleted."
  }
  assert {
    condition     = [for index in aws_dynamodb_table.this.global_secondary_index : index.projection_type] == ["ALL"]
    error_message = "The index does not have all attributes."
  }
}

run "an_unprotected_table_can_be_removed" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    deletion_protection = false
  }

  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "The table cannot be removed with the rest."
  }
}

run "the_reconciler_updates_one_cluster_and_registers_what_a_rollback_needs" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    task_definition_family = "web"
    passable_role_arns     = ["arn:aws:iam::111122223333:role/one"]
    run_tasks              = true
    task_log_group_name    = "/ecs/web"
    express_services       = true
  }

  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.completer.policy).Statement : one.Sid => one.Resource } == {
      ReadServices            = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"
      ChangeServices          = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"
      FollowDeployments       = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"
      ReadServiceRevisions    = ["arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service-revision/team-one/*"]
      StopDeployments         = ["arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service-deployment/team-one/*"]
      ReadTasks               = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task/team-one/*"
      ListTasks               = "*"
      ReadTaskDefinitions     = "*"
      RegisterTaskDefinitions = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task-definition/web:*"
      TagNewTaskDefinitions   = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task-definition/web:*"
      StopTasks               = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task/team-one/*"
      ReadTaskLogs            = "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/ecs/web:log-stream:*"
      PassTaskRoles           = ["arn:aws:iam::111122223333:role/one"]
      ChangeExpressServices   = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"
      PassInfrastructureRoles = ["arn:aws:iam::111122223333:role/one"]
      UseLedger               = "arn:aws-iso-b:dynamodb:us-isob-east-1:111122223333:table/ecs-updater-ledger"
      WriteLogs               = "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/aws/lambda/ecs-updater-completer:*"
      SendEvents              = "arn:aws-iso-b:events:us-isob-east-1:111122223333:event-bus/default"
    }
    error_message = "A statement allows another resource."
  }
  assert {
    condition = distinct([
      for one in jsondecode(aws_iam_role_policy.completer.policy).Statement : one.Condition.ArnLike["ecs:cluster"] if contains(["ListTasks", "StopTasks"], one.Sid)
    ]) == tolist(["arn:aws-iso-b:ecs:us-isob-east-1:111122223333:cluster/team-one"])
    error_message = "Tasks of another cluster can be listed or stopped."
  }
  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.completer.policy).Statement : one.Sid => one.Condition.StringEquals if try(one.Condition.StringEquals, null) != null } == {
      TagNewTaskDefinitions   = { "ecs:CreateAction" = "RegisterTaskDefinition" }
      PassTaskRoles           = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" }
      PassInfrastructureRoles = { "iam:PassedToService" = "ecs.amazonaws.com" }
    }
    error_message = "The reconciler may tag what it did not register, or pass roles to other services than ECS."
  }
}

run "without_roles_to_pass_the_reconciler_passes_none" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.completer.policy, "iam:PassRole")
    error_message = "The reconciler may pass roles."
  }
}

run "deployments_that_end_invoke_the_reconciler" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    cluster_name = "team-*"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.deployments.event_pattern).resources == [
      { wildcard = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-*/*" },
      { wildcard = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service-deployment/team-*/*" },
    ]
    error_message = "Deployments of other clusters invoke the reconciler, or none does."
  }
  assert {
    condition     = aws_cloudwatch_event_target.deployments.rule == aws_cloudwatch_event_rule.deployments.name && aws_cloudwatch_event_target.poll.rule == aws_cloudwatch_event_rule.poll.name
    error_message = "A rule has no target."
  }
}

run "one_minute_is_singular_in_the_schedule" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    poll_minutes = 1
  }

  assert {
    condition     = aws_cloudwatch_event_rule.poll.schedule_expression == "rate(1 minute)"
    error_message = "EventBridge refuses the schedule."
  }
}

run "several_minutes_are_plural_in_the_schedule" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    poll_minutes = 2
  }

  assert {
    condition     = aws_cloudwatch_event_rule.poll.schedule_expression == "rate(2 minutes)"
    error_message = "EventBridge refuses the schedule."
  }
}

run "on_aws_the_reconciler_has_no_endpoint_and_no_permissions_boundary_by_default" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.completer.environment[0].variables), "AWS_ENDPOINT_URL")
    error_message = "The reconciler would call another endpoint than AWS's."
  }
  assert {
    condition     = aws_iam_role.completer.permissions_boundary == null
    error_message = "The permissions boundary must be absent, not empty."
  }
}

run "an_endpoint_and_a_permissions_boundary_reach_the_reconciler_and_its_role" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    endpoint_url         = "http://127.0.0.1:4566"
    permissions_boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
  }

  assert {
    condition     = aws_lambda_function.completer.environment[0].variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    error_message = "The reconciler would not call the emulator."
  }
  assert {
    condition     = aws_iam_role.completer.permissions_boundary == "arn:aws:iam::aws:policy/PowerUserAccess"
    error_message = "The role has no permissions boundary."
  }
}

run "the_longest_name_leaves_room_for_derived_names" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    function_name = "abcdefghijklmnopqrstuvwxyz_abcdefghijk"
  }

  assert {
    condition = alltrue([
      for name in [aws_iam_role.completer.name, aws_lambda_function.completer.function_name, aws_cloudwatch_event_rule.deployments.name] : length(name) <= 64
    ])
    error_message = "IAM, Lambda and EventBridge take no name longer than 64 characters."
  }
}

run "a_missing_bundle_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    lambda_package = "nowhere.zip"
  }
  expect_failures = [aws_lambda_function.completer]
}

run "the_lowest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    ledger_retention_days = 1
    poll_minutes          = 1
    task_failures         = 1
    open_update_max_hours = 1
    log_retention_days    = 1
  }
}

run "the_highest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    ledger_retention_days = 3650
    poll_minutes          = 1440
    task_failures         = 50
    open_update_max_hours = 720
    log_retention_days    = 3653
  }
}

run "values_below_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    lambda_package         = ""
    function_name          = ""
    runtime                = "python3.10"
    architecture           = "amd64"
    cluster_name           = ""
    task_definition_family = ""
    passable_role_arns     = [""]
    task_log_group_name    = "a group"
    permissions_boundary   = "boundary"
    ledger_retention_days  = 0
    poll_minutes           = 0
    task_failures          = 0
    open_update_max_hours  = 0
    endpoint_url           = "127.0.0.1:4566"
    log_level              = "info"
    log_retention_days     = 0
  }
  expect_failures = [
    var.lambda_package, var.function_name, var.runtime, var.architecture, var.cluster_name,
    var.task_definition_family, var.passable_role_arns, var.task_log_group_name, var.permissions_boundary,
    var.ledger_retention_days, var.poll_minutes, var.task_failures, var.open_update_max_hours, var.endpoint_url, var.log_level,
    var.log_retention_days,
  ]
}

run "values_above_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    function_name          = "abcdefghijklmnopqrstuvwxyz_abcdefghijkl"
    cluster_name           = "team/one"
    task_definition_family = "web:7"
    passable_role_arns     = ["arn:aws:iam::111122223333:role/one", "*"]
    permissions_boundary   = "arn:aws:iam::111122223333:role/boundary"
    ledger_retention_days  = 3651
    poll_minutes           = 1441
    task_failures          = 51
    open_update_max_hours  = 721
    endpoint_url           = "http://127.0.0.1:4566/path"
    targets_parameter_name = "targets"
    target_role_arns       = ["222222222222"]
    log_retention_days     = 3654
  }
  expect_failures = [
    var.targets_parameter_name, var.target_role_arns, var.function_name, var.cluster_name, var.task_definition_family, var.passable_role_arns, var.permissions_boundary,
    var.ledger_retention_days, var.poll_minutes,
    var.task_failures, var.open_update_max_hours, var.endpoint_url, var.log_retention_days,
  ]
}

run "fractions_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    ledger_retention_days = 90.5
    poll_minutes          = 2.5
    task_failures         = 3.5
    open_update_max_hours = 24.5
  }
  expect_failures = [var.ledger_retention_days, var.poll_minutes, var.task_failures, var.open_update_max_hours]
}

run "the_reconciler_reads_the_targets_and_assumes_their_roles" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    targets_parameter_name = "/team/targets"
    target_role_arns       = ["arn:aws-iso-b:iam::222222222222:role/team-target-update-*"]
  }

  assert {
    condition = {
      for one in jsondecode(aws_iam_role_policy.completer.policy).Statement : one.Action => [one.Resource] if try(contains(["ReadTargets", "AssumeTargetRoles"], one.Sid), false)
      } == {
      "ssm:GetParameter" = ["arn:aws-iso-b:ssm:us-isob-east-1:111122223333:parameter/team/targets"]
      "sts:AssumeRole"   = [["arn:aws-iso-b:iam::222222222222:role/team-target-update-*"]]
    }
    error_message = "The reconciler cannot use the targets, or can assume other roles."
  }
  assert {
    condition = [for name in ["ECS_ARN_PREFIX", "TARGETS_PARAMETER"] : aws_lambda_function.completer.environment[0].variables[name]] == [
      "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:", "/team/targets",
    ]
    error_message = "The reconciler knows neither its account nor the targets."
  }
}

run "verdicts_are_sent_to_the_bus_and_the_topic" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    event_bus_name   = "verdicts"
    notify_topic_arn = "arn:aws-iso-b:sns:us-isob-east-1:111122223333:verdicts"
  }

  assert {
    condition     = [aws_lambda_function.completer.environment[0].variables.EVENT_BUS, aws_lambda_function.completer.environment[0].variables.NOTIFY_TOPIC_ARN] == ["verdicts", var.notify_topic_arn]
    error_message = "The reconciler sends elsewhere."
  }
  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.completer.policy).Statement : one.Action => one.Resource if contains(["SendEvents", "PublishMessages"], one.Sid) } == {
      "events:PutEvents" = "arn:aws-iso-b:events:us-isob-east-1:111122223333:event-bus/verdicts"
      "sns:Publish"      = "arn:aws-iso-b:sns:us-isob-east-1:111122223333:verdicts"
    }
    error_message = "The reconciler cannot send there."
  }
}

run "empty_settings_send_nothing" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    event_bus_name   = ""
    notify_topic_arn = ""
  }

  assert {
    condition     = !contains([for one in jsondecode(aws_iam_role_policy.completer.policy).Statement : one.Sid], "SendEvents")
    error_message = "The reconciler may send without a bus."
  }
}

run "another_account_s_bus_and_a_fifo_topic_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ledger"
  }
  variables {
    event_bus_name   = "arn:aws:events:eu-west-1:111122223333:event-bus/default"
    notify_topic_arn = "arn:aws:sns:eu-west-1:111122223333:verdicts.fifo"
  }
  expect_failures = [var.event_bus_name, var.notify_topic_arn]
}
