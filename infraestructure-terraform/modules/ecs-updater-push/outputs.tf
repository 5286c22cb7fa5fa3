output "push_function_name" {
  description = "Name of the function of the pushes."
  value       = aws_lambda_function.this.function_name
}

output "push_queue_url" {
  description = "URL of the queue of the pushes."
  value       = aws_sqs_queue.this.url
}

output "push_dead_letter_queue_url" {
  description = "URL of the dead-letter queue of the pushes."
  value       = aws_sqs_queue.dead_letters.url
}
