# The settings of the Makefile. The modules check what is passed to them, and have the default of a variable that is null here. Set a
# module's other variables in main.tf, or in a file main_override.tf beside it.

variable "stack_name" {
  description = "Beginning of the names of the network, the cluster's roles and the tag of ownership: STACK_NAME of the Makefile."
  type        = string
  default     = "ecs-updater"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,24}$", var.stack_name))
    error_message = "stack_name must be 1 to 25 letters, digits and hyphens, a letter first: the name of the bucket for bundles contains it, the account and the region."
  }
}

variable "environment" {
  description = "Value of the tag environment, on every resource."
  type        = string
  default     = "development"

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.environment))
    error_message = "environment must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "owner" {
  description = "Value of the tag owner, on every resource: who is responsible."
  type        = string
  default     = "platform"

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.owner))
    error_message = "owner must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "contact" {
  description = "Value of the tag contact, on every resource: whom to ask."
  type        = string
  default     = "not-set"

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.contact))
    error_message = "contact must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  default     = null
}

variable "launch_type" {
  description = "Where tasks run: FARGATE, or EC2 for a group of instances."
  type        = string
  default     = "FARGATE"
}

variable "function_name" {
  description = "Name of the function. The names of the ledger, the API and the fleet begin with it."
  type        = string
  default     = null
}

variable "lambda_package" {
  description = "Path of the function's bundle, absolute or from this directory; make build-lambda-package makes it."
  type        = string
  default     = "../build/ecs-updater-package.zip"
}

variable "schemas_directory" {
  description = "Directory of the schemas of the function's events, absolute or from this directory."
  type        = string
  default     = "../lambda_code/ecs_updater/schemas"
}

variable "runtime" {
  description = "Runtime of the functions; the bundle must be built for the same one."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Processor architecture of the functions; the bundle must be built for the same one."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "Concurrency reserved for the function that is invoked directly; -1 for none."
  type        = number
  default     = null
}

variable "task_definition_family" {
  description = "Family, or a pattern such as team-*, of which the function may register revisions."
  type        = string
  default     = null
}

variable "allowed_images" {
  description = "Patterns of the images that may be deployed; without one, every image."
  type        = list(string)
  default     = null
}

variable "allowed_services" {
  description = "Patterns of the services that may be updated, as cluster/service; without one, every service of the cluster."
  type        = list(string)
  default     = null
}

variable "permissions_boundary" {
  description = "Optional ARN of a managed policy that bounds every role."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table of the ledger."
  type        = bool
  default     = null
}

variable "api_auth" {
  description = "What a call of the API must carry: key, or iam for a key and a signature."
  type        = string
  default     = null
}

variable "account_log_role" {
  description = "Whether API Gateway's role for logs, one per account and region, is made and set (make) or left alone (keep)."
  type        = string
  default     = null
}

variable "endpoint_url" {
  description = "Address of an AWS emulator, for local runs; never set on AWS."
  type        = string
  default     = null
}
