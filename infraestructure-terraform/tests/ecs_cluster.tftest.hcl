mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "example-ecs"
}

run "only_this_accounts_tasks_use_the_role_and_only_for_their_log_group" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }

  assert {
    condition = jsondecode(aws_iam_role.task_execution.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = "111122223333" }
        ArnLike      = { "aws:SourceArn" = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:*" }
      }
    }]
    error_message = "Another service or account may use the role."
  }
  assert {
    condition = [for one in jsondecode(aws_iam_role_policy.task_execution.policy).Statement : one.Resource] == [
      "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/ecs/example-ecs:*",
    ]
    error_message = "The role may write elsewhere than to the log group of the tasks."
  }
  assert {
    condition     = aws_iam_role.task_execution.permissions_boundary == null
    error_message = "The permissions boundary must be absent, not empty."
  }
  # The function's policy contains it, and a plan must show that policy.
  assert {
    condition     = output.task_execution_role_arn == "arn:aws-iso-b:iam::111122223333:role/example-ecs-us-isob-east-1-execution"
    error_message = "The ARN of the execution role is wrong, or not known before the role is created."
  }
}

run "the_longest_name_leaves_room_for_the_region_in_the_name_of_the_role" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    name = "abcdefghijklmnopqrstuvwxyz-abcdefghi-ec"
  }

  assert {
    condition     = length(aws_iam_role.task_execution.name) <= 64
    error_message = "IAM takes no name longer than 64 characters."
  }
}

run "a_longer_name_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    name = "abcdefghijklmnopqrstuvwxyz-abcdefghi-ecs"
  }
  expect_failures = [var.name]
}

run "values_out_of_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    name                 = "1-ecs"
    cluster_name         = "ECS Cluster"
    container_insights   = "on"
    log_retention_days   = 15
    permissions_boundary = "arn:aws:iam::111122223333:role/boundary"
  }
  expect_failures = [
    var.name, var.cluster_name, var.container_insights, var.log_retention_days, var.permissions_boundary,
  ]
}
