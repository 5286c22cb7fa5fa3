output "target_update_role_arn" {
  description = "ARN of the update role: update_role of the target."
  value       = aws_iam_role.update.arn
}

output "target_read_role_arn" {
  description = "ARN of the read role: read_role of the target."
  value       = aws_iam_role.read.arn
}
