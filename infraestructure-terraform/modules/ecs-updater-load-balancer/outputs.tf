output "target_group_arn" {
  description = "ARN of the target group in which ECS registers the tasks of the first revision."
  value       = aws_lb_target_group.this["blue"].arn
}

output "alternate_target_group_arn" {
  description = "ARN of the target group in which ECS registers the tasks of the next revision."
  value       = aws_lb_target_group.this["green"].arn
}

output "production_listener_rule_arn" {
  description = "ARN of the listener rule for production traffic."
  value       = aws_lb_listener_rule.production.arn
}

output "test_listener_rule_arn" {
  description = "ARN of the listener rule for test traffic: requests with the header x-test-traffic: true."
  value       = aws_lb_listener_rule.test.arn
}

output "infrastructure_role_arn" {
  description = "ARN of the role with which ECS registers tasks and shifts traffic."
  value       = aws_iam_role.infrastructure.arn
  depends_on  = [aws_iam_role_policy.infrastructure]
}

output "load_balancer_security_group_id" {
  description = "Id of the security group of the load balancer and its tasks."
  value       = aws_security_group.this.id
}

output "load_balancer_dns_name" {
  description = "DNS name of the load balancer, for requests from inside the VPC."
  value       = aws_lb.this.dns_name
}
