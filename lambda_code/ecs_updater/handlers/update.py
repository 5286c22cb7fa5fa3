"""The direct door: whoever may invoke the function sends the event itself and gets the result
itself.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import os
from collections.abc import Mapping
from typing import Any

from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..context import Call
from ..deployments.deploy import deploy
from ..log import logged, say_whether_there_is_a_ledger, warn_of_what_is_unrestricted
from . import start_garbage_collection

# At module scope: Lambda initialises with full CPU, and keeps it for the invocations that follow.
ECS = Ecs()
LEDGER = table_of(os.environ)
say_whether_there_is_a_ledger(LEDGER)
warn_of_what_is_unrestricted(os.environ)
start_garbage_collection()


def lambda_handler(event: Any, context: Any) -> Mapping[str, Any]:
    """Does one update.

    An error's class is Lambda's ``errorType``, its text Lambda's ``errorMessage``.
    """
    return logged(event, context, lambda: deploy(event, os.environ, ECS, Call.of(context), LEDGER))
