mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "example-vpc"
}

run "the_subnets_are_the_first_two_networks_in_two_zones" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }

  assert {
    condition     = [for one in aws_subnet.public : one.cidr_block] == ["10.42.0.0/24", "10.42.1.0/24"]
    error_message = "The subnets are not the first two /24 networks of the VPC."
  }
  assert {
    condition     = length(distinct([for one in aws_subnet.public : one.availability_zone])) == 2
    error_message = "Both subnets are in one zone."
  }
}

run "the_smallest_network_holds_both_subnets" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    vpc_cidr = "10.0.2.0/23"
  }

  assert {
    condition     = [for one in aws_subnet.public : one.cidr_block] == ["10.0.2.0/24", "10.0.3.0/24"]
    error_message = "The subnets do not fill a /23 network."
  }
}

run "everything_carries_the_three_tags" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    environment = "e"
    owner       = "o"
    contact     = "c"
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [for one in aws_subnet.public : one.tags],
        [
          aws_vpc.this.tags, aws_internet_gateway.this.tags, aws_route_table.public.tags, aws_security_group.tasks.tags,
          aws_vpc_security_group_egress_rule.https.tags,
        ],
      ) : tomap(merge(tags, { environment = "e", owner = "o", contact = "c" })) == tags && startswith(tags.Name, "example-vpc")
    ])
    error_message = "A resource has not its name and the tags environment, owner and contact."
  }
}

run "a_network_that_is_too_small_for_two_subnets_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    vpc_cidr    = "10.42.0.0/24"
    name        = "-vpc"
    environment = ""
    owner       = "platform\n"
    contact     = "platform#example.com"
  }
  expect_failures = [var.vpc_cidr, var.name, var.environment, var.owner, var.contact]
}

run "a_network_larger_than_a_vpc_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    vpc_cidr = "10.0.0.0/15"
  }
  expect_failures = [var.vpc_cidr]
}

# AWS would take it for 10.42.0.0/20, and every further plan would make the VPC anew.
run "an_address_inside_a_network_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    vpc_cidr = "10.42.0.1/20"
  }
  expect_failures = [var.vpc_cidr]
}

run "what_is_no_address_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    vpc_cidr = "10.42.0.256/20"
  }
  expect_failures = [var.vpc_cidr]
}
