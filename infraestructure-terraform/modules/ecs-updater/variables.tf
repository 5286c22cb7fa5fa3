variable "cluster_name" {
  description = "Name of the cluster whose services may be updated, or a pattern such as team-*. The pattern * means every cluster of the region."
  type        = string
  nullable    = false
}

variable "task_definition_family" {
  description = "Task definition family, or a pattern such as team-*, in which revisions may be registered. Default: every family."
  type        = string
  default     = null
}

variable "passable_role_arns" {
  description = "ARNs or patterns of the services' task and execution roles. Without them only services without these roles can be updated."
  type        = list(string)
  default     = null
}

variable "allowed_images" {
  description = "Patterns of allowed images, such as registry.example.com/team/*. If empty, every image is allowed."
  type        = list(string)
  default     = null
}

variable "allowed_services" {
  description = "Patterns of allowed services as cluster/service. If empty, every service of the cluster is allowed."
  type        = list(string)
  default     = null
}

variable "allowed_fields" {
  description = "Fields beside image and tags that events may have, such as ecs_environment; * means every one. If empty, none is allowed. The functions get the permissions that run_before and ecs_desired_count need."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "allowed_secrets" {
  description = "Patterns of ARNs that ecs_secrets may name, such as *:parameter/shop/*. If empty, none is allowed."
  type        = list(string)
  default     = null
}

variable "task_log_group_name" {
  description = "Log group of the tasks, or a pattern such as /ecs/*, from which the last lines of a failed one-off task are read."
  type        = string
  default     = null
}

variable "express_services" {
  description = "Permissions for Express services, whose roles passable_role_arns must have, the infrastructure role included."
  type        = bool
  default     = null
}

variable "ecr_repository_names" {
  description = "Names or patterns of the Amazon ECR repositories that the function may read for verify_image and pin_digest. Default: every one."
  type        = list(string)
  default     = null
}

variable "targets_parameter_name" {
  description = "Name of the SSM parameter with the targets: other accounts and regions, such as /ecs-updater/targets. Without it there are none."
  type        = string
  default     = null
}

variable "target_role_arns" {
  description = "ARNs or patterns of the targets' update roles: outputs of the module ecs-updater-target."
  type        = list(string)
  default     = null
}

variable "target_read_role_arns" {
  description = "ARNs or patterns of the targets' read roles, for the list of the API."
  type        = list(string)
  default     = null
}

variable "api" {
  description = "Settings of the HTTP API, {} for the defaults: the inputs of the module ecs-updater-api. Without it there is no API."
  type = object({
    api_auth                    = optional(string)
    jwt_issuer                  = optional(string)
    jwt_audience                = optional(string)
    jwks_url                    = optional(string)
    source_cidrs                = optional(list(string))
    caller_principal_arns       = optional(list(string))
    scopes_parameter_name       = optional(string)
    approvals                   = optional(string)
    account_log_role            = optional(string)
    stage_name                  = optional(string)
    environment                 = optional(string)
    tag_filters                 = optional(list(string))
    throttle_rate               = optional(number)
    throttle_burst              = optional(number)
    key_rate                    = optional(number)
    key_burst                   = optional(number)
    daily_quota                 = optional(number)
    update_memory_size          = optional(number)
    status_memory_size          = optional(number)
    update_reserved_concurrency = optional(number)
    status_reserved_concurrency = optional(number)
  })
  default = null
}

variable "web_acl_arn" {
  description = "ARN of a regional web ACL of AWS WAF that inspects the requests to the API. Without it there is none."
  type        = string
  default     = null
}

variable "fleet" {
  description = "Settings of the queue for many services, {} for the defaults: the inputs of the module ecs-updater-fleet. Without it there is no queue."
  type = object({
    queue_retention_days = optional(number)
    maximum_concurrency  = optional(number)
    sender_dry_runs      = optional(bool)
    ecs_rates            = optional(list(string))
  })
  default = null
}

variable "push" {
  description = "Settings of the function that deploys images pushed to Amazon ECR, {} for the defaults: inputs of the module ecs-updater-push. It needs the queue. Without it a push deploys nothing."
  type = object({
    dry_run = optional(bool)
  })
  default = null
}

variable "codepipeline" {
  description = "Create the function for actions of AWS CodePipeline."
  type        = bool
  default     = false
  nullable    = false
}

variable "operations" {
  description = "Settings of alarms and dashboard, {} for the defaults: inputs of the module ecs-updater-operations. Without it there are none."
  type = object({
    alarm_topic_arn      = optional(string)
    error_threshold      = optional(number)
    throttle_threshold   = optional(number)
    latency_milliseconds = optional(number)
    message_age_seconds  = optional(number)
    run_period_seconds   = optional(number)
  })
  default = null
}

variable "settings" {
  description = "Further settings: the inputs of the modules ecs-updater-lambda and ecs-updater-ledger."
  type = object({
    memory_size                     = optional(number)
    timeout                         = optional(number)
    event_cluster_name              = optional(string)
    event_service_name              = optional(string)
    event_container_name            = optional(string)
    event_image                     = optional(string)
    expected_task_definition_family = optional(string)
    unknown_fields                  = optional(string)
    task_failures                   = optional(number)
    open_update_max_hours           = optional(number)
    poll_minutes                    = optional(number)
    circuit_breaker                 = optional(string)
    deployment_alarms               = optional(list(string))
    verify_image                    = optional(string)
    pin_digest                      = optional(string)
    private_registries              = optional(list(string))
    ledger_retention_days           = optional(number)
    log_level                       = optional(string)
    log_retention_days              = optional(number)
  })
  default  = {}
  nullable = false
}

variable "function_name" {
  description = "Name of the function, and beginning of the names of the ledger, the API and the queue. Default: ecs-updater."
  type        = string
  default     = null
}

variable "lambda_package" {
  description = "Path of the function's bundle. Default: build/ecs-updater-package.zip of this project, which make build-lambda-package builds."
  type        = string
  default     = null
}

variable "authorizer_package" {
  description = "Path of the bundle of the API's authoriser, for api_auth jwt. Default: build/ecs-updater-authorizer-package.zip of this project, which make build-lambda-package API_AUTH=jwt builds."
  type        = string
  default     = null
}

variable "schemas_directory" {
  description = "Directory of the schemas of the function's events. Default: the one of this project."
  type        = string
  default     = null
}

variable "runtime" {
  description = "Runtime of the functions. Build the bundle for the same runtime. Default: python3.13."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Processor architecture of the functions, x86_64 (default) or arm64. Build the bundle for the same architecture."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "Reserved concurrency of the direct function; -1 reserves none. Default: 1."
  type        = number
  default     = null
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary for every role."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "ARN of a KMS key for log groups, table, queues and variables of the functions. Default: AWS encrypts them with keys of its own."
  type        = string
  default     = null
}

variable "event_bus_name" {
  description = "Name of the event bus that gets an event for each verdict; empty sends none. Default: default."
  type        = string
  default     = null
}

variable "notify_topic_arn" {
  description = "ARN of an SNS topic that gets a message for each verdict."
  type        = string
  default     = null
}

variable "notify" {
  description = "Settings of the posts to Slack and Microsoft Teams: the inputs of the module ecs-updater-notify. Without it nothing is posted."
  type = object({
    webhook_secret_arn  = string
    slack_webhook       = optional(bool)
    teams_webhook       = optional(bool)
    notify_verdicts     = optional(list(string))
    notify_cluster_name = optional(string)
  })
  default = null
}

variable "metrics_by_service" {
  description = "Whether verdicts are counted by service as well, which makes metrics for each service. Default: false."
  type        = bool
  default     = null
}

variable "tracing" {
  description = "X-Ray: Active traces calls of the functions and the API, PassThrough only passes the trace of a caller on. Default: PassThrough."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Deletion protection of the ledger's table. Default: true."
  type        = bool
  default     = null
}

variable "endpoint_url" {
  description = "Endpoint of an AWS emulator, for local runs only."
  type        = string
  default     = null
}
