"""The HTTP API behind API Gateway, and its page in ``ui``."""
