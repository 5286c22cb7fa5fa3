variable "updater" {
  description = "Output updater of the module ecs-updater-lambda: what the function for actions shares with the function. It needs a ledger."
  type = object({
    function_name     = string
    lambda_package    = string
    runtime           = string
    architecture      = string
    role_arn          = string
    log_group_name    = string
    ledger_table_name = string
    log_level         = string
    tracing           = string
    kms_key_arn       = string
    environment       = map(string)
  })
  nullable = false

  validation {
    condition     = var.updater.ledger_table_name != ""
    error_message = "updater must be of a function with a ledger."
  }
}
