# Services on Fargate. Terraform creates them. After that ecs-updater changes their images and tags, and Terraform everything else.

data "aws_region" "current" {}

resource "aws_ecs_task_definition" "this" {
  for_each = var.services

  family                   = each.key
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = each.value.task_role_arn
  # Tasks may run an earlier revision, and a rollback may need it.
  skip_destroy = true

  container_definitions = jsonencode([
    for name, container in each.value.containers : merge(
      {
        name         = name
        image        = container.image
        command      = container.command
        essential    = container.essential
        portMappings = container.port == null ? [] : [{ containerPort = container.port }]
        environment  = [for key, value in container.environment : { name = key, value = value }]
        secrets      = [for key, value in container.secrets : { name = key, valueFrom = value }]
        logConfiguration = {
          logDriver = "awslogs"
          options = {
            awslogs-group         = var.log_group_name
            awslogs-region        = data.aws_region.current.id
            awslogs-stream-prefix = each.key
          }
        }
      },
      container.cpu == null ? {} : { cpu = container.cpu },
      container.memory == null ? {} : { memory = container.memory },
    )
  ])
}

resource "aws_ecs_service" "this" {
  for_each = var.services

  name            = each.key
  cluster         = var.cluster_name
  task_definition = aws_ecs_task_definition.this[each.key].arn
  desired_count   = each.value.desired_count
  launch_type     = "FARGATE"
  tags            = each.value.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.assign_public_ip
  }

  dynamic "load_balancer" {
    for_each = { for name, container in each.value.containers : name => container if container.target_group_arn != null }

    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = load_balancer.key
      container_port   = load_balancer.value.port
    }
  }

  # ecs-updater changes them.
  lifecycle {
    ignore_changes = [task_definition, tags, tags_all]
  }
}
