variable "name" {
  description = "Name of the load balancer, and prefix of the names that belong to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,28}$", var.name))
    error_message = "name must be 1 to 29 letters, digits and hyphens, a letter first."
  }
}

variable "vpc_id" {
  description = "Id of the VPC of the tasks."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC."
  }
}

variable "vpc_cidr" {
  description = "IPv4 network of the VPC, from which the load balancer takes requests."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(\\d{1,3}\\.){3}\\d{1,3}/\\d{1,2}$", var.vpc_cidr))
    error_message = "vpc_cidr must be an IPv4 network, such as 10.42.0.0/20."
  }
}

variable "subnet_ids" {
  description = "Ids of at least two subnets in different Availability Zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "subnet_ids must be ids of subnets."
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
