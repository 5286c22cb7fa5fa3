"""Handler of the `POST` requests behind API Gateway: updates, rollbacks, and answers to hooks.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import os
from typing import Any

from ..api.access import Access
from ..api.app import respond
from ..api.post_routes import update_app
from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.targets import TargetAccess
from ..deployments.approvals import answer_hook
from ..deployments.deploy import deploy
from ..log import log_missing_ledger, warn_if_unrestricted
from . import start_garbage_collection

TARGETS = TargetAccess.of(os.environ)
ECS = Ecs(targets=TARGETS)
LEDGER = table_of(os.environ)
log_missing_ledger(LEDGER)
warn_if_unrestricted(os.environ)
APP = update_app(
    lambda event, call: deploy(event, os.environ, ECS, call, LEDGER),
    lambda answer, call: answer_hook(answer, os.environ, ECS, call, LEDGER),
    Access(os.environ, TARGETS),
)
start_garbage_collection()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Runs one update or rollback, or answers one hook. An error becomes an HTTP response."""
    return respond(APP, event, context)
