# With launch type EC2: a group of ECS-optimised instances, which run the tasks of the cluster.

data "aws_default_tags" "current" {}

locals {
  instance_groups = var.launch_type == "EC2" ? 1 : 0
  instances_name  = "${var.name}-instances"
  # The provider puts its default tags neither on a group, nor on what a launch template makes.
  instances_tags = merge(data.aws_default_tags.current.tags, { Name = local.instances_name })
}

# Narrower than the managed policies, which allow joining every cluster and reading every SSM parameter.
resource "aws_iam_role" "instance" {
  count = local.instance_groups

  name                 = "${var.name}-${local.region}-instance"
  description          = "Lets the instances run tasks of their cluster and connect to Session Manager"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "instance" {
  count = local.instance_groups

  name = "instance"
  role = aws_iam_role.instance[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # The Service Authorization Reference lists no resource type for this action.
      { Sid = "FindEcs", Effect = "Allow", Action = "ecs:DiscoverPollEndpoint", Resource = "*" },
      {
        Sid    = "JoinTheCluster"
        Effect = "Allow"
        Action = [
          "ecs:RegisterContainerInstance",
          "ecs:DeregisterContainerInstance",
          "ecs:SubmitAttachmentStateChanges",
          "ecs:SubmitContainerStateChange",
          "ecs:SubmitTaskStateChange",
        ]
        Resource = "arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/${aws_ecs_cluster.this.name}"
      },
      {
        Sid      = "ReceiveTasks"
        Effect   = "Allow"
        Action   = ["ecs:Poll", "ecs:StartTelemetrySession"]
        Resource = "arn:${local.partition}:ecs:${local.region}:${local.account}:container-instance/${aws_ecs_cluster.this.name}/*"
      },
      {
        Sid      = "ReportToSystemsManager"
        Effect   = "Allow"
        Action   = "ssm:UpdateInstanceInformation"
        Resource = "arn:${local.partition}:ec2:${local.region}:${local.account}:instance/*"
      },
      # It lists none for these either.
      {
        Sid    = "HoldSessions"
        Effect = "Allow"
        Action = [
          "ssmmessages:CreateControlChannel",
          "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_instance_profile" "instance" {
  count = local.instance_groups

  name = aws_iam_role.instance[0].name
  role = aws_iam_role.instance[0].name
}

# A change applies to instances launched later. Running instances keep their tasks.
resource "aws_launch_template" "instances" {
  #checkov:skip=CKV_AWS_88:outbound traffic needs it without a NAT gateway; the security group allows no inbound traffic
  count = local.instance_groups

  name          = local.instances_name
  image_id      = var.instance_image
  instance_type = var.instance_type
  key_name      = var.key_pair_name == "" ? null : var.key_pair_name

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance[0].arn
  }

  # One hop keeps containers in bridge mode from the instance's role. The agent blocks containers that have a
  # network interface of their own.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = false
  }

  # There is no NAT gateway: instances reach ECS, Session Manager and registries by a public address.
  network_interfaces {
    device_index                = 0
    associate_public_ip_address = true
    delete_on_termination       = true
    security_groups             = [var.task_security_group_id]
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  user_data = base64encode(<<-SCRIPT
    #!/bin/bash
    cat >>/etc/ecs/ecs.config <<'END'
    ECS_CLUSTER=${aws_ecs_cluster.this.name}
    ECS_AWSVPC_BLOCK_IMDS=true
    END
  SCRIPT
  )

  dynamic "tag_specifications" {
    for_each = ["volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = local.instances_tags
    }
  }

  lifecycle {
    precondition {
      condition     = var.task_security_group_id != ""
      error_message = "launch_type EC2 needs task_security_group_id, an output of the network."
    }
  }
}

resource "aws_autoscaling_group" "instances" {
  count = local.instance_groups

  name                = local.instances_name
  min_size            = var.instance_count
  max_size            = var.instance_count
  vpc_zone_identifier = var.subnet_ids

  launch_template {
    id      = aws_launch_template.instances[0].id
    version = aws_launch_template.instances[0].latest_version
  }

  dynamic "tag" {
    for_each = local.instances_tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # An instance needs the role's permissions during its whole life.
  depends_on = [aws_iam_role_policy.instance]

  lifecycle {
    precondition {
      condition     = length(var.subnet_ids) > 0
      error_message = "launch_type EC2 needs subnet_ids, an output of the network."
    }
  }
}
