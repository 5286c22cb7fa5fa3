# The roles of a target, another account or region whose services the function updates. This file has the trust and the read role:
#   update_role.tf   what the update role allows

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.

  target           = "${var.function_name}-target"
  arn_of_ecs       = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  services         = "${local.arn_of_ecs}:service/${var.cluster_name}/*"
  task_definitions = "${local.arn_of_ecs}:task-definition/${var.task_definition_family}:*"

  # The functions' roles, and further users and roles, that may assume each role.
  home = "arn:${local.partition}:iam::${var.home_account}"
  functions = {
    update = ["${local.home}:role/${var.function_name}-${var.home_region}", "${local.home}:role/${var.function_name}-completer-${var.home_region}"]
    read   = ["${local.home}:role/${var.function_name}-api-status-${var.home_region}"]
  }
  others = { update = var.update_principal_arns, read = var.read_principal_arns }

  # IAM refuses a trust policy with a role that does not exist, so the trust is in the account, with the roles in a condition.
  trust = {
    for name, functions in local.functions : name => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for sid, arns in { TrustFunctions = functions, TrustPrincipals = local.others[name] } : {
          Sid                             = sid
          Effect                          = "Allow"
          Principal                       = { AWS = "${local.home}:root" }
          Action                          = "sts:AssumeRole"
          Condition = {
            StringEquals = { "sts:ExternalId" = var.external_id } # Not a secret: everyone who may read the roles can read it.
            ArnLike      = { "aws:PrincipalArn" = arns }
          }
        } if length(arns) > 0
      ]
    })
  }
}

# For the status function of home. It allows only reading.
resource "aws_iam_role" "read" {
  name                 = "${local.target}-read-${local.region}"
  description          = "Lets ecs-updater of another account or region list services"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
  assume_role_policy   = local.trust["read"]
}

resource "aws_iam_role_policy" "read" {
  name = "ecs-updater-target-read"
  role = aws_iam_role.read.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # The Service Authorization Reference lists no resource type for these three actions.
      { Sid = "ListClusters", Effect = "Allow", Action = "ecs:ListClusters", Resource = "*" },
      { Sid = "ListServices", Effect = "Allow", Action = "ecs:ListServices", Resource = "*" },
      { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      {
        Sid      = "ReadServices"
        Effect   = "Allow"
        Action   = "ecs:DescribeServices"
        Resource = "${local.arn_of_ecs}:service/*"
      },
    ]
  })
}
