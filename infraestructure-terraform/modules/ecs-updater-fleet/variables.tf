variable "lambda_package" {
  description = "Path of the function's bundle, absolute or from the root module's directory; make build-lambda-package makes it."
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
  description = "Runtime of the function; the bundle must be built for the same one. Version 5.100 of the provider does not know python3.14 yet."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.11, python3.12, python3.13 or python3.14."
  }
}

variable "architecture" {
  description = "Processor architecture of the function; the bundle must be built for the same one."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "updater_role_arn" {
  description = "ARN of the role of the updater, with which the worker runs too."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@-]+$", var.updater_role_arn))
    error_message = "updater_role_arn must be the ARN of a role without a path."
  }
}

variable "updater_cluster_name" {
  description = "Cluster, or pattern of clusters, whose services the role of the updater may change: an output of the function."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{1,255}$", var.updater_cluster_name))
    error_message = "updater_cluster_name must be a name of letters, digits, underscores and hyphens, or a pattern with *."
  }
}

variable "updater_log_group_name" {
  description = "Log group of the updater, to which the worker writes too: the role allows no other."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_/.#-]{1,512}$", var.updater_log_group_name))
    error_message = "updater_log_group_name must be the name of a log group."
  }
}

variable "allowed_images" {
  description = "Optional patterns of the images that may be deployed, such as registry.example.com/team/*; without one, every image."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.allowed_images : can(regex("^[a-zA-Z0-9._/:@*?!\\[\\]-]+$", pattern))])
    error_message = "allowed_images must be patterns of images: letters, digits and . _ - / : @, with * ? [ ] as in a shell."
  }
}

variable "allowed_services" {
  description = "Optional patterns of the services that may be updated, as cluster/service; without one, every service of the cluster."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.allowed_services : can(regex("^[a-zA-Z0-9_/*?!\\[\\]-]+$", pattern))])
    error_message = "allowed_services must be patterns such as team-*/web: letters, digits and _ - /, with * ? [ ] as in a shell."
  }
}

variable "queue_retention_days" {
  description = "Days that a message waits in the queue for its turn before it is forgotten."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.queue_retention_days >= 1 && var.queue_retention_days <= 14 && var.queue_retention_days == floor(var.queue_retention_days)
    error_message = "queue_retention_days must be 1 to 14 days."
  }
}

variable "maximum_concurrency" {
  description = "Workers that may run at the same time; with more, the wait of each for its turn in the rates of ECS outlasts its time-out."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 20 && var.maximum_concurrency == floor(var.maximum_concurrency)
    error_message = "maximum_concurrency must be 2 to 20."
  }
}

variable "alarm_topic_arn" {
  description = "Optional ARN of an SNS topic that gets a message when a dead-letter queue gets its first one, and when it is empty again."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\\d{12}:[\\w-]{1,256})?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be empty or the ARN of a topic."
  }
}

variable "ecs_rates" {
  description = "Optional rates at which ECS may be called in this account and region, where they are not the usual ones: a burst and calls per second, as in RegisterTaskDefinition=20/1."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for rate in var.ecs_rates : can(regex("^(RegisterTaskDefinition|DescribeTaskDefinition|UpdateService|TagResource|DescribeServices|ListClusters)=[1-9]\\d{0,4}/(0\\.\\d{0,2}[1-9]|[1-9]\\d{0,3}(\\.\\d{1,3})?)$", rate))])
    error_message = "ecs_rates must be rates such as RegisterTaskDefinition=20/1."
  }
}

variable "expected_task_definition_family" {
  description = "Optional task-definition family that a service must run to be updated."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^\\S*$", var.expected_task_definition_family))
    error_message = "expected_task_definition_family must be empty or a family without spaces."
  }
}

variable "unknown_fields" {
  description = "Whether task-definition fields that are newer than the function are kept (keep) or omitted (drop)."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "drop"], var.unknown_fields)
    error_message = "unknown_fields must be keep or drop."
  }
}

variable "task_failures" {
  description = "Identical task failures before a rollout counts as failed, where no circuit breaker decides."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.task_failures >= 1 && var.task_failures <= 50 && var.task_failures == floor(var.task_failures)
    error_message = "task_failures must be 1 to 50."
  }
}

variable "open_update_max_hours" {
  description = "Hours after which an update that ECS neither completes nor fails ends as timed out; they count from the last change that ECS shows."
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.open_update_max_hours >= 1 && var.open_update_max_hours <= 720 && var.open_update_max_hours == floor(var.open_update_max_hours)
    error_message = "open_update_max_hours must be 1 to 720 hours."
  }
}

variable "circuit_breaker" {
  description = "Whether a service without the deployment circuit breaker of ECS stays without (keep) or gets it, with rollback, in its next deployment (enable)."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "enable"], var.circuit_breaker)
    error_message = "circuit_breaker must be keep or enable."
  }
}

variable "endpoint_url" {
  description = "Optional address of an AWS emulator, for local runs; never set on AWS."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(https?://[\\w.-]+(:\\d+)?)?$", var.endpoint_url))
    error_message = "endpoint_url must be empty or an address such as http://127.0.0.1:4566."
  }
}

variable "verify_image" {
  description = "Whether the registry is asked before any write if the image is there and suits the processor of the task: off, warn, or require an answer."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "warn", "require"], var.verify_image)
    error_message = "verify_image must be off, warn or require."
  }
}

variable "pin_digest" {
  description = "Whether an image is deployed by its digest: off, tag for repository:tag@digest, digest for repository@digest."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "tag", "digest"], var.pin_digest)
    error_message = "pin_digest must be off, tag or digest."
  }
}

variable "private_registries" {
  description = "Optional hosts of registries that may have a private address; with a port as host:port."
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
  description = "Optional cluster, or pattern of clusters, whose updates the reconciler of the ledger finishes: an output of the ledger. Events are rejected unless it covers the cluster of the function."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{0,255}$", var.ledger_cluster_name))
    error_message = "ledger_cluster_name must be empty, a name of letters, digits, underscores and hyphens, or a pattern with *."
  }
}

variable "ledger_retention_days" {
  description = "Days that an update stays in the ledger after its end."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.ledger_retention_days >= 1 && var.ledger_retention_days <= 3650 && var.ledger_retention_days == floor(var.ledger_retention_days)
    error_message = "ledger_retention_days must be 1 to 3650 days."
  }
}

variable "log_level" {
  description = "Least severe log lines that are kept."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARN or ERROR."
  }
}
