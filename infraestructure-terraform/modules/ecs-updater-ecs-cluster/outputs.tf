output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.this.arn
}

# Built from the name, so that a plan shows the whole policy.
output "task_execution_role_arn" {
  description = "ARN of the task execution role."
  value       = "arn:${local.partition}:iam::${local.account}:role/${aws_iam_role.task_execution.name}"
  depends_on  = [aws_iam_role_policy.task_execution]
}

output "task_log_group_name" {
  description = "Name of the log group of the tasks."
  value       = aws_cloudwatch_log_group.tasks.name
}

# Depends on it, so that tasks can run.
output "launch_type" {
  description = "Launch type of the tasks, FARGATE or EC2."
  value       = length(aws_autoscaling_group.instances) == 0 ? "FARGATE" : "EC2"
}
