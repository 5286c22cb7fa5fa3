"""Handler of CodePipeline's Lambda invoke action. The result goes to the job, not to the caller.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html
"""

import os
from typing import Any

from ..aws.codepipeline import JobResults
from ..aws.dynamodb import table_of
from ..aws.ecs import Ecs
from ..aws.targets import TargetAccess
from ..codepipeline.run import Runner
from ..context import Call
from ..log import warn_if_unrestricted
from . import start_garbage_collection

ECS = Ecs(targets=TargetAccess.of(os.environ))
RUNNER = Runner(os.environ, ECS, table_of(os.environ), JobResults())
warn_if_unrestricted(os.environ)
start_garbage_collection()


def lambda_handler(event: Any, context: Any) -> None:
    """Runs one job. The event has credentials and is never logged."""
    RUNNER.run(event, Call.of(context))
