"""The HTTP door for what only tells, in a function that cannot write: ``GET``, as API Gateway hands
it to Lambda.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import os
from typing import Any

from ..api.get_routes import Sources, door
from ..api.service_list import Listing
from ..aws.dynamodb import table_of
from ..aws.ecs_reader import EcsReader
from ..ledger.queries import Feed
from . import start_garbage_collection

ECS = EcsReader()
LEDGER = table_of(os.environ)
DOOR = door(Sources(Listing(ECS), Feed(LEDGER) if LEDGER else None, os.environ))
start_garbage_collection()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one question; every error is an answer."""
    return DOOR.resolve(event, context)
