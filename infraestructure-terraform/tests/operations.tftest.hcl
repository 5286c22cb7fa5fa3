mock_provider "aws" {
  source = "./tests/mocks"
}

run "without_optional_parts_only_function_and_reconciler_have_alarms" {
  command = plan
  module {
    source = "./modules/ecs-updater-operations"
  }

  assert {
    condition = keys(aws_cloudwatch_metric_alarm.this) == [
      "-completer-errors", "-completer-throttles", "-errors", "-failed-events", "-failed-rollbacks", "-failed-updates", "-missing-runs",
      "-overdue-updates", "-rolled-back-updates", "-skipped-entries", "-throttles",
    ]
    error_message = "A part that is not deployed has an alarm, or function or reconciler lacks one."
  }
  assert {
    condition     = alltrue([for one in aws_cloudwatch_metric_alarm.this : length(one.alarm_actions) + length(one.ok_actions) == 0])
    error_message = "An alarm has an action."
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 9
    error_message = "The dashboard shows a part that is not deployed."
  }
}

run "every_alarm_notifies_the_topic_and_the_dashboard_shows_it" {
  command = plan
  module {
    source = "./modules/ecs-updater-operations"
  }
  variables {
    function_name         = "shop"
    alarm_topic_arn       = "arn:aws:sns:eu-west-1:111122223333:on-call"
    api_deployed          = true
    authorizer_deployed   = true
    fleet_deployed        = true
    push_deployed         = true
    codepipeline_deployed = true
    notify_deployed       = true
  }

  assert {
    condition = alltrue([
      for one in aws_cloudwatch_metric_alarm.this : one.alarm_actions == toset([var.alarm_topic_arn]) && one.ok_actions == toset([var.alarm_topic_arn]) && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "alarm:${one.alarm_name}\"")
    ])
    error_message = "An alarm does not notify the topic, or is not on the dashboard."
  }
  assert {
    condition = alltrue([
      for name in ["", "-completer", "-api-update", "-api-status", "-api-jwt", "-fleet", "-push", "-codepipeline"] :
      contains(keys(aws_cloudwatch_metric_alarm.this), "${name}-errors") && contains(keys(aws_cloudwatch_metric_alarm.this), "${name}-throttles")
    ])
    error_message = "A function has no alarm for its errors or its throttles."
  }
}

run "thresholds_outside_their_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-operations"
  }
  variables {
    alarm_topic_arn      = "on-call"
    error_threshold      = -1
    throttle_threshold   = 0.5
    latency_milliseconds = 30000
    message_age_seconds  = 10
    run_period_seconds   = 301
  }

  expect_failures = [
    var.alarm_topic_arn, var.error_threshold, var.throttle_threshold, var.latency_milliseconds, var.message_age_seconds, var.run_period_seconds,
  ]
}
