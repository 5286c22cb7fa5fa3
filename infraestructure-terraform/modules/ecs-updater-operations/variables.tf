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

variable "alarm_topic_arn" {
  description = "Optional ARN of an SNS topic that every alarm notifies when it begins and when it ends."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\\d{12}:[\\w-]{1,256})?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be empty or the ARN of a topic."
  }
}

variable "api_deployed" {
  description = "Whether the HTTP API is deployed."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.api_deployed)
    error_message = "api_deployed must be true or false."
  }
}

variable "authorizer_deployed" {
  description = "Whether the authoriser of the HTTP API, for bearer tokens, is deployed."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.authorizer_deployed)
    error_message = "authorizer_deployed must be true or false."
  }
}

variable "fleet_deployed" {
  description = "Whether the queue for many services is deployed."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.fleet_deployed)
    error_message = "fleet_deployed must be true or false."
  }
}

variable "push_deployed" {
  description = "Whether the function of the pushes to Amazon ECR is deployed."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.push_deployed)
    error_message = "push_deployed must be true or false."
  }
}

variable "codepipeline_deployed" {
  description = "Whether the function for AWS CodePipeline is deployed."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.codepipeline_deployed)
    error_message = "codepipeline_deployed must be true or false."
  }
}

variable "notify_deployed" {
  description = "Whether the delivery of notifications is deployed."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.notify_deployed)
    error_message = "notify_deployed must be true or false."
  }
}

variable "error_threshold" {
  description = "Errors of a function, or of the API, in one minute that set off no alarm."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.error_threshold >= 0 && var.error_threshold <= 100000 && var.error_threshold == floor(var.error_threshold)
    error_message = "error_threshold must be 0 to 100000."
  }
}

variable "throttle_threshold" {
  description = "Throttled calls of a function in one minute that set off no alarm."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.throttle_threshold >= 0 && var.throttle_threshold <= 100000 && var.throttle_threshold == floor(var.throttle_threshold)
    error_message = "throttle_threshold must be 0 to 100000."
  }
}

variable "latency_milliseconds" {
  description = "Latency of the slowest 1% of the API's requests that sets off no alarm, in milliseconds. The API waits at most 29 seconds."
  type        = number
  default     = 20000
  nullable    = false

  validation {
    condition     = var.latency_milliseconds >= 100 && var.latency_milliseconds <= 29000 && var.latency_milliseconds == floor(var.latency_milliseconds)
    error_message = "latency_milliseconds must be 100 to 29000 milliseconds."
  }
}

variable "message_age_seconds" {
  description = "Age of the oldest message of a queue that sets off no alarm, in seconds. The worker retries a message for 30 minutes."
  type        = number
  default     = 2700
  nullable    = false

  validation {
    condition     = var.message_age_seconds >= 60 && var.message_age_seconds <= 1209600 && var.message_age_seconds == floor(var.message_age_seconds)
    error_message = "message_age_seconds must be 60 to 1209600 seconds."
  }
}

variable "run_period_seconds" {
  description = "Seconds after which a missing run of the reconciler sets off an alarm. Set it to at least three times poll_minutes."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = contains([300, 900, 1800, 3600, 7200, 21600, 43200, 86400], var.run_period_seconds)
    error_message = "run_period_seconds must be 300, 900, 1800, 3600, 7200, 21600, 43200 or 86400 seconds."
  }
}
