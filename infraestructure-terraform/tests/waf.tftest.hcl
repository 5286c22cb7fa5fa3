mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  web_acl_arn = "arn:aws-iso-b:wafv2:us-isob-east-1:111122223333:regional/webacl/api/0123-abcd"
  rest_api_id = "abc123"
}

run "the_web_acl_inspects_the_requests_of_the_stage" {
  command = plan
  module {
    source = "./modules/ecs-updater-waf"
  }

  assert {
    condition     = [aws_wafv2_web_acl_association.this.web_acl_arn, aws_wafv2_web_acl_association.this.resource_arn] == [var.web_acl_arn, "arn:aws-iso-b:apigateway:us-isob-east-1::/restapis/abc123/stages/v1"]
    error_message = "Another web ACL or another stage is associated."
  }
}

run "the_module_ecs_updater_associates_it_with_its_api" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }
  variables {
    cluster_name      = "shop"
    lambda_package    = "main.tf" # Any file, because nothing is uploaded.
    schemas_directory = "tests/schemas"
    api               = { stage_name = "live" }
  }

  assert {
    condition     = module.waf[0] != null
    error_message = "The web ACL is not associated."
  }
}

run "without_a_web_acl_nothing_is_associated" {
  command = plan
  module {
    source = "./modules/ecs-updater"
  }
  variables {
    web_acl_arn    = null
    cluster_name   = "shop"
    lambda_package = "main.tf"
  }

  assert {
    condition     = output.waf == null
    error_message = "A web ACL is associated that nobody named."
  }
}

run "wrong_values_are_refused" {
  command = plan
  module {
    source = "./modules/ecs-updater-waf"
  }
  variables {
    web_acl_arn = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/api/0123" # Of CloudFront.
    rest_api_id = "a/b"
    stage_name  = "a stage"
  }
  expect_failures = [var.web_acl_arn, var.rest_api_id, var.stage_name]
}
