variable "updater" {
  description = "Output updater of the module ecs-updater-lambda: what the API's functions share with the function. It needs a ledger."
  type = object({
    function_name        = string
    lambda_package       = string
    runtime              = string
    architecture         = string
    cluster_name         = string
    role_arn             = string
    log_group_name       = string
    permissions_boundary = string
    ledger_table_name    = string
    log_level            = string
    tracing              = string
    kms_key_arn          = string
    log_retention_days   = number
    endpoint_url         = string
    environment          = map(string)
  })
  nullable = false

  validation {
    condition     = var.updater.ledger_table_name != ""
    error_message = "updater must be of a function with a ledger."
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

variable "update_reserved_concurrency" {
  description = "Reserved concurrency of the update function. -1 reserves none, 0 stops the function."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.update_reserved_concurrency >= -1 && var.update_reserved_concurrency <= 1000 && var.update_reserved_concurrency == floor(var.update_reserved_concurrency)
    error_message = "update_reserved_concurrency must be -1, for no reservation, or 0 to 1000."
  }
}

variable "status_reserved_concurrency" {
  description = "Reserved concurrency of the status function. -1 reserves none, 0 stops the function."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.status_reserved_concurrency >= -1 && var.status_reserved_concurrency <= 1000 && var.status_reserved_concurrency == floor(var.status_reserved_concurrency)
    error_message = "status_reserved_concurrency must be -1, for no reservation, or 0 to 1000."
  }
}

variable "target_read_role_arns" {
  description = "Optional ARNs or patterns of the targets' read roles."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.target_read_role_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@/*-]+$", arn))])
    error_message = "target_read_role_arns must be ARNs of roles."
  }
}

variable "api_auth" {
  description = "Authentication of all routes but the help: key (API key), iam (API key and IAM signature) or jwt (bearer token)."
  type        = string
  default     = "key"
  nullable    = false

  validation {
    condition     = contains(["key", "iam", "jwt"], var.api_auth)
    error_message = "api_auth must be key, iam or jwt."
  }
}

variable "jwt_issuer" {
  description = "Optional issuer (iss) of the bearer tokens, such as https://token.actions.githubusercontent.com. Required with jwt."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[!-~]{0,1000}$", var.jwt_issuer))
    error_message = "jwt_issuer must be empty or up to 1000 characters of ASCII without spaces."
  }
}

variable "jwt_audience" {
  description = "Optional audience (aud) that the bearer tokens must have. Required with jwt."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[!-~]{0,1000}$", var.jwt_audience))
    error_message = "jwt_audience must be empty or up to 1000 characters of ASCII without spaces."
  }
}

variable "jwks_url" {
  description = "Optional address of the issuer's public keys, a JSON Web Key Set. If empty, OpenID Connect discovery of the issuer finds it."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(https://[!-~]{1,1000}|http://127[.]0[.]0[.]1(:[0-9]{1,5})?/[!-~]*)?$", var.jwks_url))
    error_message = "jwks_url must be empty or an address that begins with https://."
  }
}

variable "authorizer_package" {
  description = "Optional path of the authoriser's bundle, absolute or from the root module's directory. Required with jwt."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.authorizer_package == trimspace(var.authorizer_package)
    error_message = "authorizer_package must be empty or the path of the bundle, without spaces around it."
  }
}

variable "source_cidrs" {
  description = "Optional networks in CIDR notation that may call the API. If empty, every address may."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.source_cidrs : can(regex("^[0-9a-fA-F.:]+/\\d{1,3}$", cidr))])
    error_message = "source_cidrs must be networks such as 192.0.2.0/24."
  }
}

variable "caller_principal_arns" {
  description = "Optional ARNs of users, roles and accounts that may call the API with api_auth=iam. Those of other accounts need it beside their own policy."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.caller_principal_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(root|(role|user)/[\\w+=,.@/-]+)$", arn))])
    error_message = "caller_principal_arns must be ARNs of users, roles and accounts."
  }
}

variable "scopes_parameter_name" {
  description = "Optional name of the SSM parameter with the scopes: what each caller may do, such as /ecs-updater/scopes. Without it every caller may do everything."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((/[a-zA-Z0-9_.-]+)+)?$", var.scopes_parameter_name))
    error_message = "scopes_parameter_name must be empty or a name that begins with /."
  }
}

variable "approvals" {
  description = "Whether callers may approve and reject deployments that wait at a PAUSE hook: off or on."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "on"], var.approvals)
    error_message = "approvals must be off or on."
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

variable "environment" {
  description = "Optional name of the environment, which the page shows."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{0,256}$", var.environment))
    error_message = "environment must be empty or up to 256 letters, digits, spaces and _ . : / = + - @."
  }
}

variable "tag_filters" {
  description = "Optional tag keys by which GET /list can filter."
  type        = list(string)
  default     = ["environment", "owner", "contact"]
  nullable    = false

  validation {
    condition     = alltrue([for key in var.tag_filters : can(regex("^[\\w .:/=+@-]{1,128}$", key)) && !contains(["launch_type", "target", "limit", "next", "images"], key)])
    error_message = "tag_filters must be tag keys, other than parameters of the list such as limit."
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
