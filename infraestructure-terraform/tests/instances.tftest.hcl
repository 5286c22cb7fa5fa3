mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                   = "example-ecs"
  launch_type            = "EC2"
  subnet_ids             = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  task_security_group_id = "sg-0123456789abcdef0"
}

run "fargate_needs_no_instances_and_no_subnets" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    launch_type            = "FARGATE"
    subnet_ids             = []
    task_security_group_id = ""
  }

  assert {
    condition = length(concat(
      aws_autoscaling_group.instances, aws_launch_template.instances, aws_iam_instance_profile.instance, aws_iam_role.instance,
      aws_iam_role_policy.instance,
    )) == 0
    error_message = "A resource for instances is planned although tasks run on Fargate."
  }
  assert {
    condition     = output.launch_type == "FARGATE"
    error_message = "The output does not say that tasks run on Fargate."
  }
}

run "an_instance_joins_its_cluster_and_keeps_its_role_from_containers" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    cluster_name = "team-cluster"
  }

  assert {
    condition     = split("\n", base64decode(aws_launch_template.instances[0].user_data))[0] == "#!/bin/bash"
    error_message = "The user data is not a script: cloud-init ignores indented text."
  }
  assert {
    condition = alltrue([
      for line in ["ECS_CLUSTER=team-cluster", "ECS_AWSVPC_BLOCK_IMDS=true"] :
      contains(split("\n", base64decode(aws_launch_template.instances[0].user_data)), line)
    ])
    error_message = "The agent does not join its cluster, or lets tasks use the instance's role."
  }
  assert {
    condition = [
      for one in aws_launch_template.instances[0].metadata_options : "${one.http_tokens} ${one.http_put_response_hop_limit}"
    ] == ["required 1"]
    error_message = "A container can use the instance's role."
  }
  assert {
    condition     = output.launch_type == "EC2"
    error_message = "The output does not say that tasks run on instances."
  }
}

run "an_instance_is_encrypted_and_accepts_no_inbound_traffic" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }

  assert {
    condition = [
      for one in aws_launch_template.instances[0].block_device_mappings : "${one.device_name} ${one.ebs[0].volume_type} ${one.ebs[0].encrypted}"
    ] == ["/dev/xvda gp3 true"]
    error_message = "The root volume is not an encrypted gp3 one."
  }
  assert {
    condition = [
      for one in aws_launch_template.instances[0].network_interfaces : "${one.associate_public_ip_address} ${join(",", one.security_groups)}"
    ] == ["true sg-0123456789abcdef0"]
    error_message = "The instance has no public address, or another security group than the tasks."
  }
  assert {
    condition     = aws_launch_template.instances[0].key_name == null
    error_message = "Without a key pair there must be none, rather than an empty one."
  }
  assert {
    condition     = aws_iam_role.instance[0].permissions_boundary == null
    error_message = "The permissions boundary must be absent, not empty."
  }
}

run "an_instance_may_join_no_other_cluster_and_read_no_parameter" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    cluster_name = "team-cluster"
  }

  assert {
    condition = {
      for one in jsondecode(aws_iam_role_policy.instance[0].policy).Statement : one.Sid => one.Resource
      } == {
      FindEcs                = "*"
      JoinTheCluster         = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:cluster/team-cluster"
      ReceiveTasks           = "arn:aws-iso-b:ecs:us-isob-east-1:111122223333:container-instance/team-cluster/*"
      ReportToSystemsManager = "arn:aws-iso-b:ec2:us-isob-east-1:111122223333:instance/*"
      HoldSessions           = "*"
    }
    error_message = "The instances' role allows more than their cluster."
  }
  assert {
    condition = alltrue([
      for one in jsondecode(aws_iam_role_policy.instance[0].policy).Statement :
      length(setsubtract(flatten([one.Action]), [
        "ecs:DiscoverPollEndpoint", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
      ])) == 0 if one.Resource == "*"
    ])
    error_message = "An action with resource types is allowed on every resource."
  }
}

run "the_group_has_the_requested_size_and_tags" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    instance_count = 10
  }

  assert {
    condition     = [aws_autoscaling_group.instances[0].min_size, aws_autoscaling_group.instances[0].max_size] == [10, 10]
    error_message = "The group may have another number of instances."
  }
  assert {
    condition = { for one in aws_autoscaling_group.instances[0].tag : one.key => one.value if one.propagate_at_launch } == {
      Name = "example-ecs-instances", ecs-updater = "example", environment = "e", owner = "o", contact = "c"
    }
    error_message = "An instance lacks its name, one of the three tags or the ownership tag."
  }
  assert {
    condition = { for one in aws_launch_template.instances[0].tag_specifications : one.resource_type => one.tags } == {
      for name in ["volume", "network-interface"] :
      name => tomap({ Name = "example-ecs-instances", ecs-updater = "example", environment = "e", owner = "o", contact = "c" })
    }
    error_message = "A volume or a network interface lacks the tags of its instance."
  }
}

run "the_longest_name_leaves_room_for_the_region_in_the_name_of_the_role" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    name = "abcdefghijklmnopqrstuvwxyz-abcdefghi-ec"
  }

  assert {
    condition     = length(aws_iam_role.instance[0].name) <= 64
    error_message = "IAM takes no name longer than 64 characters."
  }
}

run "values_at_the_bounds_are_accepted" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    instance_type  = "u-6tb1.metal"
    instance_count = 1
    instance_image = "ami-0123456789abcdef0"
    key_pair_name  = "my key"
  }
}

run "subnets_without_a_security_group_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    task_security_group_id = ""
  }
  expect_failures = [aws_launch_template.instances]
}

run "a_security_group_without_subnets_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    subnet_ids = []
  }
  expect_failures = [aws_autoscaling_group.instances]
}

run "values_out_of_bounds_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    launch_type            = "EXTERNAL"
    instance_type          = "small"
    instance_count         = 0
    instance_image         = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    key_pair_name          = " key"
    subnet_ids             = ["subnet-0123456789abcdef0", ""]
    task_security_group_id = "tasks"
  }
  expect_failures = [
    var.launch_type, var.instance_type, var.instance_count, var.instance_image, var.key_pair_name, var.subnet_ids,
    var.task_security_group_id,
  ]
}

run "too_many_instances_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    instance_count = 11
    instance_image = "resolve:ssm:"
  }
  expect_failures = [var.instance_count, var.instance_image]
}

run "half_an_instance_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-ecs-cluster"
  }
  variables {
    instance_count = 1.5
  }
  expect_failures = [var.instance_count]
}
