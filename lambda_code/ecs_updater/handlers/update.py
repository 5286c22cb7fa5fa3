"""The direct door: whoever may invoke the function sends the event itself and gets the result itself.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import os
from typing import Any

from ..aws.ecs import Ecs
from ..log import logged
from ..updater import update

# At module scope: Lambda initialises with full CPU, and keeps it for the invocations that follow.
ECS = Ecs()


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Does one update. An error's class is Lambda's ``errorType``, its text Lambda's ``errorMessage``."""
    return logged(event, context, ECS.calls, lambda: update(event, os.environ, ECS))
