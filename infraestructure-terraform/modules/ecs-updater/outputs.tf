output "ledger" {
  description = "Outputs of the module ecs-updater-ledger."
  value       = module.ledger
}

output "lambda" {
  description = "Outputs of the module ecs-updater-lambda."
  value       = module.lambda
}

output "api" {
  description = "Outputs of the module ecs-updater-api; null without an API."
  value       = one(module.api)
}

output "waf" {
  description = "Outputs of the module ecs-updater-waf; null without it."
  value       = one(module.waf)
}

output "notify" {
  description = "Outputs of the module ecs-updater-notify; null without it."
  value       = one(module.notify)
}

output "fleet" {
  description = "Outputs of the module ecs-updater-fleet; null without a queue."
  value       = one(module.fleet)
}

output "push" {
  description = "Outputs of the module ecs-updater-push; null without it."
  value       = one(module.push)
}

output "codepipeline" {
  description = "Outputs of the module ecs-updater-codepipeline; null without it."
  value       = one(module.codepipeline)
}

output "operations" {
  description = "Outputs of the module ecs-updater-operations; null without it."
  value       = one(module.operations)
}
