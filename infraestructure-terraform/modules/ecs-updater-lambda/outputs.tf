output "function_cluster_name" {
  description = "Cluster or pattern whose services the function may change."
  value       = var.cluster_name
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "function_role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "function_log_group_name" {
  description = "Name of the log group of the function."
  value       = aws_cloudwatch_log_group.this.name
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue of asynchronous invocations."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue of asynchronous invocations."
  value       = aws_sqs_queue.dead_letters.arn
}

output "updater" {
  description = "What the functions of the API and of the queue share with this one: input updater of their modules."
  value = {
    function_name        = var.function_name
    lambda_package       = var.lambda_package
    runtime              = var.runtime
    architecture         = var.architecture
    cluster_name         = var.cluster_name
    role_arn             = aws_iam_role.this.arn
    log_group_name       = aws_cloudwatch_log_group.this.name
    permissions_boundary = var.permissions_boundary
    ledger_table_name    = var.ledger_table_name
    log_level            = var.log_level
    log_retention_days   = var.log_retention_days
    tracing              = var.tracing
    kms_key_arn          = var.kms_key_arn
    endpoint_url         = var.endpoint_url
    environment          = local.environment
  }
}
