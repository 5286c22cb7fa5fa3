# Provider: works with versions 5 and 6, tested with 5.100. Version 6 reports hash_key and range_key as deprecated. Their
# replacement, key_schema, does not exist in version 5.
# No lock file is committed, because a lock made from a mirror is valid for one platform only. Create your own with
# `terraform providers lock`.
terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }

  # terraform.tfstate in this directory, or where `terraform init -backend-config=path=FILE` says.
  # Shared state: backend_override.tf.example.
  backend "local" {}
}

# Region, credentials and endpoint come from the environment (AWS_REGION or AWS_DEFAULT_REGION, AWS_PROFILE, ...), as with
# the aws cli. With AWS_ENDPOINT_URL and dummy credentials the same configuration deploys to an emulator.
# The emulator supports the provider's checks at start (STS), so none is skipped.
provider "aws" {
  # `make clean` removes only resources with the tag ecs-updater. CloudFormation sets the same tags from the stacks' tags.
  default_tags {
    tags = {
      ecs-updater = var.stack_name
      environment = var.environment
      owner       = var.owner
      contact     = var.contact
    }
  }
}
