mock_provider "aws" {
  source = "./tests/mocks"
}

run "without_optional_parts_only_function_and_reconciler_have_alarms" {
  command = plan
  module {
    source = "./modules/ecs-updater-operations"
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.function_errors) == ["", "-completer"] && keys(aws_cloudwatch_metric_alarm.dead_letters) == ["failed-events"]
    error_message = "A part that is not deployed has an alarm, or the function has none."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.queues) + length(aws_cloudwatch_metric_alarm.api_errors) + length(aws_cloudwatch_metric_alarm.api_latency) == 0
    error_message = "A part that is not deployed has an alarm."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.missing_runs.alarm_actions) + length(aws_cloudwatch_metric_alarm.missing_runs.ok_actions) == 0
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
      for one in concat(
        values(aws_cloudwatch_metric_alarm.verdicts), values(aws_cloudwatch_metric_alarm.entries), values(aws_cloudwatch_metric_alarm.dead_letters),
        values(aws_cloudwatch_metric_alarm.queues), values(aws_cloudwatch_metric_alarm.function_errors), values(aws_cloudwatch_metric_alarm.function_throttles),
        aws_cloudwatch_metric_alarm.api_errors, aws_cloudwatch_metric_alarm.api_latency, [aws_cloudwatch_metric_alarm.missing_runs],
      ) : one.alarm_actions == toset([var.alarm_topic_arn]) && one.ok_actions == toset([var.alarm_topic_arn]) && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "alarm:${one.alarm_name}\"")
    ])
    error_message = "An alarm does not notify the topic, or is not on the dashboard."
  }
  assert {
    condition     = setsubtract(keys(aws_cloudwatch_metric_alarm.function_throttles), keys(aws_cloudwatch_metric_alarm.function_errors)) == toset(["-api-jwt"])
    error_message = "A function has no alarm for its errors, or rejected tokens set one off."
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
