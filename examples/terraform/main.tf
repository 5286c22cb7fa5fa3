# ecs-updater for services that exist: function, HTTP API and queue. Replace the cluster, the task definition families, the roles of
# their tasks and the tags. For services that Terraform creates: ../../infraestructure-terraform/modules/ecs-updater-service.
#
#   make build-lambda-package
#   terraform -chdir=examples/terraform init
#   terraform -chdir=examples/terraform apply

terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.100, < 7.0" }
  }
}

provider "aws" {
  region = "eu-west-1"

  default_tags {
    tags = {
      environment = "production"
      owner       = "platform team"
      contact     = "platform@example.com"
    }
  }
}

# From another repository, with the path of the bundle as lambda_package:
# source = "git::https://github.com/OWNER/ecs-updater.git//infraestructure-terraform/modules/ecs-updater?ref=v1.0.0"
module "ecs_updater" {
  source = "../../infraestructure-terraform/modules/ecs-updater"

  cluster_name           = "shop"
  task_definition_family = "web-*"
  passable_role_arns     = ["arn:aws:iam::123456789012:role/web-*"]

  api   = {} # Optional: the HTTP API
  fleet = {} # Optional: the queue
}

output "function_name" { value = module.ecs_updater.lambda.function_name }
output "api_invoke_url" { value = module.ecs_updater.api.api_invoke_url }
output "queue_sender_policy_arn" { value = module.ecs_updater.fleet.fleet_sender_policy_arn }
