# The dashboard. Widgets without a place follow each other.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.function_name

  # Decoded first: a text that is not JSON fails in the plan.
  dashboard_body = jsonencode(jsondecode(templatefile("${path.module}/dashboard.json.tftpl", {
    name   = var.function_name
    region = data.aws_region.current.id # Both provider majors have it; the others are deprecated in 6 or missing in 5.
    alarm = join(":", [
      "arn", data.aws_partition.current.partition, "cloudwatch", data.aws_region.current.id, data.aws_caller_identity.current.account_id, "alarm",
      var.function_name,
    ])
    api          = var.api_deployed
    authorizer   = var.authorizer_deployed
    fleet        = var.fleet_deployed
    push         = var.push_deployed
    codepipeline = var.codepipeline_deployed
    notify       = var.notify_deployed
  })))

  # A dashboard has no tags: the teardown knows it by this alarm's.
  depends_on = [aws_cloudwatch_metric_alarm.this]
}
