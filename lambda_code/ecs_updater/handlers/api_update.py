"""The HTTP door for what changes a service: ``POST /update`` and ``POST /rollback``, as API Gateway
hands them to Lambda.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import os
from typing import Any

from ..api.post_routes import door
from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..deployments.deploy import deploy
from ..log import say_whether_there_is_a_ledger, warn_of_what_is_unrestricted
from . import start_garbage_collection

ECS = Ecs()
LEDGER = table_of(os.environ)
say_whether_there_is_a_ledger(LEDGER)
warn_of_what_is_unrestricted(os.environ)
DOOR = door(lambda event, call: deploy(event, os.environ, ECS, call, LEDGER))
start_garbage_collection()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Does one update or rollback; every error is an answer."""
    return DOOR.resolve(event, context)
