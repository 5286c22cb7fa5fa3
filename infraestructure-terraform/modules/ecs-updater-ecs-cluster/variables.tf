variable "name" {
  description = "Name of what belongs to the cluster; the names of its role and log group hold it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,38}$", var.name))
    error_message = "name must be 1 to 39 letters, digits and hyphens, a letter first."
  }
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  default     = "ECSCluster"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,255}$", var.cluster_name))
    error_message = "cluster_name must be 1 to 255 letters, digits, underscores and hyphens."
  }
}

variable "container_insights" {
  description = "Whether CloudWatch collects metrics of the containers, which costs per metric."
  type        = string
  default     = "disabled"
  nullable    = false

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights must be disabled, enabled or enhanced."
  }
}

variable "log_retention_days" {
  description = "Days that the logs of the tasks are kept."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs offers, such as 14, 90 or 365."
  }
}

variable "permissions_boundary" {
  description = "Optional ARN of a managed policy that bounds every role of this module."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:iam::(\\d{12}|aws):policy/.+)?$", var.permissions_boundary))
    error_message = "permissions_boundary must be empty or the ARN of a managed policy."
  }
}

variable "environment" {
  description = "Value of the tag environment, on every resource."
  type        = string
  default     = "development"
  nullable    = false

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.environment))
    error_message = "environment must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "owner" {
  description = "Value of the tag owner, on every resource: who is responsible."
  type        = string
  default     = "platform"
  nullable    = false

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.owner))
    error_message = "owner must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "contact" {
  description = "Value of the tag contact, on every resource: whom to ask."
  type        = string
  default     = "platform@example.com"
  nullable    = false

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.contact))
    error_message = "contact must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}
