# Provider: written for both majors and proved on 5.100. Nothing here is new in 6, and nothing deprecated in it but hash_key and
# range_key of a table and of its index: instead of them late versions of 6 want a key_schema, which 5 does not have.
# No lock file is committed, because the one that a mirror makes binds one platform: an organisation that keeps
# .terraform.lock.hcl makes its own with `terraform providers lock`.
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
# the aws cli: the same configuration goes to an account and, with AWS_ENDPOINT_URL and dummy credentials, to an emulator.
# The emulator answers all that the provider asks at its start (STS), so no check has to be skipped for it.
provider "aws" {
  # `make clean` removes nothing that lacks the tag ecs-updater. With CloudFormation these are tags of the stacks, which
  # CloudFormation gives to every resource that it can tag.
  default_tags {
    tags = {
      ecs-updater = var.stack_name
      environment = var.environment
      owner       = var.owner
      contact     = var.contact
    }
  }
}
