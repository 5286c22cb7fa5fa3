output "fleet_queue_url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.this.url
}

output "fleet_dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "fleet_function_name" {
  description = "Name of the worker function."
  value       = aws_lambda_function.this.function_name
}

output "fleet_sender_policy_arn" {
  description = "ARN of the policy for senders."
  value       = aws_iam_policy.sender.arn
}
