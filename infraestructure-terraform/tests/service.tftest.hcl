mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  cluster_name       = "shop"
  subnet_ids         = ["subnet-11111111"]
  security_group_ids = ["sg-11111111"]
  execution_role_arn = "arn:aws:iam::111122223333:role/execution"
  log_group_name     = "/ecs/shop"
  services = {
    web = {
      task_role_arn = "arn:aws:iam::111122223333:role/web"
      tags          = { release = "1" }
      containers = {
        app = { image = "nginx:1.28", port = 80, target_group_arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/1", environment = { A = "b" } }
        log = { image = "busybox", essential = false, memory = 64, secrets = { KEY = "arn:aws:ssm:eu-west-1:111122223333:parameter/key" } }
      }
    }
    worker = { cpu = 512, memory = 1024, containers = { app = { image = "busybox", command = ["sleep", "86400"] } } }
  }
}

run "each_service_has_its_family_with_its_containers" {
  module {
    source = "./modules/ecs-updater-service"
  }

  assert {
    condition = jsondecode(aws_ecs_task_definition.this["web"].container_definitions) == [
      {
        name        = "app", image = "nginx:1.28", essential = true, command = [], portMappings = [{ containerPort = 80 }]
        environment = [{ name = "A", value = "b" }], secrets = []
        logConfiguration = {
          logDriver = "awslogs"
          options   = { awslogs-group = "/ecs/shop", awslogs-region = "us-isob-east-1", awslogs-stream-prefix = "web" }
        }
      },
      {
        name        = "log", image = "busybox", essential = false, command = [], portMappings = [], memory = 64
        environment = [], secrets = [{ name = "KEY", valueFrom = "arn:aws:ssm:eu-west-1:111122223333:parameter/key" }]
        logConfiguration = {
          logDriver = "awslogs"
          options   = { awslogs-group = "/ecs/shop", awslogs-region = "us-isob-east-1", awslogs-stream-prefix = "web" }
        }
      },
    ]
    error_message = "A container has other settings."
  }
  assert {
    condition = [for name in ["web", "worker"] : [aws_ecs_task_definition.this[name].family, aws_ecs_task_definition.this[name].cpu, aws_ecs_task_definition.this[name].memory]] == [
      ["web", "256", "512"], ["worker", "512", "1024"],
    ]
    error_message = "A family has another name or size."
  }
  assert {
    condition     = [for one in aws_ecs_service.this["web"].load_balancer : [one.container_name, one.container_port]] == [["app", 80]] && length(aws_ecs_service.this["worker"].load_balancer) == 0
    error_message = "The load balancer is attached to another container."
  }
  assert {
    condition     = output.task_definition_families == tolist(["web", "worker"]) && output.passable_role_arns == tolist(["arn:aws:iam::111122223333:role/execution", "arn:aws:iam::111122223333:role/web"])
    error_message = "ecs-updater could not update a service."
  }
}

run "later_tags_do_not_change_a_service" {
  module {
    source = "./modules/ecs-updater-service"
  }
  variables {
    services = { web = { tags = { release = "2" }, containers = { app = { image = "nginx:1.29" } } } }
  }

  assert {
    condition     = aws_ecs_service.this["web"].tags == tomap({ release = "1" })
    error_message = "Terraform undoes what ecs-updater changed."
  }
}

run "a_service_without_containers_or_with_an_invalid_name_is_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-service"
  }
  variables {
    services = { "a/b" = { containers = { app = { image = "busybox" } } }, web = { containers = {} } }
  }
  expect_failures = [var.services]
}
