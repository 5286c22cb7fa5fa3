"""Handler of the `GET` requests behind API Gateway. Its role cannot write.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import os
from typing import Any

from ..api.access import Access
from ..api.app import respond
from ..api.get_routes import status_app
from ..api.service_list import ServiceList
from ..aws.dynamodb import table_of
from ..aws.ecs_reader import EcsReader
from ..aws.targets import TargetAccess
from ..ledger.queries import UpdateQueries
from . import start_garbage_collection

TARGETS = TargetAccess.of(os.environ)
ECS = EcsReader(targets=TARGETS)
LEDGER = table_of(os.environ)
QUERIES = UpdateQueries(LEDGER) if LEDGER else None
APP = status_app(ServiceList(ECS), QUERIES, os.environ, Access(os.environ, TARGETS))
start_garbage_collection()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one request. An error becomes an HTTP response."""
    return respond(APP, event, context)
