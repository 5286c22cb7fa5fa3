mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  webhook_secret_arn = "arn:aws-iso-b:secretsmanager:us-isob-east-1:111122223333:secret:webhooks-a1B2c3"
  slack_webhook      = true
}

run "failures_of_every_cluster_are_posted_to_slack_only" {
  command = plan
  module {
    source = "./modules/ecs-updater-notify"
  }

  assert {
    condition     = keys(aws_cloudwatch_event_target.this) == ["slack"] && aws_cloudwatch_event_api_destination.this["slack"].invocation_endpoint == "https://hooks.slack.com/x"
    error_message = "Something else is posted to, or the address is not the secret's."
  }
  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this.event_pattern) == {
      source      = ["ecs-updater"]
      detail-type = ["ECS Update Verdict"]
      detail = {
        verdict = ["FAILED", "ROLLED_BACK", "ROLLBACK_FAILED", "STOPPED", "TIMED_OUT", "NOT_DEPLOYED", "INTERRUPTED"]
        cluster = [{ wildcard = "*" }]
      }
    }
    error_message = "Other events are posted."
  }
  assert {
    condition     = jsondecode(replace(aws_cloudwatch_event_target.this["slack"].input_transformer[0].input_template, "/<[a-z]+>/", "x")).blocks[0].text.type == "plain_text"
    error_message = "The post is not JSON of plain text."
  }
  assert {
    condition     = [for one in jsondecode(aws_iam_role_policy.this.policy).Statement : one.Action] == ["events:InvokeApiDestination"]
    error_message = "The role may do something else."
  }
}

run "another_bus_is_in_the_arn_of_the_rule" {
  command = plan
  module {
    source = "./modules/ecs-updater-notify"
  }
  variables {
    event_bus_name      = "verdicts"
    notify_verdicts     = ["SUCCEEDED"]
    notify_cluster_name = "team-*"
    teams_webhook       = true
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.dead_letters.policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws-iso-b:events:us-isob-east-1:111122223333:rule/verdicts/ecs-updater-notify"
    error_message = "The rule cannot send to the queue."
  }
  assert {
    condition     = keys(aws_cloudwatch_event_target.this) == ["slack", "teams"] && aws_cloudwatch_event_rule.this.event_bus_name == "verdicts"
    error_message = "A webhook is missing, or the rule is on another bus."
  }
}

run "something_must_be_posted" {
  command = plan
  module {
    source = "./modules/ecs-updater-notify"
  }
  variables {
    slack_webhook = false
  }
  expect_failures = [aws_cloudwatch_event_rule.this]
}

run "the_module_ecs_updater_posts_on_request" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }
  variables {
    cluster_name   = "shop"
    lambda_package = "main.tf" # Any file, because nothing is uploaded.
    notify         = { webhook_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:webhooks", slack_webhook = true }
  }

  assert {
    condition     = module.notify[0] != null
    error_message = "Nothing is posted."
  }
}

run "wrong_values_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-notify"
  }
  variables {
    webhook_secret_arn  = "webhooks"
    event_bus_name      = ""
    notify_verdicts     = ["BROKEN"]
    notify_cluster_name = "a cluster"
  }
  expect_failures = [var.webhook_secret_arn, var.event_bus_name, var.notify_verdicts, var.notify_cluster_name]
}
