# Posts verdicts of updates to Slack and Microsoft Teams.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

# The address of a webhook is its secret: the state of Terraform has it, too.
data "aws_secretsmanager_secret_version" "webhooks" {
  secret_id = var.webhook_secret_arn
}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  has_tls = var.endpoint_url == "" # No emulator either, which has no TLS.
  notify  = "${var.function_name}-notify"
  # ARNs are built from the names, so that a plan shows whole policies.
  arn_of_events = "arn:${local.partition}:events:${local.region}:${local.account}"
  dead_letters  = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.notify}-dead-letters"
  # A rule of another bus than the default one has the name of the bus in its ARN.
  rule = join("/", concat(["rule"], var.event_bus_name == "default" ? [] : [var.event_bus_name], [local.notify]))

  destinations = merge(
    var.slack_webhook ? { slack = "Slack" } : {},
    var.teams_webhook ? { teams = "Microsoft Teams" } : {},
  )
  # The values have neither quotation marks nor backslashes, so the result is valid JSON.
  input_paths = { verdict = "$.detail.verdict", service = "$.detail.service", cluster = "$.detail.cluster", summary = "$.detail.summary" }
  input_templates = {
    # Plain text, in which Slack reads no mention and no link.
    slack = <<-EOT
      {"text": "<verdict>: <service> in <cluster>", "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "<summary>"}}]}
    EOT
    # An adaptive card with runs of text, in which Teams reads no Markdown.
    teams = <<-EOT
      {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "weight": "bolder", "text": "<verdict>: <service> in <cluster>"}]}, {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "<summary>"}]}]}}]}
    EOT
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  name           = local.notify
  description    = "Posts verdicts of updates to webhooks"
  event_bus_name = var.event_bus_name
  state          = "ENABLED"

  event_pattern = jsonencode({
    source      = ["ecs-updater"]
    detail-type = ["ECS Update Verdict"]
    detail = {
      verdict = var.notify_verdicts
      cluster = [{ wildcard = var.notify_cluster_name }]
    }
  })

  lifecycle {
    precondition {
      condition     = var.slack_webhook || var.teams_webhook
      error_message = "Set slack_webhook or teams_webhook to true, or both."
    }
  }
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.destinations

  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = var.event_bus_name
  target_id      = each.key
  arn            = aws_cloudwatch_event_api_destination.this[each.key].arn
  role_arn       = aws_iam_role.this.arn

  input_transformer {
    input_paths    = local.input_paths
    input_template = trimspace(local.input_templates[each.key])
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }
}

# The address of a webhook is its secret. A connection needs an authorization: this header, which webhooks ignore.
resource "aws_cloudwatch_event_connection" "this" {
  name               = local.notify
  description        = "Header of the posts of verdicts"
  authorization_type = "API_KEY"

  auth_parameters {
    api_key {
      key   = "X-Sent-By"
      value = "ecs-updater"
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "this" {
  for_each = local.destinations

  name                = "${local.notify}-${each.key}"
  description         = "Posts verdicts of updates to a channel of ${each.value}"
  connection_arn      = aws_cloudwatch_event_connection.this.arn
  http_method         = "POST"
  invocation_endpoint = jsondecode(data.aws_secretsmanager_secret_version.webhooks.secret_string)["${each.key}_webhook_url"]
  # Slack takes one message per second.
  invocation_rate_limit_per_second = 1
}

resource "aws_iam_role" "this" {
  name                 = "${local.notify}-${local.region}"
  description          = "Lets EventBridge post verdicts to the webhooks"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "ecs-updater-notify"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "PostVerdicts"
        Effect = "Allow"
        Action = "events:InvokeApiDestination"
        # The ARN of a destination ends with an id.
        Resource = [for name in ["slack", "teams"] : "${local.arn_of_events}:api-destination/${local.notify}-${name}/*"]
      },
    ]
  })
}

# Events that a webhook did not take for an hour.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.notify}-dead-letters"
  message_retention_seconds = 1209600
  max_message_size          = 262144
  kms_master_key_id         = var.kms_key_arn == "" ? null : var.kms_key_arn
  sqs_managed_sse_enabled   = var.kms_key_arn == "" ? true : null
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "SendDeadLetters"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.dead_letters
        Condition = { ArnEquals = { "aws:SourceArn" = "${local.arn_of_events}:${local.rule}" } }
      },
      ], local.has_tls ? [
      {
        Sid       = "RefuseWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.dead_letters
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ] : [])
  })
}
