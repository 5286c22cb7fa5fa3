# For updates and rollbacks by the functions of home.

resource "aws_iam_role" "update" {
  name                 = "${local.target}-update-${local.region}"
  description          = "Lets ecs-updater of another account or region update services of one cluster"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
  assume_role_policy   = local.trust["update"]
}

resource "aws_iam_role_policy" "update" {
  name = "ecs-updater-target-update"
  role = aws_iam_role.update.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        # Reading is allowed in every cluster, so that a wrong name gets "not found" instead of
        # "access denied". Writing is not.
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
        # For the wait: service deployments, tasks and their failures.
        { Sid = "FollowDeployments", Effect = "Allow", Action = "ecs:ListServiceDeployments", Resource = local.services },
        # ECS may evaluate these two actions on the service as well.
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
        # ListTasks with a service is evaluated without a resource, with the cluster as condition.
        {
          Sid       = "ListTasks"
          Effect    = "Allow"
          Action    = "ecs:ListTasks"
          Resource  = "*"
          Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
        },
        # The Service Authorization Reference lists no resource type for this action.
        { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
        {
          Sid      = "RegisterTaskDefinitions"
          Effect   = "Allow"
          Action   = "ecs:RegisterTaskDefinition"
          Resource = local.task_definitions
        },
        # A new revision keeps the tags of the running revision.
        {
          Sid       = "TagNewTaskDefinitions"
          Effect    = "Allow"
          Action    = "ecs:TagResource"
          Resource  = local.task_definitions
          Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
        },
      ],
      !var.run_tasks ? [] : [
        {
          Sid       = "RunTasks"
          Effect    = "Allow"
          Action    = "ecs:RunTask"
          Resource  = local.task_definitions
          Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
        },
        {
          Sid       = "StopTasks"
          Effect    = "Allow"
          Action    = "ecs:StopTask"
          Resource  = "${local.arn_of_ecs}:task/${var.cluster_name}/*"
          Condition = { ArnLike = { "ecs:cluster" = "${local.arn_of_ecs}:cluster/${var.cluster_name}" } }
        },
      ],
      var.task_log_group_name == "" ? [] : [
        {
          Sid      = "ReadTaskLogs"
          Effect   = "Allow"
          Action   = "logs:GetLogEvents"
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${var.task_log_group_name}:log-stream:*"
        },
      ],
      # The action has no resource type.
      !var.read_scalable_targets ? [] : [
        { Sid = "ReadScalableTargets", Effect = "Allow", Action = "application-autoscaling:DescribeScalableTargets", Resource = "*" },
      ],
      var.approvals == "off" ? [] : [
        { Sid = "AnswerHooks", Effect = "Allow", Action = "ecs:ContinueServiceDeployment", Resource = "${local.arn_of_ecs}:service-deployment/${var.cluster_name}/*" },
      ],
      !var.express_services ? [] : [
        { Sid = "ReadExpressServices", Effect = "Allow", Action = "ecs:DescribeExpressGatewayService", Resource = local.services },
        { Sid = "ChangeExpressServices", Effect = "Allow", Action = "ecs:UpdateExpressGatewayService", Resource = local.services },
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
      # ECS gets the infrastructure role at every update of an Express service.
      !var.express_services || length(var.passable_role_arns) == 0 ? [] : [
        {
          Sid       = "PassInfrastructureRoles"
          Effect    = "Allow"
          Action    = "iam:PassRole"
          Resource  = var.passable_role_arns
          Condition = { StringEquals = { "iam:PassedToService" = "ecs.amazonaws.com" } }
        },
      ],
    )
  })
}
