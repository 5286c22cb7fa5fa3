"""Updates the image and tags of Amazon ECS services from JSON events and reports the real outcome.

A package imports only from the packages below it in this list:

- ``handlers``: one entry point per Lambda function
- ``api``, ``worker``: HTTP, and the messages of the SQS queue
- ``deployments``: one update, from request to response; begin with ``deployments.deploy``
- ``registry``: whether an image exists and fits the processor of the task
- ``ledger``: the DynamoDB table with leases and history
- ``rollout``: the verdict on a deployment
- ``aws``: all calls of AWS; the only importer of the SDK
- ``model``: pure data
- ``errors``, ``settings``, ``context``, ``throttling``, ``log``: shared by all
"""

__version__ = "1.0.0"
