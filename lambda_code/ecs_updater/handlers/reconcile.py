"""Handler of the reconciler: EventBridge's events of ECS deployments or a schedule, or any event.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
"""

import os
from collections.abc import Mapping
from typing import Any

from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.targets import TargetAccess
from ..context import Call
from ..deployments.reconciler import reconcile, service_of
from ..log import log_run
from . import start_garbage_collection

ECS = Ecs(targets=TargetAccess.of(os.environ))
LEDGER = table_of(os.environ)
start_garbage_collection()


def lambda_handler(event: Any, context: Any) -> Mapping[str, Any]:
    """Ends the open updates whose rollouts have ended, and reports them."""
    call = Call.of(context)

    def run() -> Mapping[str, Any]:
        result = reconcile(event, os.environ, ECS, LEDGER, call)
        if service_of(event) is None:
            result.put_metrics()
        return result.to_json()

    return log_run(call, run)
