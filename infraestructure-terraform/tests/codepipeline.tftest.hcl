mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  updater = {
    function_name     = "ecs-updater"
    lambda_package    = "main.tf" # Any file, because nothing is uploaded.
    runtime           = "python3.13"
    architecture      = "x86_64"
    role_arn          = "arn:aws-iso-b:iam::111122223333:role/updater"
    log_group_name    = "/aws/lambda/updater"
    ledger_table_name = "a-ledger"
    log_level         = "INFO"
    tracing           = "PassThrough"
    kms_key_arn       = ""
    environment       = { LEDGER_TABLE = "a-ledger", ALLOWED_SERVICES = "shop/*" }
  }
}

run "it_has_the_updaters_role_log_group_and_settings" {
  command = plan
  module {
    source = "./modules/ecs-updater-codepipeline"
  }

  assert {
    condition     = aws_lambda_function.this.role == var.updater.role_arn && aws_lambda_function.this.logging_config[0].log_group == var.updater.log_group_name
    error_message = "The function's role cannot write its logs or cannot update."
  }
  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      LEDGER_TABLE            = "a-ledger"
      ALLOWED_SERVICES        = "shop/*"
      POWERTOOLS_SERVICE_NAME = "ecs-updater-codepipeline"
    })
    error_message = "The function has other settings than the updater."
  }
  assert {
    condition = aws_iam_role_policy.this.role == "updater" && [for one in jsondecode(aws_iam_role_policy.this.policy).Statement : [one.Action, one.Resource]] == [
      [["codepipeline:PutJobFailureResult", "codepipeline:PutJobSuccessResult"], "*"],
    ]
    error_message = "The function may do more than report results, or less."
  }
}

run "a_job_that_has_expired_is_not_run" {
  command = plan
  module {
    source = "./modules/ecs-updater-codepipeline"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_event_age_in_seconds == 20 * 60 && aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 2
    error_message = "An update could start after CodePipeline has given up, or a killed invocation is not repeated."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.this.function_name == aws_lambda_function.this.function_name
    error_message = "The limit is another function's."
  }
}

run "the_longest_name_leaves_room_for_the_functions" {
  command = plan
  module {
    source = "./modules/ecs-updater-codepipeline"
  }
  variables {
    updater = merge(var.updater, { function_name = "abcdefghijklmnopqrstuvwxyz_abcdefghijk" })
  }

  assert {
    condition     = length(output.codepipeline_function_name) <= 64
    error_message = "Lambda takes no name longer than 64 characters."
  }
}

run "a_missing_bundle_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-codepipeline"
  }
  variables {
    updater = merge(var.updater, { lambda_package = "nowhere.zip" })
  }
  expect_failures = [aws_lambda_function.this]
}

run "a_function_without_a_ledger_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-codepipeline"
  }
  variables {
    updater = merge(var.updater, { ledger_table_name = "" })
  }
  expect_failures = [var.updater]
}
