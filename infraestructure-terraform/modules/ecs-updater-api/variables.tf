variable "lambda_package" {
  description = "Path of the function's bundle, absolute or from the root module's directory. make build-lambda-package builds it."
  type        = string
  nullable    = false

  validation {
    condition     = var.lambda_package != ""
    error_message = "lambda_package must be the path of the bundle, a zip file."
  }
}

variable "schemas_directory" {
  description = "Directory of the schemas of the function's events, absolute or from the root module's directory."
  type        = string
  nullable    = false

  validation {
    condition     = var.schemas_directory != ""
    error_message = "schemas_directory must be the path of a directory."
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

variable "update_memory_size" {
  description = "Memory of the update function in MB. Processor time grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.update_memory_size >= 128 && var.update_memory_size <= 10240 && var.update_memory_size == floor(var.update_memory_size)
    error_message = "update_memory_size must be 128 to 10240 MB."
  }
}

variable "status_memory_size" {
  description = "Memory of the status function in MB. Processor time grows with it."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.status_memory_size >= 128 && var.status_memory_size <= 10240 && var.status_memory_size == floor(var.status_memory_size)
    error_message = "status_memory_size must be 128 to 10240 MB."
  }
}

variable "updater_role_arn" {
  description = "ARN of the updater's role, which the API's update function also uses."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@/-]+$", var.updater_role_arn))
    error_message = "updater_role_arn must be the ARN of a role."
  }
}

variable "updater_cluster_name" {
  description = "Optional cluster or pattern of the updater's role, an output of the function's stack. It is compared with the reconciler's."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{0,255}$", var.updater_cluster_name))
    error_message = "updater_cluster_name must be empty, a name of letters, digits, underscores and hyphens, or a pattern with *."
  }
}

variable "updater_log_group_name" {
  description = "Log group of the updater, which the API's update function also uses: its role allows only this one."
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

variable "api_auth" {
  description = "Authentication of all routes but the help: key (API key) or iam (API key and IAM signature)."
  type        = string
  default     = "key"
  nullable    = false

  validation {
    condition     = contains(["key", "iam"], var.api_auth)
    error_message = "api_auth must be key or iam."
  }
}

variable "stage_name" {
  description = "Name of the stage, the first part of every path."
  type        = string
  default     = "v1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name must be 1 to 128 letters, digits, underscores and hyphens."
  }
}

variable "throttle_rate" {
  description = "Requests per second of each route, for all callers together."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.throttle_rate >= 1 && var.throttle_rate <= 10000 && var.throttle_rate == floor(var.throttle_rate)
    error_message = "throttle_rate must be 1 to 10000."
  }
}

variable "throttle_burst" {
  description = "Burst of requests of each route, for all callers together."
  type        = number
  default     = 40
  nullable    = false

  validation {
    condition     = var.throttle_burst >= 1 && var.throttle_burst <= 5000 && var.throttle_burst == floor(var.throttle_burst)
    error_message = "throttle_burst must be 1 to 5000."
  }
}

variable "key_rate" {
  description = "Requests per second of one API key."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.key_rate >= 1 && var.key_rate <= 10000 && var.key_rate == floor(var.key_rate)
    error_message = "key_rate must be 1 to 10000."
  }
}

variable "key_burst" {
  description = "Burst of requests of one API key."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.key_burst >= 1 && var.key_burst <= 5000 && var.key_burst == floor(var.key_burst)
    error_message = "key_burst must be 1 to 5000."
  }
}

variable "daily_quota" {
  description = "Requests of one API key per day (UTC)."
  type        = number
  default     = 20000
  nullable    = false

  validation {
    condition     = var.daily_quota >= 1 && var.daily_quota <= 10000000 && var.daily_quota == floor(var.daily_quota)
    error_message = "daily_quota must be 1 to 10000000."
  }
}

variable "tag_filters" {
  description = "Optional tag keys by which GET /list can filter."
  type        = list(string)
  default     = ["environment", "owner", "contact"]
  nullable    = false

  validation {
    condition     = alltrue([for key in var.tag_filters : can(regex("^[\\w .:/=+@-]{1,128}$", key)) && !contains(["launch_type", "limit", "next", "images"], key)])
    error_message = "tag_filters must be tag keys, other than parameters of the list such as limit."
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

variable "account_log_role" {
  description = "Role with which API Gateway writes logs, one per account and region: keep uses the role in the account's settings, make creates and sets it."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "make"], var.account_log_role)
    error_message = "account_log_role must be keep or make."
  }
}
