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
