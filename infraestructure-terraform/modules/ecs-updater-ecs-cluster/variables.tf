variable "name" {
  description = "Prefix of the names of the cluster's role and log group."
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
  description = "Container Insights of the cluster: disabled, enabled or enhanced. CloudWatch charges per metric."
  type        = string
  default     = "disabled"
  nullable    = false

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights must be disabled, enabled or enhanced."
  }
}

variable "launch_type" {
  description = "Launch type: FARGATE needs no instances, EC2 creates an Auto Scaling group of ECS-optimised instances."
  type        = string
  default     = "FARGATE"
  nullable    = false

  validation {
    condition     = contains(["FARGATE", "EC2"], var.launch_type)
    error_message = "launch_type must be FARGATE or EC2."
  }
}

variable "instance_type" {
  description = "Instance type. A rollout of one task needs three network interfaces; t3.small is the smallest type that has them."
  type        = string
  default     = "t3.small"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type must be an instance type, such as t3.small."
  }
}

variable "instance_count" {
  description = "Number of instances."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.instance_count >= 1 && var.instance_count <= 10 && var.instance_count == floor(var.instance_count)
    error_message = "instance_count must be 1 to 10."
  }
}

variable "instance_image" {
  description = "AMI of the instances, or the SSM parameter that EC2 resolves at each launch. An arm64 instance_type needs an arm64 AMI."
  type        = string
  default     = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
  nullable    = false

  validation {
    condition     = can(regex("^(ami-[0-9a-f]{8,17}|resolve:ssm:[a-zA-Z0-9_./:-]+)$", var.instance_image))
    error_message = "instance_image must be the id of an AMI, or resolve:ssm: and the name of a parameter."
  }
}

variable "subnet_ids" {
  description = "Optional public subnets of the instances; required with launch_type EC2."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "subnet_ids must be ids of subnets."
  }
}

variable "task_security_group_id" {
  description = "Optional security group of tasks and instances; required with launch_type EC2."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(sg-[0-9a-f]{8,17})?$", var.task_security_group_id))
    error_message = "task_security_group_id must be empty or the id of a security group."
  }
}

variable "key_pair_name" {
  description = "Optional key pair for SSH through Session Manager. The security group allows no inbound traffic."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([!-~]([ -~]{0,253}[!-~])?)?$", var.key_pair_name))
    error_message = "key_pair_name must be empty or the name of a key pair."
  }
}

variable "log_retention_days" {
  description = "Retention of the tasks' logs in days."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs supports, such as 14, 90 or 365."
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
