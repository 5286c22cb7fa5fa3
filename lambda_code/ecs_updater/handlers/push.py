"""Handler of the pushes: Lambda invokes it with messages that have EventBridge's events of ECR.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
"""

import os
from typing import Any

from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.sqs import Queue
from ..aws.tagging import Tagging
from ..context import Call
from ..log import warn_if_unrestricted
from ..push.run import Clients, PushRun
from ..worker.message import records_of
from . import start_garbage_collection

CLIENTS = Clients(Ecs(), Tagging(), Queue(os.environ.get("QUEUE_URL", "")), table_of(os.environ))
warn_if_unrestricted(os.environ)
start_garbage_collection()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sends the updates of the pushes. Returns the ids of the messages to deliver again."""
    return PushRun(os.environ, CLIENTS, Call.of(context)).process(records_of(event)).to_json()
