"""The worker of the SQS queue: one message per service."""
