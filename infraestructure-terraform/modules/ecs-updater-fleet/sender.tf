# For senders, people and pipelines: attach it to their users and roles.

resource "aws_iam_policy" "sender" {
  name        = "${local.fleet}-sender-${local.region}"
  description = "Lets its holder send updates of the services of one cluster to the queue, and watch what becomes of them"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SendMessages"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
      },
      # Whether there is a ledger, and in which account.
      { Sid = "FindLedger", Effect = "Allow", Action = "dynamodb:DescribeTable", Resource = local.arn_of_the_table },
      # Which services belong together, in items whose key begins so: of leases and history it changes nothing.
      {
        Sid      = "UseBatches"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        Resource = local.arn_of_the_table
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["BATCH#*"] }
          # Of a call without a key all values would do.
          Null = { "dynamodb:LeadingKeys" = "false" }
        }
      },
      # What became of each update: by its request, and then by its service, also by that of a cluster that is not there.
      {
        Sid      = "WatchUpdates"
        Effect   = "Allow"
        Action   = "dynamodb:BatchGetItem"
        Resource = local.arn_of_the_table
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["REQUEST#*", "${local.arn_of_ecs}:service/*"] }
          Null                      = { "dynamodb:LeadingKeys" = "false" }
        }
      },
      { Sid = "ReadServices", Effect = "Allow", Action = "ecs:DescribeServices", Resource = local.services },
      # For the plan of a dry run. ECS knows no resource for this action.
      { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
    ]
  })
}
