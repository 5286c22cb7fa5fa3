# The FIFO queue for many services and its worker. This file has the queue:
#   worker.tf   the function and its permissions        sender.tf   the policy for senders

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  has_tls        = var.updater.endpoint_url == "" # No emulator either, which has no reserved concurrency.
  fleet          = "${var.updater.function_name}-fleet"
  worker_timeout = 180
  max_receives   = 20
  # ARNs are built from the names, so that a plan shows whole policies.
  arn_of_ecs       = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  arn_of_queues    = "arn:${local.partition}:sqs:${local.region}:${local.account}"
  arn_of_the_table = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.updater.ledger_table_name}"
  # The URLs too, in the form of AWS or of the emulator.
  address_of_queues = "${var.updater.endpoint_url == "" ? "https://sqs.${local.region}.${data.aws_partition.current.dns_suffix}" : var.updater.endpoint_url}/${local.account}"
  services          = "${local.arn_of_ecs}:service/${var.updater.cluster_name}/*"
}

# One message per service to update. The messages of a service form a group and are processed in order.
resource "aws_sqs_queue" "this" {
  name       = "${local.fleet}.fifo"
  fifo_queue = true
  # The message's request_id is the deduplication id.
  content_based_deduplication = false
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
  message_retention_seconds   = var.queue_retention_days * 86400
  max_message_size            = 262144
  # As AWS recommends: Lambda holds messages while it is throttled.
  visibility_timeout_seconds = 6 * local.worker_timeout
  kms_master_key_id          = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
  sqs_managed_sse_enabled    = var.updater.kms_key_arn == "" ? true : null

  redrive_policy = jsonencode({
    deadLetterTargetArn = "${local.arn_of_queues}:${aws_sqs_queue.dead_letters.name}"
    maxReceiveCount     = local.max_receives
  })
}

# Invalid messages, and messages that failed for 30 minutes.
resource "aws_sqs_queue" "dead_letters" {
  name                        = "${local.fleet}-dead-letters.fifo"
  fifo_queue                  = true
  content_based_deduplication = false
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
  message_retention_seconds   = 1209600
  max_message_size            = 262144
  kms_master_key_id           = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
  sqs_managed_sse_enabled     = var.updater.kms_key_arn == "" ? true : null

  # By name, because the queue refers to this one.
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
