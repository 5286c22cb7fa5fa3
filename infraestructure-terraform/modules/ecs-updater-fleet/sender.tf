# For senders: attach it to the users and roles of people and pipelines.

locals {
  targets_parameter = var.updater.environment["TARGETS_PARAMETER"]
}

resource "aws_iam_policy" "sender" {
  name        = "${local.fleet}-sender-${local.region}"
  description = "Lets callers send updates of services in one cluster to the queue and read their results"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "SendMessages"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
      },
      # Existence and account of the ledger.
      { Sid = "FindLedger", Effect = "Allow", Action = "dynamodb:DescribeTable", Resource = local.arn_of_the_table },
      # Writes the batches' items only, which have this key prefix, and no leases or history.
      {
        Sid      = "UseBatches"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        Resource = local.arn_of_the_table
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["BATCH#*"] }
          # ForAllValues is true for a call without a key, so Null requires one.
          Null = { "dynamodb:LeadingKeys" = "false" }
        }
      },
      # Reads the results by request and by service, also of a cluster that does not exist. Targets are other accounts and regions.
      {
        Sid      = "WatchUpdates"
        Effect   = "Allow"
        Action   = "dynamodb:BatchGetItem"
        Resource = local.arn_of_the_table
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = concat(
            ["REQUEST#*", "${local.arn_of_ecs}:service/*"],
            local.targets_parameter == "" ? [] : ["arn:${local.partition}:ecs:*:*:service/*"],
          ) }
          Null = { "dynamodb:LeadingKeys" = "false" }
        }
      },
      { Sid = "ReadServices", Effect = "Allow", Action = "ecs:DescribeServices", Resource = local.services },
      # The action has no resource type: it reads the variables of every task definition of the region.
      ], !var.sender_dry_runs ? [] : [
      { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      ], var.updater.kms_key_arn == "" ? [] : [
      {
        Sid       = "UseKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.updater.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = ["dynamodb.${local.region}.${data.aws_partition.current.dns_suffix}", "sqs.${local.region}.${data.aws_partition.current.dns_suffix}"] } }
      },
      # For entries with a target.
      ], local.targets_parameter == "" ? [] : [
      {
        Sid      = "ReadTargets"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${local.targets_parameter}"
      },
    ])
  })
}
