output "api_invoke_url" {
  description = "URL of the API without a route."
  value = (local.is_emulated ?
    "${var.updater.endpoint_url}/restapis/${aws_api_gateway_rest_api.this.id}/${aws_api_gateway_stage.this.stage_name}/_user_request_" :
  "https://${aws_api_gateway_rest_api.this.id}.execute-api.${local.region}.${data.aws_partition.current.dns_suffix}/${aws_api_gateway_stage.this.stage_name}")
}

output "ecs_update_api_key" {
  description = "Id of the API key. make api-key prints its value."
  value       = one(aws_api_gateway_api_key.this[*].id)
}

output "rest_api_id" {
  description = "Id of the API."
  value       = aws_api_gateway_rest_api.this.id
}

output "api_stage_name" {
  description = "Name of the stage of the API."
  value       = aws_api_gateway_stage.this.stage_name
}

output "api_update_function_name" {
  description = "Name of the update function."
  value       = aws_lambda_function.update.function_name
}

output "api_status_function_name" {
  description = "Name of the status function."
  value       = aws_lambda_function.status.function_name
}

output "api_status_role_arn" {
  description = "ARN of the status function's role."
  value       = aws_iam_role.status.arn
}

output "api_status_log_group_name" {
  description = "Name of the status function's log group."
  value       = aws_cloudwatch_log_group.status.name
}

output "api_access_log_group_name" {
  description = "Name of the access log group."
  value       = aws_cloudwatch_log_group.access.name
}
