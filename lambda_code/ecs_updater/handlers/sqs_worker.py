"""Handler of the queue: Lambda invokes it with up to ten messages of Amazon SQS.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import os
from typing import Any

from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.sqs import Queue
from ..aws.targets import TargetAccess
from ..context import Call
from ..log import warn_if_unrestricted
from ..worker.message import records_of
from ..worker.run import Worker
from . import start_garbage_collection

ECS = Ecs(targets=TargetAccess.of(os.environ))
LEDGER = table_of(os.environ)
QUEUE = Queue(os.environ.get("QUEUE_URL", ""))
DEAD_LETTER_QUEUE = Queue(os.environ.get("DEAD_LETTER_QUEUE_URL", ""))
warn_if_unrestricted(os.environ)
start_garbage_collection()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Processes the messages. Returns the ids of those to deliver again."""
    worker = Worker(os.environ, ECS, LEDGER, QUEUE, DEAD_LETTER_QUEUE, Call.of(context))
    failed = worker.process(records_of(event))
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}
