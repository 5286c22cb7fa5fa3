# An internal Application Load Balancer for the strategies of ECS that shift traffic, with the role with which ECS shifts it.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.
  # Built from the names, so that a plan shows the whole policy.
  arn     = "arn:${data.aws_partition.current.partition}:elasticloadbalancing:${local.region}:${data.aws_caller_identity.current.account_id}"
  weights = { blue = 100, green = 0 }
}

# Of the load balancer and of the tasks. Two groups that name each other could not be removed one after the other.
resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:the load balancer uses it, and the service that is not managed by Terraform
  name        = var.name
  description = "Load balancer and its tasks: HTTP within the network"
  vpc_id      = var.vpc_id

  tags = { Name = var.name }
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  #checkov:skip=CKV_AWS_260:vpc_cidr is the network of the VPC, not the internet
  security_group_id = aws_security_group.this.id
  description       = "HTTP from the network"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = var.vpc_cidr

  tags = { Name = var.name }
}

resource "aws_vpc_security_group_egress_rule" "http" {
  security_group_id = aws_security_group.this.id
  description       = "HTTP to the tasks"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = var.vpc_cidr

  tags = { Name = var.name }
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91:access logs need a bucket, and the only requests are those of a demo
  #checkov:skip=CKV_AWS_150:make clean removes it, and it has no state
  #checkov:skip=CKV2_AWS_20:HTTPS needs a certificate for a domain; the requests stay inside the VPC
  #checkov:skip=CKV2_AWS_28:it is internal, and a firewall costs by the month
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = true
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  drop_invalid_header_fields = true
}

# ECS registers the tasks of one revision in one group and those of the next revision in the other one.
resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:the requests stay inside the VPC
  for_each = local.weights

  name                 = "${var.name}-${substr(each.key, 0, 1)}" # 32 characters at most.
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 80
  deregistration_delay = 5

  health_check {
    path                = "/"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
    matcher             = "200-499" # Any answer shows that the container runs.
  }
}

# Every action forwards: ECS fails a deployment if the actions of a listener have different types.
resource "aws_lb_listener" "this" {
  #checkov:skip=CKV_AWS_2:HTTPS needs a certificate for a domain; the requests stay inside the VPC
  #checkov:skip=CKV_AWS_103:TLS needs a certificate for a domain; the requests stay inside the VPC
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["blue"].arn
  }
}

# ECS changes the weights of both rules during a deployment. Requests with the header reach the new revision first.
resource "aws_lb_listener_rule" "test" {
  listener_arn = aws_lb_listener.this.arn
  priority     = 1

  condition {
    http_header {
      http_header_name = "x-test-traffic"
      values           = ["true"]
    }
  }

  action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = local.weights

        content {
          arn    = aws_lb_target_group.this[target_group.key].arn
          weight = target_group.value
        }
      }
    }
  }

  # ECS changes the weights.
  lifecycle {
    ignore_changes = [action]
  }
}

resource "aws_lb_listener_rule" "production" {
  listener_arn = aws_lb_listener.this.arn
  priority     = 2

  condition {
    path_pattern {
      values = ["/*"]
    }
  }

  action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = local.weights

        content {
          arn    = aws_lb_target_group.this[target_group.key].arn
          weight = target_group.value
        }
      }
    }
  }

  # ECS changes the weights.
  lifecycle {
    ignore_changes = [action]
  }
}

# Narrower than AmazonECSInfrastructureRolePolicyForLoadBalancers, which allows changing every load balancer.
resource "aws_iam_role" "infrastructure" {
  name                 = "${var.name}-${local.region}"
  description          = "Lets ECS register tasks and shift traffic between their revisions"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "infrastructure" {
  name = "traffic"
  role = aws_iam_role.infrastructure.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # The Service Authorization Reference lists no resource type for these actions.
      {
        Sid    = "ReadLoadBalancers"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:DescribeListeners",
          "elasticloadbalancing:DescribeRules",
          "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
        ]
        Resource = "*"
      },
      {
        Sid      = "RegisterTasks"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
        Resource = [for initial in ["b", "g"] : "${local.arn}:targetgroup/${var.name}-${initial}/*"]
      },
      {
        Sid      = "ShiftTraffic"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"]
        Resource = ["${local.arn}:listener/app/${var.name}/*", "${local.arn}:listener-rule/app/${var.name}/*"]
      },
    ]
  })
}
