"""The queue's door: a batch of messages, as Lambda takes them from Amazon SQS.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import os
from typing import Any

from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.sqs import Queue
from ..context import Call
from ..log import warn_of_what_is_unrestricted
from ..worker.run import Worker
from . import start_garbage_collection

ECS = Ecs()
LEDGER = table_of(os.environ)
QUEUE, LETTERS = (
    Queue(os.environ.get("QUEUE_URL", "")),
    Queue(os.environ.get("DEAD_LETTER_QUEUE_URL", "")),
)
warn_of_what_is_unrestricted(os.environ)
start_garbage_collection()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Works the messages off; tells which are to come again."""
    worker = Worker(os.environ, ECS, LEDGER, QUEUE, LETTERS, Call.of(context))
    failed = worker.work_off(event["Records"], context)
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
