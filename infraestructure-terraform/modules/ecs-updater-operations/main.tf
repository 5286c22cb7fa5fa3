# The alarms of all parts, and the dashboard. This file has the alarms:
#   dashboard.tf  the dashboard
#
# The names of the alarms are function_name and the name of a section of docs/operations.md, or of a function and what it counts.

locals {
  actions = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]

  # Each function by the end of its name, and whether its errors set off an alarm. Lambda counts each rejected token as an error:
  # api_errors reports a failing authoriser.
  functions = merge(
    { "" = true, "-completer" = true },
    var.api_deployed ? { "-api-update" = true, "-api-status" = true } : {},
    var.authorizer_deployed ? { "-api-jwt" = false } : {},
    var.fleet_deployed ? { "-fleet" = true } : {},
    var.push_deployed ? { "-push" = true } : {},
    var.codepipeline_deployed ? { "-codepipeline" = true } : {},
  )

  # Verdicts of updates: the log of the functions has the metrics.
  verdicts = {
    "failed-updates"      = { verdict = "FAILED", text = "An update failed, and the service may run the failed revision" }
    "rolled-back-updates" = { verdict = "ROLLED_BACK", text = "An update failed, and the service runs its earlier revision again" }
    "failed-rollbacks"    = { verdict = "ROLLBACK_FAILED", text = "A rollback failed: the service needs an operator" }
  }

  entries = {
    "skipped-entries" = { metric = "SkippedEntries", text = "Every run of the reconciler skipped an entry of the ledger or a service" }
    "overdue-updates" = { metric = "OverdueUpdates", text = "An open update had no change in ECS for longer than OPEN_UPDATE_MAX_HOURS" }
  }

  # Dead-letter queues. SQS sends no metrics for a queue that has been idle for hours.
  dead_letters = merge(
    { "failed-events" = { queue = "${var.function_name}-dead-letters", text = "events of asynchronous invocations that failed" } },
    var.fleet_deployed ? { "failed-messages" = { queue = "${var.function_name}-fleet-dead-letters.fifo", text = "messages that could not be processed" } } : {},
    var.push_deployed ? { "failed-pushes" = { queue = "${var.function_name}-push-dead-letters", text = "pushes that could not be processed" } } : {},
    var.notify_deployed ? { "failed-notifications" = { queue = "${var.function_name}-notify-dead-letters", text = "notifications that could not be delivered" } } : {},
  )

  queues = merge(
    var.fleet_deployed ? { "old-messages" = "${var.function_name}-fleet.fifo" } : {},
    var.push_deployed ? { "old-pushes" = "${var.function_name}-push" } : {},
  )

  manual = "See docs/operations.md#"
}

resource "aws_cloudwatch_metric_alarm" "verdicts" {
  for_each = local.verdicts

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = "${each.value.text}. ${local.manual}${each.key}"
  namespace           = "ecs-updater"
  metric_name         = "Verdicts"
  dimensions          = { updater = var.function_name, verdict = each.value.verdict }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "missing_runs" {
  alarm_name          = "${var.function_name}-missing-runs"
  alarm_description   = "The reconciler ${var.function_name}-completer did not run: open updates get no verdict. ${local.manual}missing-runs"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = "${var.function_name}-completer" }
  statistic           = "Sum"
  period              = var.run_period_seconds
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "entries" {
  for_each = local.entries

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = "${each.value.text}. ${local.manual}${each.key}"
  namespace           = "ecs-updater"
  metric_name         = each.value.metric
  dimensions          = { updater = var.function_name }
  statistic           = "Minimum"
  period              = var.run_period_seconds
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_letters

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = "${each.value.queue} has ${each.value.text}. ${local.manual}${each.key}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "queues" {
  for_each = local.queues

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = "The oldest message of ${each.value} waits for too long. ${local.manual}old-messages"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.message_age_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "api_errors" {
  count = var.api_deployed ? 1 : 0

  alarm_name          = "${var.function_name}-api-errors"
  alarm_description   = "The HTTP API answered with 5XX. ${local.manual}api-errors"
  namespace           = "AWS/ApiGateway"
  metric_name         = "5XXError"
  dimensions          = { ApiName = "${var.function_name}-api" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.error_threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "api_latency" {
  count = var.api_deployed ? 1 : 0

  alarm_name          = "${var.function_name}-api-latency"
  alarm_description   = "The slowest 1% of the requests of the HTTP API took too long. ${local.manual}api-latency"
  namespace           = "AWS/ApiGateway"
  metric_name         = "Latency"
  dimensions          = { ApiName = "${var.function_name}-api" }
  extended_statistic  = "p99"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.latency_milliseconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "function_errors" {
  for_each = { for name, is_watched in local.functions : name => name if is_watched }

  alarm_name          = "${var.function_name}${each.key}-errors"
  alarm_description   = "Calls of the function ${var.function_name}${each.key} failed. ${local.manual}function-errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = "${var.function_name}${each.key}" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.error_threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "function_throttles" {
  for_each = local.functions

  alarm_name          = "${var.function_name}${each.key}-throttles"
  alarm_description   = "Lambda throttled calls of the function ${var.function_name}${each.key}. ${local.manual}function-throttles"
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = "${var.function_name}${each.key}" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.throttle_threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}
