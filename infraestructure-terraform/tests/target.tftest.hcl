mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  home_account = "444455556666"
  home_region  = "us-isob-west-1"
  external_id  = "an-id"
  cluster_name = "team-one"
}

run "each_role_trusts_its_functions_with_the_external_id" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }

  assert {
    condition = [for one in [aws_iam_role.update, aws_iam_role.read] : [for statement in jsondecode(one.assume_role_policy).Statement : [statement.Principal, statement.Condition]]] == [
      [[{ AWS        = "arn:aws-iso-b:iam::444455556666:root" }, {
        StringEquals = { "sts:ExternalId" = "an-id" }
        ArnLike = { "aws:PrincipalArn" = [
          "arn:aws-iso-b:iam::444455556666:role/ecs-updater-us-isob-west-1", "arn:aws-iso-b:iam::444455556666:role/ecs-updater-completer-us-isob-west-1",
        ] }
      }]],
      [[{ AWS        = "arn:aws-iso-b:iam::444455556666:root" }, {
        StringEquals = { "sts:ExternalId" = "an-id" }
        ArnLike      = { "aws:PrincipalArn" = ["arn:aws-iso-b:iam::444455556666:role/ecs-updater-api-status-us-isob-west-1"] }
      }]],
    ]
    error_message = "Another role may assume it, or without the external id."
  }
}

run "further_principals_need_the_external_id_too" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }
  variables {
    update_principal_arns = ["arn:aws-iso-b:iam::444455556666:role/deployers/*"]
    read_principal_arns   = ["arn:aws-iso-b:iam::444455556666:user/one"]
  }

  assert {
    condition = [for one in [aws_iam_role.update, aws_iam_role.read] : [for statement in jsondecode(one.assume_role_policy).Statement : statement.Condition if statement.Sid == "TrustPrincipals"]] == [
      [{ StringEquals = { "sts:ExternalId" = "an-id" }, ArnLike = { "aws:PrincipalArn" = ["arn:aws-iso-b:iam::444455556666:role/deployers/*"] } }],
      [{ StringEquals = { "sts:ExternalId" = "an-id" }, ArnLike = { "aws:PrincipalArn" = ["arn:aws-iso-b:iam::444455556666:user/one"] } }],
    ]
    error_message = "They may not assume the roles, or without the external id."
  }
}

run "the_update_role_changes_services_of_one_cluster_and_registers_in_one_family" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }
  variables {
    task_definition_family = "web"
    passable_role_arns     = ["arn:aws-iso-b:iam::111122223333:role/web-*"]
    run_tasks              = true
    task_log_group_name    = "/ecs/*"
    read_scalable_targets  = true
  }

  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.update.policy).Statement : one.Sid => one.Resource } == {
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
      RunTasks                = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task-definition/web:*"
      StopTasks               = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:task/team-one/*"
      ReadTaskLogs            = "arn:aws-iso-b:logs:us-isob-east-1:111122223333:log-group:/ecs/*:log-stream:*"
      ReadScalableTargets     = "*"
      PassTaskRoles           = ["arn:aws-iso-b:iam::111122223333:role/web-*"]
    }
    error_message = "A statement allows another resource."
  }
  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.update.policy).Statement : one.Sid => one.Condition if try(one.Condition != null, false) } == {
      ListTasks             = { ArnLike = { "ecs:cluster" = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:cluster/team-one" } }
      TagNewTaskDefinitions = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
      RunTasks              = { ArnLike = { "ecs:cluster" = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:cluster/team-one" } }
      StopTasks             = { ArnLike = { "ecs:cluster" = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:cluster/team-one" } }
      PassTaskRoles         = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    }
    error_message = "A condition is missing."
  }
}

run "without_their_variables_no_task_runs_and_no_role_is_passed" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }

  assert {
    condition = length(setintersection(
      [for one in jsondecode(aws_iam_role_policy.update.policy).Statement : one.Sid],
      ["RunTasks", "StopTasks", "ReadTaskLogs", "ReadScalableTargets", "PassTaskRoles", "AnswerHooks"],
    )) == 0
    error_message = "The role may do what no setting asks for."
  }
  assert {
    condition     = aws_iam_role.update.permissions_boundary == null && aws_iam_role.read.permissions_boundary == null
    error_message = "IAM does not accept an empty permissions boundary."
  }
}

run "the_read_role_can_only_read" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }

  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.read.policy).Statement : one.Action => one.Resource } == {
      "ecs:ListClusters"           = "*"
      "ecs:ListServices"           = "*"
      "ecs:DescribeTaskDefinition" = "*"
      "ecs:DescribeServices"       = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/*"
    }
    error_message = "A statement allows actions other than reading, or another resource."
  }
}

run "the_longest_name_leaves_room_for_the_region" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }
  variables {
    function_name        = "abcdefghijklmnopqrstuvwxyz_abcdefgh"
    permissions_boundary = "arn:aws-iso-b:iam::111122223333:policy/boundary"
  }

  assert {
    condition     = length(aws_iam_role.update.name) <= 64 && length(aws_iam_role.read.name) <= 64
    error_message = "IAM takes no name longer than 64 characters."
  }
  assert {
    condition     = [for one in [aws_iam_role.update, aws_iam_role.read] : one.permissions_boundary] == [var.permissions_boundary, var.permissions_boundary]
    error_message = "A role has no permissions boundary."
  }
}

run "values_below_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }
  variables {
    home_account           = "44445555666"
    home_region            = ""
    function_name          = ""
    external_id            = "a"
    update_principal_arns  = [""]
    read_principal_arns    = [""]
    cluster_name           = ""
    task_definition_family = ""
    passable_role_arns     = [""]
    permissions_boundary   = "boundary"
  }
  expect_failures = [
    var.home_account, var.home_region, var.function_name, var.external_id, var.update_principal_arns, var.read_principal_arns,
    var.cluster_name, var.task_definition_family, var.passable_role_arns, var.permissions_boundary,
  ]
}

run "values_above_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-target"
  }
  variables {
    home_account          = "4444555566667"
    home_region           = "us-isob-east-1b"
    function_name         = "abcdefghijklmnopqrstuvwxyz_abcdefghi"
    external_id           = "an id"
    update_principal_arns = ["arn:aws-iso-b:iam::444455556666:root"]
    read_principal_arns   = ["*"]
  }
  expect_failures = [
    var.home_account, var.home_region, var.function_name, var.external_id, var.update_principal_arns, var.read_principal_arns,
  ]
}
