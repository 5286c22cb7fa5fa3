output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr" {
  description = "IPv4 network of the VPC."
  value       = var.vpc_cidr
}

output "subnet_ids" {
  description = "Ids of the public subnets."
  value       = [for name in ["a", "b"] : aws_subnet.public[name].id]
  # Instances need the route to the internet during their whole life.
  depends_on = [aws_route.internet, aws_route_table_association.public]
}

output "task_security_group_id" {
  description = "Id of the security group for tasks."
  value       = aws_security_group.tasks.id
  depends_on  = [aws_vpc_security_group_egress_rule.https]
}
