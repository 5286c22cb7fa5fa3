output "notify_rule_arn" {
  description = "ARN of the rule that posts verdicts."
  value       = aws_cloudwatch_event_rule.this.arn
}

output "notify_dead_letter_queue_url" {
  description = "URL of the queue of the verdicts that a webhook did not take."
  value       = aws_sqs_queue.dead_letters.url
}
