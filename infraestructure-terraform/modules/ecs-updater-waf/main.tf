# The association of a web ACL of AWS WAF with the stage of the API.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = "arn:${data.aws_partition.current.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}/stages/${var.stage_name}"
  web_acl_arn  = var.web_acl_arn
}
