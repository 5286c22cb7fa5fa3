# A small VPC with two public subnets and no NAT gateway, for tasks with outbound traffic only.

locals {
  prefix_length = tonumber(split("/", var.vpc_cidr)[1])
  # The network and the zone of each subnet. They are known before a subnet exists: `terraform import` needs that.
  subnets = { a = 0, b = 1 }
}

# Without the Local Zones that an account opted into: Fargate does not run in them.
data "aws_availability_zones" "regional" {
  #checkov:skip=CKV_AWS_394:only the first two are used, and a new zone does not move the subnets
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:flow logs cost per GB, and the tasks take no connections; add them where they are needed
  #checkov:skip=CKV2_AWS_12:nothing uses the default group, and CloudFormation cannot change it
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

# Public by their route only. Each service decides whether its tasks get a public address.
resource "aws_subnet" "public" {
  for_each = local.subnets

  vpc_id                  = aws_vpc.this.id
  availability_zone       = data.aws_availability_zones.regional.names[each.value]
  cidr_block              = cidrsubnet(var.vpc_cidr, 24 - local.prefix_length, each.value)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-${each.key}" }

  # A new zone may sort before these two and must not replace the subnets.
  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.subnets

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

# No inbound rule. The provider removes AWS's default outbound rule.
resource "aws_security_group" "tasks" {
  #checkov:skip=CKV2_AWS_5:the service that uses it is not managed by Terraform
  name        = "${var.name}-tasks"
  description = "Tasks: no inbound traffic, outbound HTTPS"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-tasks" }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.tasks.id
  description       = "HTTPS, for image registries and the log service"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"

  tags = { Name = "${var.name}-tasks" }
}
