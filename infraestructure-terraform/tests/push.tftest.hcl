mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  updater = {
    function_name        = "ecs-updater"
    lambda_package       = "main.tf" # Any file, because nothing is uploaded.
    runtime              = "python3.13"
    architecture         = "x86_64"
    cluster_name         = "team-one"
    permissions_boundary = ""
    ledger_table_name    = "a-ledger"
    log_level            = "INFO"
    tracing              = "PassThrough"
    kms_key_arn          = ""
    log_retention_days   = 30
    endpoint_url         = ""
    environment          = { ALLOWED_IMAGES = "a/*", ALLOWED_SERVICES = "shop/*", LEDGER_TABLE = "a-ledger", TASK_DEF = "web", ECS_ARN_PREFIX = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:" }
  }
  fleet_queue_url = "https://sqs.us-isob-east-1.sc2s.sgov.gov/111122223333/ecs-updater-fleet.fifo"
}

run "pushes_of_tags_reach_the_queue_and_no_other_events" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this.event_pattern) == {
      source      = ["aws.ecr"]
      detail-type = ["ECR Image Action"]
      detail      = { action-type = ["PUSH"], result = ["SUCCESS"], image-tag = [{ exists = true }] }
    }
    error_message = "The rule sends other events."
  }
  assert {
    condition = [
      for one in jsondecode(aws_sqs_queue_policy.this.policy).Statement : [one.Effect, one.Principal, one.Condition]
      ] == [
      ["Allow", { Service = "events.amazonaws.com" }, { ArnEquals = { "aws:SourceArn" = "arn:aws-iso-b:events:us-isob-east-1:111122223333:rule/ecs-updater-push" } }],
      ["Deny", "*", { Bool = { "aws:SecureTransport" = "false" } }],
    ]
    error_message = "Another rule may send, or a call without TLS."
  }
}

run "pushes_are_collected_for_a_minute_and_failed_ones_end_in_the_dead_letter_queue" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 60 && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The pushes are not collected, or a failed one deletes the others."
  }
  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 6 * aws_lambda_function.this.timeout
    error_message = "A message becomes visible while the function processes it."
  }
  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-push-dead-letters"
      maxReceiveCount     = 5
    }
    error_message = "The dead-letter queue is another one."
  }
  assert {
    condition = jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-push"]
    }
    error_message = "Another queue can use this dead-letter queue, or this one cannot."
  }
  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled && length(aws_sqs_queue_policy.dead_letters) == 1
    error_message = "A queue is not encrypted, or does not require TLS."
  }
}

run "the_function_has_the_settings_that_it_reads" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }
  variables {
    dry_run   = true
    ecs_rates = ["RegisterTaskDefinition=40/2", "UpdateService=80/0.5"]
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      ALLOWED_IMAGES          = "a/*"
      ALLOWED_SERVICES        = "shop/*"
      CLUSTER_PATTERN         = "team-one"
      ECS_ARN_PREFIX          = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:"
      ECS_RATES               = "RegisterTaskDefinition=40/2,UpdateService=80/0.5"
      LEDGER_TABLE            = "a-ledger"
      POWERTOOLS_LOG_LEVEL    = "INFO"
      POWERTOOLS_SERVICE_NAME = "ecs-updater-push"
      PUSH_DRY_RUN            = "true"
      QUEUE_URL               = var.fleet_queue_url
      UPDATER_NAME            = "ecs-updater"
    })
    error_message = "The function has other settings."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The logs are kept for another time than the function's."
  }
}

run "the_role_reads_services_of_its_cluster_and_changes_none" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }

  assert {
    condition = {
      for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Sid => [one.Action, one.Resource] if startswith(flatten([one.Action])[0], "ecs:") || startswith(flatten([one.Action])[0], "sqs:")
      } == {
      ReadServices         = ["ecs:DescribeServices", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"]
      ReadTaskDefinitions  = ["ecs:DescribeTaskDefinition", "*"]
      ReadServiceRevisions = ["ecs:DescribeServiceRevisions", ["arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service-revision/team-one/*"]]
      SendUpdates          = ["sqs:SendMessage", "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet.fifo"]
      TakeEvents           = [["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-push"]
    }
    error_message = "The role may do more, or less."
  }
}

run "the_longest_name_leaves_room_for_role_and_function" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }
  variables {
    updater = merge(var.updater, { function_name = "abcdefghijklmnopqrstuvwxyz_abcdefghijk" })
  }

  assert {
    condition     = length(aws_iam_role.this.name) <= 64 && length(output.push_function_name) <= 64
    error_message = "IAM and Lambda take no name longer than 64 characters."
  }
}

run "an_emulator_requires_no_tls_and_has_its_address" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }
  variables {
    updater         = merge(var.updater, { endpoint_url = "http://127.0.0.1:4566" })
    fleet_queue_url = "http://127.0.0.1:4566/000000000000/ecs-updater-fleet.fifo"
  }

  assert {
    condition     = length(jsondecode(aws_sqs_queue_policy.this.policy).Statement) == 1 && length(aws_sqs_queue_policy.dead_letters) == 0
    error_message = "An emulator without TLS would be refused."
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    error_message = "The function would call AWS."
  }
}

run "another_queue_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }
  variables {
    fleet_queue_url = "https://sqs.us-isob-east-1.sc2s.sgov.gov/111122223333/other"
  }
  expect_failures = [var.fleet_queue_url]
}

run "a_missing_bundle_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }
  variables {
    updater = merge(var.updater, { lambda_package = "nowhere.zip" })
  }
  expect_failures = [aws_lambda_function.this]
}

run "a_function_without_a_ledger_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-push"
  }
  variables {
    updater = merge(var.updater, { ledger_table_name = "" })
  }
  expect_failures = [var.updater]
}
