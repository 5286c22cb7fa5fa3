output "vpc_id" {
  description = "Id of the VPC."
  value       = module.vpc.vpc_id
}

output "subnet_ids" {
  description = "Ids of the public subnets."
  value       = module.vpc.subnet_ids
}

output "task_security_group_id" {
  description = "Id of the security group for tasks."
  value       = module.vpc.task_security_group_id
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.ecs_cluster.cluster_name
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = module.ecs_cluster.cluster_arn
}

output "task_execution_role_arn" {
  description = "ARN of the role with which ECS starts the tasks."
  value       = module.ecs_cluster.task_execution_role_arn
}

output "task_log_group_name" {
  description = "Name of the log group of the tasks."
  value       = module.ecs_cluster.task_log_group_name
}

output "launch_type" {
  description = "Where tasks run, FARGATE or EC2."
  value       = module.ecs_cluster.launch_type
}

output "ledger_cluster_name" {
  description = "Cluster, or pattern of clusters, whose updates the completer completes."
  value       = module.ledger.ledger_cluster_name
}

output "ledger_table_name" {
  description = "Name of the table of the ledger."
  value       = module.ledger.ledger_table_name
}

output "ledger_table_arn" {
  description = "ARN of the table of the ledger."
  value       = module.ledger.ledger_table_arn
}

output "completer_function_name" {
  description = "Name of the function that completes updates."
  value       = module.ledger.completer_function_name
}

output "completer_function_arn" {
  description = "ARN of the function that completes updates."
  value       = module.ledger.completer_function_arn
}

output "completer_role_arn" {
  description = "ARN of the role that the completer runs with."
  value       = module.ledger.completer_role_arn
}

output "completer_log_group_name" {
  description = "Name of the log group of the completer."
  value       = module.ledger.completer_log_group_name
}

output "function_cluster_name" {
  description = "Cluster, or pattern of clusters, whose services the function may change."
  value       = module.lambda.function_cluster_name
}

output "function_name" {
  description = "Name of the function."
  value       = module.lambda.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = module.lambda.function_arn
}

output "function_role_arn" {
  description = "ARN of the role that the function runs with."
  value       = module.lambda.function_role_arn
}

output "function_log_group_name" {
  description = "Name of the log group of the function."
  value       = module.lambda.function_log_group_name
}

output "dead_letter_queue_url" {
  description = "Address of the queue of events that failed to the last attempt."
  value       = module.lambda.dead_letter_queue_url
}

output "dead_letter_queue_arn" {
  description = "ARN of the queue of events that failed to the last attempt."
  value       = module.lambda.dead_letter_queue_arn
}

output "api_invoke_url" {
  description = "Address of the API, before the route."
  value       = module.api.api_invoke_url
}

output "ecs_update_api_key" {
  description = "Id of the key of the API, not its value: make api-key prints that."
  value       = module.api.ecs_update_api_key
}

output "rest_api_id" {
  description = "Id of the API."
  value       = module.api.rest_api_id
}

output "api_update_function_name" {
  description = "Name of the function that updates."
  value       = module.api.api_update_function_name
}

output "api_status_function_name" {
  description = "Name of the function that reads."
  value       = module.api.api_status_function_name
}

output "api_status_role_arn" {
  description = "ARN of the role that the function that reads runs with."
  value       = module.api.api_status_role_arn
}

output "api_status_log_group_name" {
  description = "Name of the log group of the function that reads."
  value       = module.api.api_status_log_group_name
}

output "api_access_log_group_name" {
  description = "Name of the log group of the calls."
  value       = module.api.api_access_log_group_name
}

output "fleet_queue_url" {
  description = "Address of the queue."
  value       = module.fleet.fleet_queue_url
}

output "fleet_dead_letter_queue_url" {
  description = "Address of the queue of messages that could not be worked off."
  value       = module.fleet.fleet_dead_letter_queue_url
}

output "fleet_function_name" {
  description = "Name of the function that works off the queue."
  value       = module.fleet.fleet_function_name
}

output "fleet_sender_policy_arn" {
  description = "ARN of the policy for those who send to the queue."
  value       = module.fleet.fleet_sender_policy_arn
}
