# The function's own schemas, one file each, and models that accept either of two.

locals {
  events = {
    update         = { name = "Update", description = "The event of an update" }
    short          = { name = "Short", description = "The short form of an update" }
    rollback       = { name = "Rollback", description = "The event of a rollback" }
    hook-answer    = { name = "HookAnswer", description = "The answer to a hook" }
    short-rollback = { name = "ShortRollback", description = "The short form of a rollback" }
  }
}

resource "aws_api_gateway_model" "event" {
  for_each = local.events

  rest_api_id  = aws_api_gateway_rest_api.this.id
  name         = each.value.name
  description  = each.value.description
  content_type = "application/json"
  # Without the file only destroy works: see the precondition.
  schema = try(file("${var.schemas_directory}/${each.key}.json"), null)

  lifecycle {
    precondition {
      condition     = fileexists("${var.schemas_directory}/${each.key}.json")
      error_message = "There is no schema ${var.schemas_directory}/${each.key}.json: schemas_directory says where they are."
    }
  }
}

resource "aws_api_gateway_model" "update_body" {
  rest_api_id  = aws_api_gateway_rest_api.this.id
  name         = "UpdateBody"
  description  = "Body of POST /update: the event or its short form"
  content_type = "application/json"

  schema = jsonencode({
    "$schema" = "http://json-schema.org/draft-04/schema#"
    title     = "UpdateBody"
    anyOf = [
      for name in ["update", "short"] :
      { "$ref" = "https://apigateway.amazonaws.com/restapis/${aws_api_gateway_rest_api.this.id}/models/${aws_api_gateway_model.event[name].name}" }
    ]
  })
}

resource "aws_api_gateway_model" "rollback_body" {
  rest_api_id  = aws_api_gateway_rest_api.this.id
  name         = "RollbackBody"
  description  = "Body of POST /rollback: the event or its short form"
  content_type = "application/json"

  schema = jsonencode({
    "$schema" = "http://json-schema.org/draft-04/schema#"
    title     = "RollbackBody"
    anyOf = [
      for name in ["rollback", "short-rollback"] :
      { "$ref" = "https://apigateway.amazonaws.com/restapis/${aws_api_gateway_rest_api.this.id}/models/${aws_api_gateway_model.event[name].name}" }
    ]
  })
}
