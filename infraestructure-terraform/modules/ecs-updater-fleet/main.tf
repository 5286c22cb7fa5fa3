# The queue for many services, which keeps the order of each, with its worker. Here is the queue; beside it:
#   worker.tf   the function and its permissions        sender.tf   the policy for senders

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  has_tls        = var.endpoint_url == "" # An emulator has none, and would be refused too.
  fleet          = "${var.function_name}-fleet"
  worker_timeout = 180
  max_receives   = 20
  # The ARNs are put together from the names, which are known before anything is made: a plan shows the policies whole.
  arn_of_ecs       = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  arn_of_queues    = "arn:${local.partition}:sqs:${local.region}:${local.account}"
  arn_of_the_table = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.ledger_table_name}"
  # So are the addresses, as AWS and as the emulator put them together.
  address_of_queues = "${var.endpoint_url == "" ? "https://sqs.${local.region}.${data.aws_partition.current.dns_suffix}" : var.endpoint_url}/${local.account}"
  services          = "${local.arn_of_ecs}:service/${var.updater_cluster_name}/*"
}

# One message for each service to update. Those of one service are a group, and come one after the other.
resource "aws_sqs_queue" "this" {
  name       = "${local.fleet}.fifo"
  fifo_queue = true
  # A duplicate is recognised by the request_id of the message.
  content_based_deduplication = false
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
  message_retention_seconds   = var.queue_retention_days * 86400
  max_message_size            = 262144
  # As AWS wants it: Lambda holds messages while it is throttled.
  visibility_timeout_seconds = 6 * local.worker_timeout
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = "${local.arn_of_queues}:${aws_sqs_queue.dead_letters.name}"
    maxReceiveCount     = local.max_receives
  })
}

# Messages that could not be read, and those that were received for half an hour without success.
resource "aws_sqs_queue" "dead_letters" {
  name                        = "${local.fleet}-dead-letters.fifo"
  fifo_queue                  = true
  content_based_deduplication = false
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
  message_retention_seconds   = 1209600
  max_message_size            = 262144
  sqs_managed_sse_enabled     = true

  # By its name: the queue itself refers to this one.
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["${local.arn_of_queues}:${local.fleet}.fifo"]
  })
}

resource "aws_sqs_queue_policy" "this" {
  count = local.has_tls ? 1 : 0

  queue_url = aws_sqs_queue.this.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
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

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${local.fleet}-dead-letters"
  alarm_description   = "There are messages of the fleet that could not be worked off"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # SQS sends no metrics of a queue that is idle for hours.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
  ok_actions         = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}
