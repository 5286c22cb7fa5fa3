output "protected_stage_arn" {
  description = "ARN of the stage whose requests the web ACL inspects."
  value       = aws_wafv2_web_acl_association.this.resource_arn
}
