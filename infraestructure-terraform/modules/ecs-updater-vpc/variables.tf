variable "name" {
  description = "Name of the VPC and prefix of the names in it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,38}$", var.name))
    error_message = "name must be 1 to 39 letters, digits and hyphens, a letter first."
  }
}

variable "vpc_cidr" {
  description = "IPv4 network of the VPC, /16 to /23. Its first two /24 networks become the subnets."
  type        = string
  default     = "10.42.0.0/20"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9.]+/(1[6-9]|2[0-3])$", var.vpc_cidr)) && try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)
    error_message = "vpc_cidr must be an IPv4 network from /16 to /23, such as 10.42.0.0/20."
  }
}
