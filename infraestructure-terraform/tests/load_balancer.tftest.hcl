mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name       = "example-alb"
  vpc_id     = "vpc-0123456789abcdef0"
  vpc_cidr   = "10.42.0.0/20"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
}

run "the_load_balancer_takes_requests_only_from_its_network" {
  command = plan
  module {
    source = "./modules/ecs-updater-load-balancer"
  }

  assert {
    condition     = aws_lb.this.internal && aws_lb.this.drop_invalid_header_fields
    error_message = "The load balancer has a public address, or passes invalid headers on."
  }
  assert {
    condition = [
      aws_vpc_security_group_ingress_rule.http.cidr_ipv4, aws_vpc_security_group_egress_rule.http.cidr_ipv4,
    ] == ["10.42.0.0/20", "10.42.0.0/20"]
    error_message = "The security group allows traffic beyond the network."
  }
}

run "both_rules_forward_to_the_first_group_and_test_traffic_comes_first" {
  command = plan
  module {
    source = "./modules/ecs-updater-load-balancer"
  }

  assert {
    condition = alltrue([
      for rule in [aws_lb_listener_rule.test, aws_lb_listener_rule.production] :
      sort([for group in rule.action[0].forward[0].target_group : tostring(group.weight)]) == tolist(["0", "100"])
    ])
    error_message = "A rule does not name both target groups, so ECS cannot shift traffic."
  }
  assert {
    condition     = aws_lb_listener_rule.test.priority < aws_lb_listener_rule.production.priority
    error_message = "The rule for production takes the test traffic."
  }
}

run "ecs_changes_only_this_load_balancer" {
  command = plan
  module {
    source = "./modules/ecs-updater-load-balancer"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.infrastructure.policy).Statement :
      statement.Sid == "ReadLoadBalancers" ? true : alltrue([for arn in statement.Resource : strcontains(arn, "/example-alb")])
    ])
    error_message = "The role may change another load balancer."
  }
  assert {
    condition     = jsondecode(aws_iam_role.infrastructure.assume_role_policy).Statement[0].Principal.Service == "ecs.amazonaws.com"
    error_message = "ECS cannot assume the role."
  }
}

run "the_longest_name_fits_into_every_name" {
  command = plan
  module {
    source = "./modules/ecs-updater-load-balancer"
  }
  variables {
    name = "abcdefghijklmnopqrstuvwxy-alb"
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.this : length(group.name) <= 32])
    error_message = "The name of a target group is too long."
  }
}

run "wrong_values_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-load-balancer"
  }
  variables {
    name                 = "abcdefghijklmnopqrstuvwxyz-alb"
    vpc_id               = "default"
    vpc_cidr             = "10.42.0.0"
    subnet_ids           = ["10.42.0.0/24"]
    permissions_boundary = "boundary"
  }
  expect_failures = [var.name, var.vpc_id, var.vpc_cidr, var.subnet_ids, var.permissions_boundary]
}
