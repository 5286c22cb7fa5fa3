output "task_definition_families" {
  description = "Task definition families of the services."
  value       = keys(var.services)
}

output "passable_role_arns" {
  description = "Task and execution roles of the services: input passable_role_arns of the module ecs-updater."
  value       = distinct(concat([var.execution_role_arn], [for service in var.services : service.task_role_arn if service.task_role_arn != null]))
}
