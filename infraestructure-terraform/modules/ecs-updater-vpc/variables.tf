variable "name" {
  description = "Name of the network; every name in it begins with this one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,38}$", var.name))
    error_message = "name must be 1 to 39 letters, digits and hyphens, a letter first."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC, a /16 to /23 network; the first two /24 networks of it are the subnets."
  type        = string
  default     = "10.42.0.0/20"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9.]+/(1[6-9]|2[0-3])$", var.vpc_cidr)) && try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)
    error_message = "vpc_cidr must be an IPv4 network from /16 to /23, such as 10.42.0.0/20."
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
  default     = "not-set"
  nullable    = false

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,256}$", var.contact))
    error_message = "contact must be 1 to 256 letters, digits, spaces and _ . : / = + - @."
  }
}
