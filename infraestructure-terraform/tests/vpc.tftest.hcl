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

run "a_network_that_is_too_small_for_two_subnets_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    vpc_cidr = "10.42.0.0/24"
    name     = "-vpc"
  }
  expect_failures = [var.vpc_cidr, var.name]
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

# AWS would store 10.42.0.0/20, and each later plan would replace the VPC.
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

run "an_invalid_network_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-vpc"
  }
  variables {
    vpc_cidr = "10.42.0.256/20"
  }
  expect_failures = [var.vpc_cidr]
}
