# The outputs of the stacks. Each module describes its own.

output "vpc_id" { value = module.vpc.vpc_id }
output "vpc_cidr" { value = module.vpc.vpc_cidr }
output "subnet_ids" { value = module.vpc.subnet_ids }
output "task_security_group_id" { value = module.vpc.task_security_group_id }

output "cluster_name" { value = module.ecs_cluster.cluster_name }
output "cluster_arn" { value = module.ecs_cluster.cluster_arn }
output "task_execution_role_arn" { value = module.ecs_cluster.task_execution_role_arn }
output "task_log_group_name" { value = module.ecs_cluster.task_log_group_name }
output "launch_type" { value = module.ecs_cluster.launch_type }

output "target_group_arn" { value = one(module.load_balancer[*].target_group_arn) }
output "alternate_target_group_arn" { value = one(module.load_balancer[*].alternate_target_group_arn) }
output "production_listener_rule_arn" { value = one(module.load_balancer[*].production_listener_rule_arn) }
output "test_listener_rule_arn" { value = one(module.load_balancer[*].test_listener_rule_arn) }
output "infrastructure_role_arn" { value = one(module.load_balancer[*].infrastructure_role_arn) }
output "load_balancer_security_group_id" { value = one(module.load_balancer[*].load_balancer_security_group_id) }
output "load_balancer_dns_name" { value = one(module.load_balancer[*].load_balancer_dns_name) }

output "ledger_cluster_name" { value = module.ecs_updater.ledger.ledger_cluster_name }
output "ledger_table_name" { value = module.ecs_updater.ledger.ledger_table_name }
output "ledger_table_arn" { value = module.ecs_updater.ledger.ledger_table_arn }
output "completer_function_name" { value = module.ecs_updater.ledger.completer_function_name }
output "completer_function_arn" { value = module.ecs_updater.ledger.completer_function_arn }
output "completer_role_arn" { value = module.ecs_updater.ledger.completer_role_arn }
output "completer_log_group_name" { value = module.ecs_updater.ledger.completer_log_group_name }

output "function_cluster_name" { value = module.ecs_updater.lambda.function_cluster_name }
output "function_name" { value = module.ecs_updater.lambda.function_name }
output "function_arn" { value = module.ecs_updater.lambda.function_arn }
output "function_role_arn" { value = module.ecs_updater.lambda.function_role_arn }
output "function_log_group_name" { value = module.ecs_updater.lambda.function_log_group_name }
output "dead_letter_queue_url" { value = module.ecs_updater.lambda.dead_letter_queue_url }
output "dead_letter_queue_arn" { value = module.ecs_updater.lambda.dead_letter_queue_arn }

output "api_invoke_url" { value = module.ecs_updater.api.api_invoke_url }
output "ecs_update_api_key" { value = module.ecs_updater.api.ecs_update_api_key }
output "rest_api_id" { value = module.ecs_updater.api.rest_api_id }
output "api_stage_name" { value = module.ecs_updater.api.api_stage_name }
output "api_update_function_name" { value = module.ecs_updater.api.api_update_function_name }
output "api_status_function_name" { value = module.ecs_updater.api.api_status_function_name }
output "api_status_role_arn" { value = module.ecs_updater.api.api_status_role_arn }
output "api_status_log_group_name" { value = module.ecs_updater.api.api_status_log_group_name }
output "api_access_log_group_name" { value = module.ecs_updater.api.api_access_log_group_name }

output "fleet_queue_url" { value = module.ecs_updater.fleet.fleet_queue_url }
output "fleet_dead_letter_queue_url" { value = module.ecs_updater.fleet.fleet_dead_letter_queue_url }
output "fleet_function_name" { value = module.ecs_updater.fleet.fleet_function_name }
output "fleet_sender_policy_arn" { value = module.ecs_updater.fleet.fleet_sender_policy_arn }

output "push_function_name" { value = one(module.ecs_updater.push[*].push_function_name) }
output "push_queue_url" { value = one(module.ecs_updater.push[*].push_queue_url) }
output "push_dead_letter_queue_url" { value = one(module.ecs_updater.push[*].push_dead_letter_queue_url) }

output "codepipeline_function_name" { value = one(module.ecs_updater.codepipeline[*].codepipeline_function_name) }

output "notify_rule_arn" { value = one(module.ecs_updater.notify[*].notify_rule_arn) }
output "notify_dead_letter_queue_url" { value = one(module.ecs_updater.notify[*].notify_dead_letter_queue_url) }
output "dashboard_name" { value = one(module.ecs_updater.operations[*].dashboard_name) }

output "protected_stage_arn" { value = one(module.ecs_updater.waf[*].protected_stage_arn) }

output "target_update_role_arn" { value = one(module.target[*].target_update_role_arn) }
output "target_read_role_arn" { value = one(module.target[*].target_read_role_arn) }
