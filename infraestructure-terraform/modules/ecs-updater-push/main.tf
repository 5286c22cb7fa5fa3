# The function that deploys images pushed to Amazon ECR, with its queue. This file has the queue:
#   function.tf   the function and its permissions

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  has_tls          = var.updater.endpoint_url == ""
  push             = "${var.updater.function_name}-push"
  function_timeout = 180
  # ARNs are built from the names, so that a plan shows whole policies.
  arn_of_ecs    = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  arn_of_queues = "arn:${local.partition}:sqs:${local.region}:${local.account}"
  services      = "${local.arn_of_ecs}:service/${var.updater.cluster_name}/*"
}

# EventBridge's events of pushed tags.
resource "aws_sqs_queue" "this" {
  name                      = local.push
  message_retention_seconds = 345600
  max_message_size          = 262144
  # As AWS recommends: Lambda holds messages while it is throttled.
  visibility_timeout_seconds = 6 * local.function_timeout
  kms_master_key_id          = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
  sqs_managed_sse_enabled    = var.updater.kms_key_arn == "" ? true : null

  redrive_policy = jsonencode({
    deadLetterTargetArn = "${local.arn_of_queues}:${aws_sqs_queue.dead_letters.name}"
    maxReceiveCount     = 5
  })
}

# Invalid messages, and pushes that failed five times.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.push}-dead-letters"
  message_retention_seconds = 1209600
  max_message_size          = 262144
  kms_master_key_id         = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
  sqs_managed_sse_enabled   = var.updater.kms_key_arn == "" ? true : null

  # By name, because the queue refers to this one.
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["${local.arn_of_queues}:${local.push}"]
  })
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "SendEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${aws_cloudwatch_event_rule.this.name}" } }
      },
      ], local.has_tls ? [
      {
        Sid       = "RefuseWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ] : [])
  })
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count = local.has_tls ? 1 : 0

  queue_url = aws_sqs_queue.dead_letters.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = "${local.arn_of_queues}:${aws_sqs_queue.dead_letters.name}"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# Images of an index are pushed without a tag.
resource "aws_cloudwatch_event_rule" "this" {
  name        = local.push
  description = "Sends the pushes of tags to Amazon ECR to the queue"
  state       = "ENABLED"

  event_pattern = jsonencode({
    source      = ["aws.ecr"]
    detail-type = ["ECR Image Action"]
    detail = {
      action-type = ["PUSH"]
      result      = ["SUCCESS"]
      image-tag   = [{ exists = true }]
    }
  })
}

resource "aws_cloudwatch_event_target" "this" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = "push"
  arn       = aws_sqs_queue.this.arn
}
