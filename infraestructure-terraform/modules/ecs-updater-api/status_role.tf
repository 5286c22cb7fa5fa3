# The status function's role allows only reading.

resource "aws_iam_role" "status" {
  name                 = "${local.api}-status-${local.region}"
  description          = "Lets the status function read ECS services and the ledger"
  permissions_boundary = var.updater.permissions_boundary == "" ? null : var.updater.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

locals {
  targets_parameter = var.updater.environment["TARGETS_PARAMETER"]
  # ARNs are built from the names, so that a plan shows the whole policy.
  read_scopes = {
    Sid      = "ReadScopes"
    Effect   = "Allow"
    Action   = "ssm:GetParameter"
    Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.scopes_parameter_name}"
  }
  table = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.updater.ledger_table_name}"
}

resource "aws_iam_role_policy" "status" {
  name = "ecs-updater-api-status"
  role = aws_iam_role.status.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      # The Service Authorization Reference lists no resource type for these three actions.
      { Sid = "ListClusters", Effect = "Allow", Action = "ecs:ListClusters", Resource = "*" },
      { Sid = "ListServices", Effect = "Allow", Action = "ecs:ListServices", Resource = "*" },
      { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      {
        Sid      = "ReadServices"
        Effect   = "Allow"
        Action   = "ecs:DescribeServices"
        Resource = "arn:${local.partition}:ecs:${local.region}:${local.account}:service/*"
      },
      { Sid = "ReadLedger", Effect = "Allow", Action = ["dynamodb:GetItem", "dynamodb:Query"], Resource = local.table },
      { Sid = "ReadRecent", Effect = "Allow", Action = "dynamodb:Query", Resource = "${local.table}/index/recent" },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.status.name}:*"
      },
      # The actions have no resource type.
      ], var.updater.tracing == "PassThrough" ? [] : [
      { Sid = "WriteTraces", Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
      ], var.updater.kms_key_arn == "" ? [] : [
      {
        Sid       = "UseKey"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.updater.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = ["dynamodb.${local.region}.${data.aws_partition.current.dns_suffix}", "lambda.${local.region}.${data.aws_partition.current.dns_suffix}"] } }
      },
      ], var.scopes_parameter_name == "" ? [] : [local.read_scopes],
      local.targets_parameter == "" ? [] : [
        {
          Sid      = "ReadTargets"
          Effect   = "Allow"
          Action   = "ssm:GetParameter"
          Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${local.targets_parameter}"
        },
        ], length(var.target_read_role_arns) == 0 ? [] : [
        { Sid = "AssumeTargetRoles", Effect = "Allow", Action = "sts:AssumeRole", Resource = var.target_read_role_arns },
    ])
  })
}

resource "aws_cloudwatch_log_group" "status" {
  #checkov:skip=CKV_AWS_158:kms_key_arn sets a key; without it CloudWatch encrypts it with its own
  #checkov:skip=CKV_AWS_338:log_retention_days decides
  name              = "/aws/lambda/${local.api}-status"
  retention_in_days = var.updater.log_retention_days
  kms_key_id        = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn
}
