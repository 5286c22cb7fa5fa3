# The settings of the Makefile. The modules validate them. A variable that is null here has its default in the module. Set a
# module's other variables in main.tf or in main_override.tf.

variable "stack_name" {
  description = "Beginning of the names of the network, the cluster's roles and the ownership tag: STACK_NAME of the Makefile."
  type        = string
  default     = "ecs-updater"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,24}$", var.stack_name))
    error_message = "stack_name must be 1 to 25 letters, digits and hyphens, a letter first: the name of the bucket for bundles contains it, the account and the region."
  }
}

variable "environment" {
  description = "Value of the tag environment on every resource."
  type        = string
  default     = "development"

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.environment))
    error_message = "environment must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "owner" {
  description = "Value of the tag owner on every resource: the responsible team or person."
  type        = string
  default     = "platform"

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.owner))
    error_message = "owner must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "contact" {
  description = "Value of the tag contact on every resource: an address or a channel."
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
  description = "Launch type: FARGATE, or EC2 for an Auto Scaling group of instances."
  type        = string
  default     = "FARGATE"
}

variable "function_name" {
  description = "Name of the function. The names of the ledger, the API and the fleet begin with it."
  type        = string
  default     = null
}

variable "lambda_package" {
  description = "Path of the function's bundle, absolute or from this directory. make build-lambda-package builds it."
  type        = string
  default     = "../build/ecs-updater-package.zip"
}

variable "schemas_directory" {
  description = "Directory of the schemas of the function's events, absolute or from this directory."
  type        = string
  default     = "../lambda_code/ecs_updater/schemas"
}

variable "runtime" {
  description = "Runtime of the functions. Build the bundle for the same runtime."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Processor architecture of the functions. Build the bundle for the same architecture."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "Reserved concurrency of the direct function; -1 reserves none."
  type        = number
  default     = null
}

variable "task_definition_family" {
  description = "Task definition family, or a pattern such as team-*, in which the function may register revisions."
  type        = string
  default     = null
}

variable "allowed_images" {
  description = "Patterns of allowed images. If empty, every image is allowed."
  type        = list(string)
  default     = null
}

variable "allowed_services" {
  description = "Patterns of allowed services as cluster/service. If empty, every service of the cluster is allowed."
  type        = list(string)
  default     = null
}

variable "allowed_fields" {
  description = "Fields beside image and tags that events may have; * means every one. If empty, none is allowed."
  type        = list(string)
  default     = null
}

variable "allowed_secrets" {
  description = "Patterns of ARNs that ecs_secrets may name. If empty, none is allowed."
  type        = list(string)
  default     = null
}

variable "task_log_group_name" {
  description = "Log group of the tasks, or a pattern such as /ecs/*, from which the last lines of a failed one-off task are read."
  type        = string
  default     = null
}

variable "express_services" {
  description = "Permissions for Express services, whose roles passable_role_arns must have, the infrastructure role included."
  type        = bool
  default     = null
}

variable "ecr_repository_names" {
  description = "Names or patterns of the Amazon ECR repositories that the function may read."
  type        = list(string)
  default     = null
}

variable "scopes_parameter_name" {
  description = "Name of the SSM parameter with the scopes: what each caller may do, such as /ecs-updater/scopes. Without it every caller may do everything."
  type        = string
  default     = null
}

variable "targets_parameter_name" {
  description = "Name of the SSM parameter with the targets: other accounts and regions. Without it there are none."
  type        = string
  default     = null
}

variable "target_role_arns" {
  description = "ARNs or patterns of the targets' update roles."
  type        = list(string)
  default     = null
}

variable "target_read_role_arns" {
  description = "ARNs or patterns of the targets' read roles."
  type        = list(string)
  default     = null
}

variable "permissions_boundary" {
  description = "Optional ARN of the permissions boundary for every role."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Deletion protection of the ledger's table."
  type        = bool
  default     = null
}

variable "kms_key_arn" {
  description = "Optional ARN of a KMS key for log groups, table, queues and variables of the functions."
  type        = string
  default     = null
}

variable "metrics_by_service" {
  description = "Whether verdicts are counted by service as well, which makes metrics for each service."
  type        = bool
  default     = null
}

variable "alarm_topic_arn" {
  description = "Optional ARN of an SNS topic that every alarm notifies."
  type        = string
  default     = null
}

variable "operations" {
  description = "Create the alarms and the dashboard."
  type        = bool
  default     = false
}

variable "event_bus_name" {
  description = "Optional name of the event bus that gets an event for each verdict. If empty, no events are sent."
  type        = string
  default     = null
}

variable "notify_topic_arn" {
  description = "Optional ARN of an SNS topic that gets a message for each verdict."
  type        = string
  default     = null
}

variable "notify" {
  description = "Posts to Slack and Microsoft Teams: inputs of the module ecs-updater-notify. Without it nothing is posted."
  type = object({
    webhook_secret_arn  = string
    slack_webhook       = optional(bool)
    teams_webhook       = optional(bool)
    notify_verdicts     = optional(list(string))
    notify_cluster_name = optional(string)
  })
  default = null
}

variable "tracing" {
  description = "X-Ray: Active traces calls of the functions and the API, PassThrough only passes the trace of a caller on."
  type        = string
  default     = null
}

variable "api_auth" {
  description = "Authentication of the API: key (API key), iam (API key and IAM signature) or jwt (bearer token)."
  type        = string
  default     = null
}

variable "jwt_issuer" {
  description = "Issuer (iss) of the bearer tokens, with api_auth jwt."
  type        = string
  default     = null
}

variable "jwt_audience" {
  description = "Audience (aud) that the bearer tokens must have, with api_auth jwt."
  type        = string
  default     = null
}

variable "jwks_url" {
  description = "Address of the issuer's public keys. Default: OpenID Connect discovery of the issuer finds it."
  type        = string
  default     = null
}

variable "authorizer_package" {
  description = "Path of the bundle of the API's authoriser, with api_auth jwt. Default: build/ecs-updater-authorizer-package.zip of this project."
  type        = string
  default     = null
}

variable "sender_dry_runs" {
  description = "Permission of the senders to read task definitions, which a dry run of a batch needs."
  type        = bool
  default     = null
}

variable "api_source_cidrs" {
  description = "Networks in CIDR notation that may call the API. If empty, every address may."
  type        = list(string)
  default     = null
}

variable "api_principal_arns" {
  description = "ARNs of users, roles and accounts that may call the API with api_auth=iam."
  type        = list(string)
  default     = null
}

variable "api_update_concurrency" {
  description = "Reserved concurrency of the update function. -1 reserves none, 0 stops the function."
  type        = number
  default     = null
}

variable "api_status_concurrency" {
  description = "Reserved concurrency of the status function. -1 reserves none, 0 stops the function."
  type        = number
  default     = null
}

variable "web_acl_arn" {
  description = "ARN of a regional web ACL of AWS WAF that inspects the requests to the API."
  type        = string
  default     = null
}

variable "account_log_role" {
  description = "API Gateway's role for logs, one per account and region: make creates and sets it, keep changes nothing."
  type        = string
  default     = null
}

variable "endpoint_url" {
  description = "Optional endpoint of an AWS emulator, for local runs only."
  type        = string
  default     = null
}

variable "load_balancer" {
  description = "Create the load balancer for blue/green, linear and canary deployments."
  type        = bool
  default     = false
  nullable    = false
}

variable "push" {
  description = "Create the function that deploys images pushed to Amazon ECR."
  type        = bool
  default     = false
  nullable    = false
}

variable "codepipeline" {
  description = "Create the function for actions of AWS CodePipeline."
  type        = bool
  default     = false
  nullable    = false
}

variable "target" {
  description = "Create only the roles of a target: inputs of the module ecs-updater-target. Apply it with -target=module.target in the target's account and region."
  type = object({
    home_account          = string
    home_region           = string
    external_id           = string
    update_principal_arns = optional(list(string))
    read_principal_arns   = optional(list(string))
    passable_role_arns    = optional(list(string))
  })
  default = null
}
