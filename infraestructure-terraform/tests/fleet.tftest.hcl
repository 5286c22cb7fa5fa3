mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  updater = {
    function_name     = "ecs-updater"
    lambda_package    = "main.tf" # Any file, because nothing is uploaded.
    runtime           = "python3.13"
    architecture      = "x86_64"
    cluster_name      = "team-one"
    role_arn          = "arn:aws-iso-b:iam::111122223333:role/updater"
    log_group_name    = "/aws/lambda/updater"
    ledger_table_name = "a-ledger"
    log_level         = "INFO"
    tracing           = "PassThrough"
    kms_key_arn       = ""
    endpoint_url      = ""
    environment       = { LEDGER_TABLE = "a-ledger", ECS_ARN_PREFIX = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:", TARGETS_PARAMETER = "" }
  }
}

run "a_service_keeps_its_order_and_waits_for_no_other" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }

  assert {
    condition = alltrue([
      for one in [aws_sqs_queue.this, aws_sqs_queue.dead_letters] :
      one.fifo_queue && endswith(one.name, ".fifo") && one.deduplication_scope == "messageGroup" && one.fifo_throughput_limit == "perMessageGroupId" && !one.content_based_deduplication
    ])
    error_message = "A queue has no order, or one for everything in it."
  }
}

run "a_message_is_hidden_during_processing_and_ends_in_the_dead_letter_queue" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    queue_retention_days = 14
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 6 * aws_lambda_function.this.timeout
    error_message = "A message becomes visible while the worker processes it."
  }
  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 14 * 24 * 60 * 60 && aws_sqs_queue.dead_letters.message_retention_seconds == 14 * 24 * 60 * 60
    error_message = "The retention is too short."
  }
  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet-dead-letters.fifo"
      maxReceiveCount     = tonumber(aws_lambda_function.this.environment[0].variables["MAX_RECEIVES"])
    }
    error_message = "MAX_RECEIVE_COUNT differs from the redrive policy, or the dead-letter queue is another one."
  }
  assert {
    condition = jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet.fifo"]
    }
    error_message = "Another queue can use this dead-letter queue, or this one cannot."
  }
}

run "both_queues_are_encrypted_and_require_tls" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "A queue is not encrypted."
  }
  assert {
    condition = [
      for one in concat(aws_sqs_queue_policy.this, aws_sqs_queue_policy.dead_letters) :
      [for statement in jsondecode(one.policy).Statement : [statement.Effect, statement.Principal, statement.Resource, statement.Condition.Bool["aws:SecureTransport"]]]
      ] == [
      [["Deny", "*", "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet.fifo", "false"]],
      [["Deny", "*", "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet-dead-letters.fifo", "false"]],
    ]
    error_message = "A queue accepts requests without TLS."
  }
}

run "the_worker_takes_ten_messages_with_partial_failures_and_bounded_concurrency" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    maximum_concurrency = 7
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 10 && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "One failed message fails the whole batch."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.scaling_config[0].maximum_concurrency == 7
    error_message = "The concurrency is not bounded."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.function_name == aws_lambda_function.this.function_name
    error_message = "The queue invokes another function."
  }
}

run "the_worker_has_the_updaters_role_and_log_group_and_one_queue" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }

  assert {
    condition     = aws_lambda_function.this.role == var.updater.role_arn && aws_lambda_function.this.logging_config[0].log_group == var.updater.log_group_name
    error_message = "The worker's role cannot write its logs or cannot update."
  }
  assert {
    condition = aws_iam_role_policy.this.role == "updater" && { for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Sid => one.Resource } == {
      WorkOffMessages = "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet.fifo"
      SendDeadLetters = "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet-dead-letters.fifo"
    }
    error_message = "Another role may receive messages, or a statement allows another resource."
  }
}

run "a_sender_may_send_write_batches_and_read_results" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }

  assert {
    condition = { for one in jsondecode(aws_iam_policy.sender.policy).Statement : one.Sid => [one.Action, one.Resource] } == {
      SendMessages = [["sqs:GetQueueUrl", "sqs:SendMessage"], "arn:aws-iso-b:sqs:us-isob-east-1:111122223333:ecs-updater-fleet.fifo"]
      FindLedger   = ["dynamodb:DescribeTable", "arn:aws-iso-b:dynamodb:us-isob-east-1:111122223333:table/a-ledger"]
      UseBatches   = [["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], "arn:aws-iso-b:dynamodb:us-isob-east-1:111122223333:table/a-ledger"]
      WatchUpdates = ["dynamodb:BatchGetItem", "arn:aws-iso-b:dynamodb:us-isob-east-1:111122223333:table/a-ledger"]
      ReadServices = ["ecs:DescribeServices", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/team-one/*"]
    }
    error_message = "A sender may do more than send, or less."
  }
  assert {
    condition = {
      for one in jsondecode(aws_iam_policy.sender.policy).Statement : one.Sid => [one.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], one.Condition.Null["dynamodb:LeadingKeys"]] if can(one.Condition)
      } == {
      UseBatches   = [["BATCH#*"], "false"]
      WatchUpdates = [["REQUEST#*", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/*"], "false"]
    }
    error_message = "A sender may write leases or history, or read another account's."
  }
}

run "a_sender_reads_task_definitions_only_for_dry_runs" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    sender_dry_runs = true
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_policy.sender.policy).Statement : [one.Action, one.Resource] if one.Sid == "ReadTaskDefinitions"
    ] == [["ecs:DescribeTaskDefinition", "*"]]
    error_message = "A sender cannot read task definitions for a dry run."
  }
}

run "a_sender_reads_the_targets_and_the_results_of_their_services" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    updater = merge(var.updater, { environment = merge(var.updater.environment, { TARGETS_PARAMETER = "/team/targets" }) })
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_policy.sender.policy).Statement : one.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] if try(one.Sid == "WatchUpdates", false)
    ] == [["REQUEST#*", "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:service/*", "arn:aws-iso-b:ecs:*:*:service/*"]]
    error_message = "A sender cannot read the results of a target, or can read leases."
  }
  assert {
    condition = [
      for one in jsondecode(aws_iam_policy.sender.policy).Statement : one.Resource if try(one.Action == "ssm:GetParameter", false)
    ] == ["arn:aws-iso-b:ssm:us-isob-east-1:111122223333:parameter/team/targets"]
    error_message = "A sender cannot read the targets, or can read another parameter."
  }
}

run "the_worker_has_the_urls_of_aws" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    ecs_rates = ["RegisterTaskDefinition=40/2", "UpdateService=80/0.5"]
  }

  assert {
    condition = [for name in ["QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "ECS_ARN_PREFIX", "ECS_RATES", "LEDGER_TABLE"] : aws_lambda_function.this.environment[0].variables[name]] == [
      "https://sqs.us-isob-east-1.sc2s.sgov.gov/111122223333/ecs-updater-fleet.fifo",
      "https://sqs.us-isob-east-1.sc2s.sgov.gov/111122223333/ecs-updater-fleet-dead-letters.fifo",
      "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:",
      "RegisterTaskDefinition=40/2,UpdateService=80/0.5",
      "a-ledger",
    ]
    error_message = "The worker lacks its queues, its table or its rate limits."
  }
  assert {
    condition     = !contains(keys(aws_lambda_function.this.environment[0].variables), "AWS_ENDPOINT_URL")
    error_message = "The worker would call another endpoint than AWS's."
  }
  assert {
    condition     = length(setintersection(keys(aws_lambda_function.this.environment[0].variables), ["CLUSTER_NAME", "SERVICE_NAME", "CONTAINER_NAME", "IMAGE"])) == 0
    error_message = "An empty message would cause an update."
  }
}

run "with_an_endpoint_the_queue_urls_are_the_emulators" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    updater = merge(var.updater, { endpoint_url = "http://127.0.0.1:4566", environment = merge(var.updater.environment, { AWS_ENDPOINT_URL = "http://127.0.0.1:4566" }) })
  }

  assert {
    condition = [for name in ["QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "AWS_ENDPOINT_URL"] : aws_lambda_function.this.environment[0].variables[name]] == [
      "http://127.0.0.1:4566/111122223333/ecs-updater-fleet.fifo",
      "http://127.0.0.1:4566/111122223333/ecs-updater-fleet-dead-letters.fifo",
      "http://127.0.0.1:4566",
    ]
    error_message = "The worker would not call the emulator."
  }
  assert {
    condition     = length(aws_sqs_queue_policy.this) + length(aws_sqs_queue_policy.dead_letters) == 0
    error_message = "The emulator, which has no TLS, would be refused."
  }
}

run "the_longest_name_leaves_room_for_derived_names" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    updater = merge(var.updater, { function_name = "abcdefghijklmnopqrstuvwxyz_abcdefghijk" })
  }

  assert {
    condition     = length(aws_lambda_function.this.function_name) <= 64
    error_message = "Lambda takes no name longer than 64 characters."
  }
  assert {
    condition     = length(aws_sqs_queue.this.name) <= 80 && length(aws_sqs_queue.dead_letters.name) <= 80
    error_message = "SQS takes no name longer than 80 characters."
  }
}

run "a_missing_bundle_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    updater = merge(var.updater, { lambda_package = "nowhere.zip" })
  }
  expect_failures = [aws_lambda_function.this]
}

run "the_lowest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    queue_retention_days = 1
    maximum_concurrency  = 2
    ecs_rates            = ["ListClusters=1/0.001"]
  }
}

run "the_highest_values_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    queue_retention_days = 14
    maximum_concurrency  = 20
    ecs_rates            = ["DescribeServices=99999/9999.999"]
  }
}

run "values_below_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    updater              = merge(var.updater, { ledger_table_name = "" })
    queue_retention_days = 0
    maximum_concurrency  = 1
    ecs_rates            = [""]
  }
  expect_failures = [var.updater, var.queue_retention_days, var.maximum_concurrency, var.ecs_rates]
}

run "values_above_the_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    queue_retention_days = 15
    maximum_concurrency  = 21
    ecs_rates            = ["UpdateService=80/5", "RunTask=20/1"]
  }
  expect_failures = [var.queue_retention_days, var.maximum_concurrency, var.ecs_rates]
}

run "fractions_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-fleet"
  }
  variables {
    queue_retention_days = 4.5
    maximum_concurrency  = 5.5
  }
  expect_failures = [var.queue_retention_days, var.maximum_concurrency]
}
