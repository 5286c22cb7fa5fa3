# API Gateway writes logs with one role for all REST APIs of an account in a region. Where there is none, one is made here.

locals {
  logs_roles = var.account_log_role == "make" ? 1 : 0
}

resource "aws_api_gateway_account" "this" {
  count = local.logs_roles

  cloudwatch_role_arn = aws_iam_role.logs[0].arn

  # API Gateway tests the role at once.
  depends_on = [aws_iam_role_policy.logs]
}

resource "aws_iam_role" "logs" {
  count = local.logs_roles

  name                 = "${local.api}-logs-${local.region}"
  description          = "Lets API Gateway write the logs of the REST APIs of this region"
  permissions_boundary = var.updater.permissions_boundary == "" ? null : var.updater.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "apigateway.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "logs" {
  count = local.logs_roles

  name = "ecs-updater-api-logs"
  role = aws_iam_role.logs[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # API Gateway accepts a role only with all these actions, tests it on the group /aws/apigateway/welcome, and uses it for
      # every REST API of the region.
      {
        Sid    = "WriteLogs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogGroup",
          "logs:CreateLogStream",
          "logs:DescribeLogGroups",
          "logs:DescribeLogStreams",
          "logs:FilterLogEvents",
          "logs:GetLogEvents",
          "logs:PutLogEvents",
        ]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*"
      },
    ]
  })
}
