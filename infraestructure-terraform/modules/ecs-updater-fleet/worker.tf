# The function that works off the queue, what it may do, and its logs.

# Begins the updates, at the rate that ECS allows, and waits for none: the completer of the ledger ends them.
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:the mapping from the queue bounds how many run; what is reserved other functions of the account could not use
  #checkov:skip=CKV_AWS_116:nothing calls it asynchronously: the queue has dead letters
  #checkov:skip=CKV_AWS_117:it calls AWS's public endpoints alone; in a VPC it would need a NAT gateway or endpoints for them
  #checkov:skip=CKV_AWS_173:no variable holds a secret, and Lambda encrypts them with a key of its own
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes by whoever deploys it; a signing profile is an organisation's
  function_name = local.fleet
  description   = "Works off a queue of updates of ECS services"
  handler       = "ecs_updater.handlers.sqs_worker.lambda_handler"
  filename      = var.lambda_package # The bundle of the function itself.
  # A bundle with other content is deployed. Without one, only destroying goes on: see the precondition.
  source_code_hash               = try(filebase64sha256(var.lambda_package), null)
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  memory_size                    = 256
  timeout                        = local.worker_timeout
  reserved_concurrent_executions = -1
  role                           = aws_iam_role.this.arn

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  # Passes on what a caller traces and traces nothing of its own.
  tracing_config {
    mode = "PassThrough"
  }

  environment {
    variables = merge(
      {
        QUEUE_URL               = "${local.address_of_queues}/${aws_sqs_queue.this.name}"
        DEAD_LETTER_QUEUE_URL   = "${local.address_of_queues}/${aws_sqs_queue.dead_letters.name}"
        MAX_RECEIVES            = tostring(local.max_receives)
        ECS_RATES               = join(",", var.ecs_rates)
        ECS_ARN_PREFIX          = "${local.arn_of_ecs}:"
        ALLOWED_IMAGES          = join(",", var.allowed_images)
        ALLOWED_SERVICES        = join(",", var.allowed_services)
        CLUSTER_PATTERN         = var.cluster_name
        LEDGER_CLUSTER_PATTERN  = var.ledger_cluster_name
        TASK_DEF                = var.expected_task_definition_family
        UNKNOWN_FIELDS          = var.unknown_fields
        TASK_FAILURES           = tostring(var.task_failures)
        OPEN_UPDATE_MAX_HOURS   = tostring(var.open_update_max_hours)
        CIRCUIT_BREAKER         = var.circuit_breaker
        VERIFY_IMAGE            = var.verify_image
        PIN_DIGEST              = var.pin_digest
        PRIVATE_REGISTRIES      = join(",", var.private_registries)
        LEDGER_TABLE            = var.ledger_table_name
        LEDGER_RETENTION_DAYS   = tostring(var.ledger_retention_days)
        POWERTOOLS_SERVICE_NAME = local.fleet
        POWERTOOLS_LOG_LEVEL    = var.log_level
      },
      # Left out rather than empty: the SDK reads it, not the function.
      var.endpoint_url == "" ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
    )
  }

  tags = local.tags

  # The queue calls it as soon as the mapping is there: then it is to be allowed what it does.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = fileexists(var.lambda_package)
      error_message = "There is no bundle ${var.lambda_package}: make build-lambda-package."
    }
  }
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = aws_lambda_function.this.function_name
  batch_size              = 10 # As many services as one DescribeServices reads.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }

  tags = local.tags
}

resource "aws_iam_role" "this" {
  name                 = "${local.fleet}-${local.region}"
  description          = "Lets the worker of the queue read ECS services, and change those of one cluster"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = local.tags
}

resource "aws_iam_role_policy" "this" {
  name = "ecs-updater-fleet"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        # Reading is allowed in every cluster, so that a wrong name is answered with "not found" and not with
        # "access denied". Changing is not.
        {
          Sid      = "ReadServices"
          Effect   = "Allow"
          Action   = "ecs:DescribeServices"
          Resource = "${local.arn_of_ecs}:service/*"
        },
        {
          Sid      = "ChangeServices"
          Effect   = "Allow"
          Action   = ["ecs:UpdateService", "ecs:TagResource", "ecs:UntagResource"]
          Resource = local.services
        },
        # Nothing is waited for here. But an earlier update of the service that was broken off is settled before: by what ECS
        # itself has to say of its rollout, by what runs, and by what its tasks died of.
        {
          Sid      = "FollowDeployments"
          Effect   = "Allow"
          Action   = "ecs:ListServiceDeployments"
          Resource = local.services
        },
        # Of these two actions ECS may ask about the service as well.
        {
          Sid      = "ReadServiceRevisions"
          Effect   = "Allow"
          Action   = "ecs:DescribeServiceRevisions"
          Resource = [local.services, "${local.arn_of_ecs}:service-revision/${var.cluster_name}/*"]
        },
        {
          Sid      = "StopDeployments"
          Effect   = "Allow"
          Action   = ["ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment"]
          Resource = [local.services, "${local.arn_of_ecs}:service-deployment/${var.cluster_name}/*"]
        },
        {
          Sid      = "ReadTasks"
          Effect   = "Allow"
          Action   = "ecs:DescribeTasks"
          Resource = "${local.arn_of_ecs}:task/${var.cluster_name}/*"
        },
        # Asked for the tasks of a service, ECS asks about no resource, only about the cluster.
        {
          Sid       = "ListTasks"
          Effect    = "Allow"
          Action    = "ecs:ListTasks"
          Resource  = "*"
          Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
        },
        # ECS knows no resource for this action: AWS's Service Authorization Reference allows nothing narrower.
        {
          Sid      = "ReadTaskDefinitions"
          Effect   = "Allow"
          Action   = "ecs:DescribeTaskDefinition"
          Resource = "*"
        },
        {
          Sid      = "RegisterTaskDefinitions"
          Effect   = "Allow"
          Action   = "ecs:RegisterTaskDefinition"
          Resource = local.task_definitions
        },
        # A new revision keeps the tags of the running one.
        {
          Sid       = "TagNewTaskDefinitions"
          Effect    = "Allow"
          Action    = "ecs:TagResource"
          Resource  = local.task_definitions
          Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
        },
      ],
      length(var.passable_role_arns) == 0 ? [] : [
        {
          Sid       = "PassTaskRoles"
          Effect    = "Allow"
          Action    = "iam:PassRole"
          Resource  = var.passable_role_arns
          Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
        },
      ],
      # An image may be of another account or region, whose own repository policy decides.
      var.verify_image == "off" && var.pin_digest == "off" ? [] : [
        {
          Sid      = "ReadImages"
          Effect   = "Allow"
          Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = "arn:${local.partition}:ecr:*:*:repository/*"
        },
        # An image that ECR does not have may come with the first pull. The action has no resource type.
        {
          Sid      = "ReadCacheRules"
          Effect   = "Allow"
          Action   = ["ecr:DescribePullThroughCacheRules"]
          Resource = "*"
        },
      ],
      [
        {
          Sid      = "UseLedger"
          Effect   = "Allow"
          Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
          Resource = local.arn_of_the_table
        },
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.this.name}:*"
        },
        # All but the third are Lambda's own calls; the function lets a message come again sooner than the queue would.
        {
          Sid      = "WorkOffMessages"
          Effect   = "Allow"
          Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
          Resource = "${local.arn_of_queues}:${aws_sqs_queue.this.name}"
        },
        # What cannot even be read goes there at once, with the reason.
        {
          Sid      = "SendDeadLetters"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = "${local.arn_of_queues}:${aws_sqs_queue.dead_letters.name}"
        },
      ],
    )
  })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts it with a key of its own; one of the account costs per month, for logs without a secret
  #checkov:skip=CKV_AWS_338:log_retention_days decides
  name              = "/aws/lambda/${local.fleet}"
  retention_in_days = var.log_retention_days

  tags = local.tags
}
