variable "updater" {
  description = "Output updater of the module ecs-updater-lambda: what the function of the pushes shares with the function. It needs a ledger."
  type = object({
    function_name        = string
    lambda_package       = string
    runtime              = string
    architecture         = string
    cluster_name         = string
    permissions_boundary = string
    ledger_table_name    = string
    log_level            = string
    tracing              = string
    kms_key_arn          = string
    log_retention_days   = number
    endpoint_url         = string
    environment          = map(string)
  })
  nullable = false

  validation {
    condition     = var.updater.ledger_table_name != ""
    error_message = "updater must be of a function with a ledger."
  }
}

variable "fleet_queue_url" {
  description = "URL of the queue for many services, an output of the fleet."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^https?://[\\w./:-]+-fleet\\.fifo$", var.fleet_queue_url))
    error_message = "fleet_queue_url must be the URL of the queue."
  }
}

variable "dry_run" {
  description = "Whether the function only logs what it would deploy."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.dry_run)
    error_message = "dry_run must be true or false."
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
