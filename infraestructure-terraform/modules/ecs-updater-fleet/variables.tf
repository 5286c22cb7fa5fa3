variable "updater" {
  description = "Output updater of the module ecs-updater-lambda: what the worker shares with the function. It needs a ledger."
  type = object({
    function_name     = string
    lambda_package    = string
    runtime           = string
    architecture      = string
    cluster_name      = string
    role_arn          = string
    log_group_name    = string
    ledger_table_name = string
    log_level         = string
    tracing           = string
    kms_key_arn       = string
    endpoint_url      = string
    environment       = map(string)
  })
  nullable = false

  validation {
    condition     = var.updater.ledger_table_name != ""
    error_message = "updater must be of a function with a ledger."
  }
}

variable "queue_retention_days" {
  description = "Retention of messages in the queue in days."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.queue_retention_days >= 1 && var.queue_retention_days <= 14 && var.queue_retention_days == floor(var.queue_retention_days)
    error_message = "queue_retention_days must be 1 to 14 days."
  }
}

variable "maximum_concurrency" {
  description = "Maximum number of concurrent workers. More than 20 would wait for ECS's rate limits longer than their time-out."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 20 && var.maximum_concurrency == floor(var.maximum_concurrency)
    error_message = "maximum_concurrency must be 2 to 20."
  }
}

variable "sender_dry_runs" {
  description = "Permission of the senders to read task definitions, which a dry run of a batch needs: true or false."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.sender_dry_runs)
    error_message = "sender_dry_runs must be true or false."
  }
}

variable "ecs_rates" {
  description = "Optional rate limits of ECS in this account and region, if they differ from the defaults: burst and calls per second, as in RegisterTaskDefinition=20/1."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for rate in var.ecs_rates : can(regex("^(RegisterTaskDefinition|DescribeTaskDefinition|UpdateService|TagResource|DescribeServices|ListClusters)=[1-9]\\d{0,4}/(0\\.\\d{0,2}[1-9]|[1-9]\\d{0,3}(\\.\\d{1,3})?)$", rate))])
    error_message = "ecs_rates must be rates such as RegisterTaskDefinition=20/1."
  }
}
