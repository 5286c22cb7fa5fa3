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

variable "updater_role_arn" {
  description = "ARN of the updater's role, which the worker also uses."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@-]+$", var.updater_role_arn))
    error_message = "updater_role_arn must be the ARN of a role without a path."
  }
}

variable "updater_cluster_name" {
  description = "Cluster or pattern of the updater's role, an output of the function's stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{1,255}$", var.updater_cluster_name))
    error_message = "updater_cluster_name must be a name of letters, digits, underscores and hyphens, or a pattern with *."
  }
}

variable "updater_log_group_name" {
  description = "Log group of the updater, which the worker also uses: its role allows only this one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_/.#-]{1,512}$", var.updater_log_group_name))
    error_message = "updater_log_group_name must be the name of a log group."
  }
}

variable "allowed_images" {
  description = "Optional patterns of allowed images, such as registry.example.com/team/*. If empty, every image is allowed."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.allowed_images : can(regex("^[a-zA-Z0-9._/:@*?!\\[\\]-]+$", pattern))])
    error_message = "allowed_images must be patterns of images: letters, digits and . _ - / : @, with * ? [ ] as in a shell."
  }
}

variable "allowed_services" {
  description = "Optional patterns of allowed services as cluster/service. If empty, every service of the cluster is allowed."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.allowed_services : can(regex("^[a-zA-Z0-9_/*?!\\[\\]-]+$", pattern))])
    error_message = "allowed_services must be patterns such as team-*/web: letters, digits and _ - /, with * ? [ ] as in a shell."
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

variable "alarm_topic_arn" {
  description = "Optional ARN of an SNS topic for the alarm of the dead-letter queue: messages arrived, queue empty again."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\\d{12}:[\\w-]{1,256})?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be empty or the ARN of a topic."
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

variable "expected_task_definition_family" {
  description = "Optional task definition family. Services of other families are rejected."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^\\S*$", var.expected_task_definition_family))
    error_message = "expected_task_definition_family must be empty or a family without spaces."
  }
}

variable "unknown_fields" {
  description = "Task definition fields that the function's SDK does not know: keep or drop."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "drop"], var.unknown_fields)
    error_message = "unknown_fields must be keep or drop."
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

variable "circuit_breaker" {
  description = "Services without deployment circuit breaker: keep leaves them, enable adds it, with rollback, in the next deployment."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "enable"], var.circuit_breaker)
    error_message = "circuit_breaker must be keep or enable."
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

variable "verify_image" {
  description = "Check before any write that the registry has the image for the task's processor architecture: off, warn or require."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "warn", "require"], var.verify_image)
    error_message = "verify_image must be off, warn or require."
  }
}

variable "pin_digest" {
  description = "Deploy the image by digest: off, tag (repository:tag@digest) or digest (repository@digest)."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "tag", "digest"], var.pin_digest)
    error_message = "pin_digest must be off, tag or digest."
  }
}

variable "private_registries" {
  description = "Optional registry hosts that may have a private address, as host or host:port."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for registry in var.private_registries : can(regex("^([a-zA-Z0-9.-]+|\\[[0-9a-fA-F:]+\\])(:[0-9]{1,5})?$", registry))])
    error_message = "private_registries must be hosts, each with or without a port."
  }
}

variable "ledger_table_name" {
  description = "Name of the table of the ledger."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.ledger_table_name))
    error_message = "ledger_table_name must be 3 to 255 letters, digits, underscores, hyphens and dots."
  }
}

variable "ledger_cluster_name" {
  description = "Optional cluster or pattern of the reconciler, an output of the ledger stack. Events are rejected if it does not cover the function's cluster."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{0,255}$", var.ledger_cluster_name))
    error_message = "ledger_cluster_name must be empty, a name of letters, digits, underscores and hyphens, or a pattern with *."
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
