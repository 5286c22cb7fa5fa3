# The alarms of all parts, and the dashboard. This file has the alarms:
#   dashboard.tf  the dashboard
#
# The names of the alarms are function_name and the name of a section of docs/operations.md, or of a function and what it counts.

locals {
  name    = var.function_name
  actions = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]

  # Each function by the end of its name.
  functions = concat(
    ["", "-completer"],
    var.api_deployed ? ["-api-update", "-api-status"] : [],
    var.authorizer_deployed ? ["-api-jwt"] : [],
    var.fleet_deployed ? ["-fleet"] : [],
    var.push_deployed ? ["-push"] : [],
    var.codepipeline_deployed ? ["-codepipeline"] : [],
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
    { "failed-events" = { queue = "${local.name}-dead-letters", text = "events of asynchronous invocations that failed" } },
    var.fleet_deployed ? { "failed-messages" = { queue = "${local.name}-fleet-dead-letters.fifo", text = "messages that could not be processed" } } : {},
    var.push_deployed ? { "failed-pushes" = { queue = "${local.name}-push-dead-letters", text = "pushes that could not be processed" } } : {},
    var.notify_deployed ? { "failed-notifications" = { queue = "${local.name}-notify-dead-letters", text = "notifications that could not be delivered" } } : {},
  )

  queues = merge(
    var.fleet_deployed ? { "old-messages" = "${local.name}-fleet.fifo" } : {},
    var.push_deployed ? { "old-pushes" = "${local.name}-push" } : {},
  )

  # By the end of the name: the text, the section of docs/operations.md, namespace and name of the metric. The resource has the defaults.
  alarms = merge(
    { for name, one in local.verdicts : "-${name}" => {
      text    = one.text
      metric  = ["ecs-updater", "Verdicts"], dimensions = { updater = local.name, verdict = one.verdict }
      section = name
    } },
    { "-missing-runs" = {
      text      = "The reconciler ${local.name}-completer did not run: open updates get no verdict", section = "missing-runs"
      metric    = ["AWS/Lambda", "Invocations"], dimensions = { FunctionName = "${local.name}-completer" }, period = var.run_period_seconds
      threshold = 1, comparison = "LessThanThreshold", missing = "breaching"
    } },
    { for name, one in local.entries : "-${name}" => {
      text   = one.text, section = name
      metric = ["ecs-updater", "${one.metric}"], dimensions = { updater = local.name }, statistic = "Minimum", period = var.run_period_seconds
    } },
    { for name, one in local.dead_letters : "-${name}" => {
      text   = "${one.queue} has ${one.text}", section = name
      metric = ["AWS/SQS", "ApproximateNumberOfMessagesVisible"], dimensions = { QueueName = one.queue }, statistic = "Maximum"
    } },
    { for name, queue in local.queues : "-${name}" => {
      text      = "The oldest message of ${queue} waits for too long", section = "old-messages"
      metric    = ["AWS/SQS", "ApproximateAgeOfOldestMessage"], dimensions = { QueueName = queue }, statistic = "Maximum", period = 300
      threshold = var.message_age_seconds
    } },
    var.api_deployed ? { "-api-errors" = {
      text      = "The HTTP API answered with 5XX", section = "api-errors"
      metric    = ["AWS/ApiGateway", "5XXError"], dimensions = { ApiName = "${local.name}-api" }
      threshold = var.error_threshold
    } } : {},
    var.api_deployed ? { "-api-latency" = {
      text      = "The slowest 1% of the requests of the HTTP API took too long", section = "api-latency"
      metric    = ["AWS/ApiGateway", "Latency"], dimensions = { ApiName = "${local.name}-api" }, percentile = "p99", period = 300, periods = 3
      threshold = var.latency_milliseconds
    } } : {},
    { for name in local.functions : "${name}-errors" => {
      text      = "Calls of the function ${local.name}${name} failed", section = "function-errors"
      metric    = ["AWS/Lambda", "Errors"], dimensions = { FunctionName = "${local.name}${name}" }
      threshold = var.error_threshold
    } },
    { for name in local.functions : "${name}-throttles" => {
      text      = "Lambda throttled calls of the function ${local.name}${name}", section = "function-throttles"
      metric    = ["AWS/Lambda", "Throttles"], dimensions = { FunctionName = "${local.name}${name}" }
      threshold = var.throttle_threshold
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}${each.key}"
  alarm_description   = "${each.value.text}. See docs/operations.md#${each.value.section}"
  namespace           = each.value.metric[0]
  metric_name         = each.value.metric[1]
  dimensions          = each.value.dimensions
  statistic           = can(each.value.percentile) ? null : try(each.value.statistic, "Sum")
  extended_statistic  = try(each.value.percentile, null)
  period              = try(each.value.period, 60)
  evaluation_periods  = try(each.value.periods, 1)
  comparison_operator = try(each.value.comparison, "GreaterThanThreshold")
  threshold           = try(each.value.threshold, 0)
  treat_missing_data  = try(each.value.missing, "notBreaching")
  alarm_actions       = local.actions
  ok_actions          = local.actions
}
