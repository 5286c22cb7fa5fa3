output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.this.arn
}

# Put together from the name, which is known before the role is made: a plan then shows the whole policy of the function.
output "task_execution_role_arn" {
  description = "ARN of the role with which ECS starts the tasks."
  value       = "arn:${local.partition}:iam::${local.account}:role/${aws_iam_role.task_execution.name}"
  depends_on  = [aws_iam_role_policy.task_execution]
}

output "task_log_group_name" {
  description = "Name of the log group of the tasks."
  value       = aws_cloudwatch_log_group.tasks.name
}

# Known once there is something to run tasks.
output "launch_type" {
  description = "Where tasks run, FARGATE or EC2."
  value       = length(aws_autoscaling_group.instances) == 0 ? "FARGATE" : "EC2"
}
