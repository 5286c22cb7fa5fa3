"""One update from end to end, whatever the door that it came through."""

from collections.abc import Mapping
from typing import Any

from . import event as events
from . import result
from .aws.ecs import Ecs
from .plan import make_plan
from .service.read import read
from .service.write import apply
from .settings import Settings


def update(event: Any, environment: Mapping[str, str], ecs: Ecs) -> dict[str, Any]:
    """Does what ``event`` says; the answer as the contract has it.

    ``event`` is any JSON value, ``environment`` the function's (``os.environ``). Raises the errors of ``errors``; nothing has been
    written when the error's stage is another than ``ecs_service_update``; a failed write's message says what became of the service.
    """
    settings = Settings.from_environment(environment)
    request = events.parse(event, settings)
    snapshot = read(ecs, request, settings.family)
    plan = make_plan(snapshot, request, ecs.fields, settings.unknown_fields)
    if request.dry_run:
        return result.of_dry_run(plan)
    return result.of_update(plan, apply(ecs, plan) if plan.writes else None)
