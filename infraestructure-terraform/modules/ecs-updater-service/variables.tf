variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false
}

variable "services" {
  description = "Services by name, which is also the task definition family. target_group_arn attaches a container's port to a load balancer."
  type = map(object({
    cpu           = optional(number, 256)
    memory        = optional(number, 512)
    desired_count = optional(number, 1)
    task_role_arn = optional(string)
    tags          = optional(map(string), {})
    containers = map(object({
      image            = string
      command          = optional(list(string), [])
      port             = optional(number)
      target_group_arn = optional(string)
      cpu              = optional(number)
      memory           = optional(number)
      environment      = optional(map(string), {})
      secrets          = optional(map(string), {})
      essential        = optional(bool, true)
    }))
  }))
  nullable = false

  validation {
    condition     = alltrue([for name, service in var.services : can(regex("^[a-zA-Z0-9_-]{1,255}$", name)) && length(service.containers) > 0])
    error_message = "services must have names of 1 to 255 letters, digits, underscores and hyphens, and at least one container each."
  }
}

variable "subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
  nullable    = false
}

variable "security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
  nullable    = false
}

variable "assign_public_ip" {
  description = "Public address for each task. Tasks in a public subnet without a NAT gateway need it to pull images."
  type        = bool
  default     = false
  nullable    = false
}

variable "execution_role_arn" {
  description = "ARN of the task execution role, which pulls images, reads secrets and writes logs."
  type        = string
  nullable    = false
}

variable "log_group_name" {
  description = "Log group of the containers."
  type        = string
  nullable    = false
}
