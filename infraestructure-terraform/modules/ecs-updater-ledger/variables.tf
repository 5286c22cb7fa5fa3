variable "lambda_package" {
  description = "Path of the function's bundle, absolute or from the root module's directory. make build-lambda-package builds it."
  type        = string
  nullable    = false

  validation {
    condition     = var.lambda_package != ""
    error_message = "lambda_package must be the path of the bundle, a zip file."
  }
}

variable "function_name" {
  description = "Name of the function."
  type        = string
  default     = "ecs-updater"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,38}$", var.function_name))
    error_message = "function_name must be 1 to 38 letters, digits, underscores and hyphens: the role of its reconciler contains the name and the region."
  }
}

variable "runtime" {
  description = "Runtime of the function. Build the bundle for the same runtime. Version 5.100 of the provider does not know python3.14 yet."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.11, python3.12, python3.13 or python3.14."
  }
}

variable "architecture" {
  description = "Processor architecture of the function. Build the bundle for the same architecture."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "cluster_name" {
  description = "Name of the cluster whose services the function may change, or a pattern such as team-*. The pattern * means every cluster of the region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{1,255}$", var.cluster_name))
    error_message = "cluster_name must be a name of letters, digits, underscores and hyphens, or a pattern with *."
  }
}

variable "task_definition_family" {
  description = "Task definition family, or a pattern such as team-*, in which the function may register revisions."
  type        = string
  default     = "*"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{1,255}$", var.task_definition_family))
    error_message = "task_definition_family must be a family of letters, digits, underscores and hyphens, or a pattern with *."
  }
}

variable "passable_role_arns" {
  description = "Optional ARNs or patterns of the services' task and execution roles. If empty, only services without these roles can be updated."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.passable_role_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@/*-]+$", arn))])
    error_message = "passable_role_arns must be ARNs of roles."
  }
}

variable "run_tasks" {
  description = "Permissions for events with run_before, which run a one-off task before the update: true or false."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.run_tasks)
    error_message = "run_tasks must be true or false."
  }
}

variable "task_log_group_name" {
  description = "Optional log group of the tasks, or a pattern such as /ecs/*, from which the last lines of a failed one-off task are read."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_/.#*-]{0,512}$", var.task_log_group_name))
    error_message = "task_log_group_name must be empty, the name of a log group, or a pattern with *."
  }
}

variable "express_services" {
  description = "Permissions for Express services, whose roles passable_role_arns must have, the infrastructure role included: true or false."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.express_services)
    error_message = "express_services must be true or false."
  }
}

variable "targets_parameter_name" {
  description = "Optional name of the SSM parameter with the targets: other accounts and regions, such as /ecs-updater/targets. Without it there are none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((/[a-zA-Z0-9_.-]+)+)?$", var.targets_parameter_name))
    error_message = "targets_parameter_name must be empty or a name that begins with /."
  }
}

variable "target_role_arns" {
  description = "Optional ARNs or patterns of the targets' update roles."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.target_role_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@/*-]+$", arn))])
    error_message = "target_role_arns must be ARNs of roles."
  }
}

variable "permissions_boundary" {
  description = "Optional ARN of the permissions boundary for every role of this module."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:iam::(\\d{12}|aws):policy/.+)?$", var.permissions_boundary))
    error_message = "permissions_boundary must be empty or the ARN of a managed policy."
  }
}

variable "ledger_retention_days" {
  description = "Days that the ledger keeps an update after its end."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.ledger_retention_days >= 1 && var.ledger_retention_days <= 3650 && var.ledger_retention_days == floor(var.ledger_retention_days)
    error_message = "ledger_retention_days must be 1 to 3650 days."
  }
}

variable "deletion_protection" {
  description = "Deletion protection of the ledger's table. Set it to false before you remove the table."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = contains([true, false], var.deletion_protection)
    error_message = "deletion_protection must be true or false."
  }
}

variable "poll_minutes" {
  description = "Minutes between two runs of the reconciler. ECS sends no event for some deployments that end."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.poll_minutes >= 1 && var.poll_minutes <= 1440 && var.poll_minutes == floor(var.poll_minutes)
    error_message = "poll_minutes must be 1 to 1440 minutes."
  }
}

variable "task_failures" {
  description = "Identical task failures before a rollout without circuit breaker counts as failed."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.task_failures >= 1 && var.task_failures <= 50 && var.task_failures == floor(var.task_failures)
    error_message = "task_failures must be 1 to 50."
  }
}

variable "open_update_max_hours" {
  description = "Hours without a change in ECS after which an open update ends as timed out."
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.open_update_max_hours >= 1 && var.open_update_max_hours <= 720 && var.open_update_max_hours == floor(var.open_update_max_hours)
    error_message = "open_update_max_hours must be 1 to 720 hours."
  }
}

variable "deployment_alarms" {
  description = "Optional names of CloudWatch alarms. A deployment of a service without alarms gets them, with rollback."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for alarm in var.deployment_alarms : can(regex("^[^,]{1,255}$", alarm))])
    error_message = "deployment_alarms must be names of at most 255 characters."
  }
}

variable "endpoint_url" {
  description = "Optional endpoint of an AWS emulator, for local runs only."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(https?://[\\w.-]+(:\\d+)?)?$", var.endpoint_url))
    error_message = "endpoint_url must be empty or an address such as http://127.0.0.1:4566."
  }
}

variable "event_bus_name" {
  description = "Optional name of the event bus that gets an event for each verdict. If empty, no events are sent."
  type        = string
  default     = "default"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{0,256}$", var.event_bus_name))
    error_message = "event_bus_name must be empty or the name of an event bus: letters, digits, underscores, hyphens and dots."
  }
}

variable "notify_topic_arn" {
  description = "Optional ARN of an SNS topic that gets a message for each verdict."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\\d{12}:[\\w-]{1,256})?$", var.notify_topic_arn))
    error_message = "notify_topic_arn must be empty or the ARN of a standard topic."
  }
}

variable "log_level" {
  description = "Lowest log level that is kept."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARN or ERROR."
  }
}

variable "log_retention_days" {
  description = "Retention of the function's logs in days."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs supports, such as 14, 90 or 365."
  }
}

variable "metrics_by_service" {
  description = "Whether verdicts are counted by service as well, which makes metrics for each service."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.metrics_by_service)
    error_message = "metrics_by_service must be true or false."
  }
}

variable "tracing" {
  description = "X-Ray: Active traces calls of the functions and the API, PassThrough only passes the trace of a caller on."
  type        = string
  default     = "PassThrough"
  nullable    = false

  validation {
    condition     = contains(["PassThrough", "Active"], var.tracing)
    error_message = "tracing must be PassThrough or Active."
  }
}

variable "kms_key_arn" {
  description = "Optional ARN of a KMS key for log groups, table, queues and variables of the functions. If empty, AWS encrypts them with keys of its own."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[a-zA-Z0-9-]+)?$", var.kms_key_arn))
    error_message = "kms_key_arn must be empty or the ARN of a key."
  }
}
