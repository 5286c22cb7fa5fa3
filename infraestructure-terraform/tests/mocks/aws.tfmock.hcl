# Values that the provider would read from an account. No name of a region is longer.
mock_data "aws_caller_identity" {
  defaults = {
    account_id = "111122223333"
  }
}

mock_data "aws_partition" {
  defaults = {
    partition  = "aws-iso-b"
    dns_suffix = "sc2s.sgov.gov"
  }
}

mock_data "aws_region" {
  defaults = {
    id = "us-isob-east-1"
  }
}

mock_data "aws_availability_zones" {
  defaults = {
    names = ["us-isob-east-1a", "us-isob-east-1b", "us-isob-east-1c"]
  }
}

mock_data "aws_default_tags" {
  defaults = {
    tags = { ecs-updater = "example", environment = "e", owner = "o", contact = "c" }
  }
}

mock_data "aws_secretsmanager_secret_version" {
  defaults = {
    secret_string = "{\"slack_webhook_url\": \"https://hooks.slack.com/x\", \"teams_webhook_url\": \"https://teams.example.com/y\"}"
  }
}
