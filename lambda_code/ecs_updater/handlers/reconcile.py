"""Handler of the reconciler: EventBridge's events of ECS deployments or a schedule, or any event.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
"""

import os
from collections.abc import Mapping
from typing import Any

from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.notifications import channels_of
from ..aws.targets import TargetAccess
from ..context import Call
from ..deployments.notifier import reconcile_and_send
from ..deployments.reconciler import RATE_SHARE, service_of
from ..log import log_run
from . import start_garbage_collection

ECS = Ecs(targets=TargetAccess.of(os.environ), share=RATE_SHARE)
LEDGER = table_of(os.environ)
CHANNELS = channels_of(os.environ)
start_garbage_collection()


def lambda_handler(event: Any, context: Any) -> Mapping[str, Any]:
    """Ends the open updates whose rollouts have ended, and sends and reports their verdicts."""
    call = Call.of(context)

    def run() -> Mapping[str, Any]:
        result = reconcile_and_send(event, os.environ, ECS, LEDGER, call, CHANNELS)
        if service_of(event) is None:
            result.put_metrics()
        return result.to_json()

    return log_run(call, run)
