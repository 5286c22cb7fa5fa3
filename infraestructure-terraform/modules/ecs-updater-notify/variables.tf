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

variable "event_bus_name" {
  description = "Name of the event bus to which ledger and function send verdicts."
  type        = string
  default     = "default"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,256}$", var.event_bus_name))
    error_message = "event_bus_name must be the name of an event bus: letters, digits, underscores, hyphens and dots."
  }
}

variable "notify_verdicts" {
  description = "Verdicts that are posted. The default has every failure except a replacement by a later deployment."
  type        = list(string)
  default     = ["FAILED", "ROLLED_BACK", "ROLLBACK_FAILED", "STOPPED", "TIMED_OUT", "NOT_DEPLOYED", "INTERRUPTED"]
  nullable    = false

  validation {
    condition     = alltrue([for verdict in var.notify_verdicts : can(regex("^(NO_CHANGE|SUCCEEDED|FAILED|ROLLED_BACK|ROLLBACK_FAILED|STOPPED|SUPERSEDED|TIMED_OUT|NOT_DEPLOYED|INTERRUPTED|NOT_STARTED)$", verdict))])
    error_message = "notify_verdicts must be verdicts: NO_CHANGE, SUCCEEDED, FAILED, ROLLED_BACK, ROLLBACK_FAILED, STOPPED, SUPERSEDED, TIMED_OUT, NOT_DEPLOYED, INTERRUPTED or NOT_STARTED."
  }
}

variable "notify_cluster_name" {
  description = "Name of the cluster whose verdicts are posted, or a pattern such as team-*. The pattern * means every cluster."
  type        = string
  default     = "*"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_*-]{1,255}$", var.notify_cluster_name))
    error_message = "notify_cluster_name must be a name of letters, digits, underscores and hyphens, or a pattern with *."
  }
}

variable "slack_webhook" {
  description = "Whether verdicts are posted to Slack, to the address slack_webhook_url of the secret: true or false."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.slack_webhook)
    error_message = "slack_webhook must be true or false."
  }
}

variable "teams_webhook" {
  description = "Whether verdicts are posted to Microsoft Teams, to the address teams_webhook_url of the secret: true or false."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.teams_webhook)
    error_message = "teams_webhook must be true or false."
  }
}

variable "webhook_secret_arn" {
  description = "ARN of the secret of AWS Secrets Manager with the addresses of the webhooks."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[\\w/+=.@-]{1,512}$", var.webhook_secret_arn))
    error_message = "webhook_secret_arn must be the ARN of a secret."
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
