output "ledger_cluster_name" {
  description = "Cluster or pattern whose updates the reconciler finishes."
  value       = var.cluster_name
}

output "ledger_table_name" {
  description = "Name of the table of the ledger."
  value       = aws_dynamodb_table.this.name
}

output "ledger_table_arn" {
  description = "ARN of the table of the ledger."
  value       = aws_dynamodb_table.this.arn
}

output "completer_function_name" {
  description = "Name of the reconciler function."
  value       = aws_lambda_function.completer.function_name
}

output "completer_function_arn" {
  description = "ARN of the reconciler function."
  value       = aws_lambda_function.completer.arn
}

output "completer_role_arn" {
  description = "ARN of the role of the reconciler."
  value       = aws_iam_role.completer.arn
}

output "completer_log_group_name" {
  description = "Name of the log group of the reconciler."
  value       = aws_cloudwatch_log_group.completer.name
}
