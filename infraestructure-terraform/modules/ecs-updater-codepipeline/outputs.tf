output "codepipeline_function_name" {
  description = "Name of the function for actions of pipelines."
  value       = aws_lambda_function.this.function_name
}
