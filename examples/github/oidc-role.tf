# The role with which the workflows of a GitHub repository update services. oidc-role.yml declares the same for CloudFormation.

terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

variable "role_name" {
  description = "Name of the role."
  type        = string
  default     = "ecs-updater-github"
}

# GitHub adds the ids to the subject of each repository that was created or renamed since 15 July 2026.
variable "repository" {
  description = "Repository as in the subject of its tokens: owner/name or owner@ID/name@ID."
  type        = string

  validation {
    condition     = can(regex("^[\\w-]+(@\\d+)?/[\\w.-]+(@\\d+)?$", var.repository))
    error_message = "repository must be owner/name or owner@ID/name@ID, without patterns."
  }
}

variable "claim" {
  description = "The only jobs that may assume the role: environment:NAME or, for jobs without an environment, ref:refs/heads/BRANCH."
  type        = string
  default     = "environment:production"

  validation {
    condition     = can(regex("^(environment:|ref:refs/heads/)[^*?\\s]+$", var.claim))
    error_message = "claim must be environment:NAME or ref:refs/heads/BRANCH, without patterns."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the account's provider for token.actions.githubusercontent.com. If empty, it is created: an account has at most one."
  type        = string
  default     = ""
}

variable "sender_policy_arn" {
  description = "ARN of the policy for senders, fleet_sender_policy_arn of the queue. If empty, the role permits no updates through the queue."
  type        = string
  default     = ""
}

variable "cluster_name" {
  description = "Cluster whose services the jobs update themselves. If empty, the role permits no --direct."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{0,255}$", var.cluster_name))
    error_message = "cluster_name must be a name of letters, digits, underscores and hyphens."
  }
}

variable "task_definition_family" {
  description = "Family or pattern of the task definitions of these services."
  type        = string
  default     = "*"
}

variable "passable_role_arns" {
  description = "ARNs of the task and execution roles of these services."
  type        = list(string)
  default     = []
}

variable "ledger_table_name" {
  description = "Table of the ledger. It need not exist."
  type        = string
  default     = "ecs-updater-ledger"
}

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  region  = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.
  ecs     = "arn:${data.aws_partition.current.partition}:ecs:${local.region}:${data.aws_caller_identity.current.account_id}"
  service = "${local.ecs}:service/${var.cluster_name}/*"
  family  = "${local.ecs}:task-definition/${var.task_definition_family}:*"
  table   = "arn:${data.aws_partition.current.partition}:dynamodb:${local.region}:${data.aws_caller_identity.current.account_id}:table/${var.ledger_table_name}"
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.oidc_provider_arn == "" ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "this" {
  name        = var.role_name
  description = "Lets ${var.repository} update ECS services with ecs-updater"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Federated = var.oidc_provider_arn == "" ? aws_iam_openid_connect_provider.this[0].arn : var.oidc_provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = "repo:${var.repository}:${var.claim}"
          }
        }
      },
    ]
  })

  lifecycle {
    precondition {
      condition     = var.sender_policy_arn != "" || var.cluster_name != ""
      error_message = "Give sender_policy_arn for the queue, cluster_name for --direct, or both."
    }
  }
}

resource "aws_iam_role_policy_attachment" "sender" {
  count = var.sender_policy_arn == "" ? 0 : 1

  role       = aws_iam_role.this.name
  policy_arn = var.sender_policy_arn
}

# What the function's role and the reconciler's may do, but for their logs.
resource "aws_iam_role_policy" "direct" {
  count = var.cluster_name == "" ? 0 : 1

  name = "ecs-updater-direct"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      { Sid = "ReadServices", Effect = "Allow", Action = "ecs:DescribeServices", Resource = local.service },
      {
        Sid      = "ChangeServices"
        Effect   = "Allow"
        Action   = ["ecs:UpdateService", "ecs:TagResource", "ecs:UntagResource"]
        Resource = local.service
      },
      { Sid = "FollowDeployments", Effect = "Allow", Action = "ecs:ListServiceDeployments", Resource = local.service },
      {
        Sid      = "ReadServiceRevisions"
        Effect   = "Allow"
        Action   = "ecs:DescribeServiceRevisions"
        Resource = [local.service, "${local.ecs}:service-revision/${var.cluster_name}/*"]
      },
      {
        Sid      = "StopDeployments"
        Effect   = "Allow"
        Action   = ["ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment"]
        Resource = [local.service, "${local.ecs}:service-deployment/${var.cluster_name}/*"]
      },
      { Sid = "ReadTasks", Effect = "Allow", Action = "ecs:DescribeTasks", Resource = "${local.ecs}:task/${var.cluster_name}/*" },
      # ListTasks with a service is evaluated without a resource, with the cluster as condition.
      {
        Sid       = "ListTasks"
        Effect    = "Allow"
        Action    = "ecs:ListTasks"
        Resource  = "*"
        Condition = { ArnLike = { "ecs:cluster" = "${local.ecs}:cluster/${var.cluster_name}" } }
      },
      # The Service Authorization Reference lists no resource type for this action.
      { Sid = "ReadTaskDefinitions", Effect = "Allow", Action = "ecs:DescribeTaskDefinition", Resource = "*" },
      { Sid = "RegisterTaskDefinitions", Effect = "Allow", Action = "ecs:RegisterTaskDefinition", Resource = local.family },
      {
        Sid       = "TagNewTaskDefinitions"
        Effect    = "Allow"
        Action    = "ecs:TagResource"
        Resource  = local.family
        Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
      },
      {
        Sid    = "UseLedger"
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem",
          "dynamodb:Query", "dynamodb:UpdateItem",
        ]
        Resource = local.table
      },
      ], length(var.passable_role_arns) == 0 ? [] : [
      {
        Sid       = "PassTaskRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = var.passable_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ])
  })
}

output "role_arn" {
  description = "ARN of the role: role-to-assume of aws-actions/configure-aws-credentials."
  value       = aws_iam_role.this.arn
}
