"""Handler of direct invocations: the event is the request, the result is the response.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import os
from collections.abc import Mapping
from typing import Any

from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.targets import TargetAccess
from ..context import Call
from ..deployments.deploy import deploy
from ..log import log_missing_ledger, log_update, warn_if_unrestricted
from . import start_garbage_collection

# At module scope: Lambda initialises it with full CPU and keeps it for later invocations.
ECS = Ecs(targets=TargetAccess.of(os.environ))
LEDGER = table_of(os.environ)
log_missing_ledger(LEDGER)
warn_if_unrestricted(os.environ)
start_garbage_collection()


def _deploy(event: Any, call: Call) -> Mapping[str, Any]:
    """Runs one update. Without a ledger, it also sends the verdict."""
    if LEDGER:
        return deploy(event, os.environ, ECS, call, LEDGER)
    # Imported here: with a ledger, the reconciler sends the verdicts.
    from ..deployments.verdicts import deploy_and_send  # pylint: disable=import-outside-toplevel

    return deploy_and_send(event, os.environ, ECS, call)


def lambda_handler(event: Any, context: Any) -> Mapping[str, Any]:
    """Runs one update. The class of an error becomes Lambda's `errorType`."""
    call = Call.of(context)
    return log_update(event, call, lambda: _deploy(event, call))
