"""Where the command line runs a batch: the SQS queue, or this process."""
