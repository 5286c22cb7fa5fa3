# The function for actions of AWS CodePipeline, which uses the updater's role and log group.

# Starts an update as an action of a pipeline. The reconciler finishes it.
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:pipelines invoke it once per action; reserved concurrency is taken from other functions
  #checkov:skip=CKV_AWS_116:an event that is not processed fails its action in the pipeline
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints; in a VPC it would need a NAT gateway or endpoints
  #checkov:skip=CKV_AWS_173:kms_key_arn sets a key; no variable holds a secret, and Lambda encrypts them
  #checkov:skip=CKV_AWS_272:the bundle is built from a lock with hashes; a signing profile belongs to an organisation
  function_name = "${var.updater.function_name}-codepipeline"
  description   = "Updates ECS services as an action of AWS CodePipeline"
  handler       = "ecs_updater.handlers.codepipeline.lambda_handler"
  filename      = var.updater.lambda_package # The same bundle as the function's.
  # A changed bundle is deployed. Without a bundle only destroy works: see the precondition.
  source_code_hash               = try(filebase64sha256(var.updater.lambda_package), null)
  runtime                        = var.updater.runtime
  architectures                  = [var.updater.architecture]
  memory_size                    = 256
  timeout                        = 240
  reserved_concurrent_executions = -1
  role                           = var.updater.role_arn

  logging_config {
    log_group             = var.updater.log_group_name
    log_format            = "JSON"
    application_log_level = var.updater.log_level == "DEBUG" ? "DEBUG" : "INFO" # Metrics are lines of the level INFO.
  }

  kms_key_arn = var.updater.kms_key_arn == "" ? null : var.updater.kms_key_arn

  tracing_config {
    mode = var.updater.tracing
  }

  environment {
    variables = merge(var.updater.environment, {
      POWERTOOLS_SERVICE_NAME = "${var.updater.function_name}-codepipeline"
    })
  }

  lifecycle {
    precondition {
      condition     = fileexists(var.updater.lambda_package)
      error_message = "There is no bundle ${var.updater.lambda_package}: make build-lambda-package."
    }
  }
}

# CodePipeline invokes it asynchronously and waits 20 minutes for the result of a job. A later invocation would start an update whose
# action has failed.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  qualifier                    = "$LATEST"
  maximum_event_age_in_seconds = 1200
  maximum_retry_attempts       = 2
}

# The function's permission beside those of the updater's role. The artifacts are read with the credentials of the job.
resource "aws_iam_role_policy" "this" {
  name = "ecs-updater-codepipeline"
  role = basename(var.updater.role_arn)

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # The actions have no resource type.
      {
        Sid      = "ReportResults"
        Effect   = "Allow"
        Action   = ["codepipeline:PutJobFailureResult", "codepipeline:PutJobSuccessResult"]
        Resource = "*"
      },
    ]
  })
}
