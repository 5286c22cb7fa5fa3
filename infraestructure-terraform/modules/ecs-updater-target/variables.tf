variable "home_account" {
  description = "Id of the function's account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^\\d{12}$", var.home_account))
    error_message = "home_account must be the 12 digits of an account."
  }
}

variable "home_region" {
  description = "Region of the function, which the names of its roles contain."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-\\d{1,2}$", var.home_region))
    error_message = "home_region must be a region such as eu-central-1."
  }
}

variable "function_name" {
  description = "Name of the function."
  type        = string
  default     = "ecs-updater"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,35}$", var.function_name))
    error_message = "function_name must be 1 to 35 letters, digits, underscores and hyphens: the name of the update role contains the name and the region."
  }
}

variable "external_id" {
  description = "External id that the function must send, as in the parameter with the targets."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_+=,.@:/-]{2,1000}$", var.external_id))
    error_message = "external_id must be 2 to 1000 letters, digits and _ + = , . @ : / -."
  }
}

variable "update_principal_arns" {
  description = "Optional ARNs or patterns of further users and roles of the function's account that may assume the update role, such as those that update with --direct."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.update_principal_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/[a-zA-Z0-9_+=,.@/*-]+$", arn))])
    error_message = "update_principal_arns must be ARNs of users or roles."
  }
}

variable "read_principal_arns" {
  description = "Optional ARNs or patterns of further users and roles of the function's account that may assume the read role."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.read_principal_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/[a-zA-Z0-9_+=,.@/*-]+$", arn))])
    error_message = "read_principal_arns must be ARNs of users or roles."
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

variable "read_scalable_targets" {
  description = "Permission to compare ecs_desired_count with the bounds of Application Auto Scaling: true or false."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = contains([true, false], var.read_scalable_targets)
    error_message = "read_scalable_targets must be true or false."
  }
}

variable "approvals" {
  description = "Permission to answer the PAUSE hooks of deployments: off or on."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "on"], var.approvals)
    error_message = "approvals must be off or on."
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
