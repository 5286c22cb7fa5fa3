"""An Express service: which revisions `primaryContainer` describes, and what events cannot change.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ExpressGatewayContainer.html
"""

from collections.abc import Iterator
from typing import Any

from ..errors import InvalidEventError
from .request import RUN_BEFORE, UpdateRequest
from .revision_settings import CONTAINERS
from .service_settings import COUNT
from .task_definition import Json

MAIN = "Main"
"""Name of the container that gets the traffic of an Express service."""

_TASK_FIELDS = frozenset(
    {
        "containerDefinitions",
        "cpu",
        "executionRoleArn",
        "family",
        "memory",
        "networkMode",
        "requiresCompatibilities",
        "runtimePlatform",
        "taskRoleArn",
    }
)
"""Fields of a task definition that ECS sets for an Express service."""

_CHANGEABLE = ("image", "command", "environment", "secrets")
"""Fields of a container that an event can change, and that `primaryContainer` has as well."""

_CONTAINER_FIELDS = frozenset(
    {
        *_CHANGEABLE,
        "essential",
        "logConfiguration",
        "name",
        "portMappings",
        "repositoryCredentials",
        "versionConsistency",
    }
)
"""Fields of a container that ECS sets for an Express service."""


def has_only_known_fields(task_definition: Json) -> bool:
    """Returns whether `primaryContainer` describes the whole revision.

    `task_definition`: the revision without the fields that ECS adds. Any other one is the
    customer's, given by its ARN: to send `primaryContainer` could lose what only the revision has.
    """
    main, *others = task_definition["containerDefinitions"]
    return (
        not others
        and main["name"] == MAIN
        and not _further_fields(task_definition, _TASK_FIELDS)
        and not _further_fields(main, _CONTAINER_FIELDS)
    )


def _further_fields(json: Json, known: frozenset[str]) -> list[str]:
    return [name for name, value in json.items() if value and name not in known]


def fields_to_send(container: Json, before: Json, after: Json) -> dict[str, Any]:
    """Returns the fields of UpdateExpressGatewayService for a revision that ECS registers.

    `container`: the whole `primaryContainer` of the active configuration. `before`, `after`: the
    task definitions. ECS keeps every field that is not sent.
    """
    (running,), (wanted,) = before["containerDefinitions"], after["containerDefinitions"]
    changed = {name: wanted[name] for name in _CHANGEABLE if wanted.get(name) != running.get(name)}
    sizes = {name: after[name] for name in ("cpu", "memory") if after.get(name) != before.get(name)}
    return {"primaryContainer": {**container, **changed}, **sizes}


def check_event(request: UpdateRequest) -> None:
    """Raises InvalidEventError for a field that no Express service supports."""
    for name in request.service_settings:
        if name == COUNT:
            raise _refused(
                request,
                "ecs_desired_count",
                "set minTaskCount and maxTaskCount with aws ecs update-express-gateway-service",
            )
        raise _refused(request, "ecs_deployment", "ECS manages its deployment configuration")
    if request.run_before:
        raise _refused(request, RUN_BEFORE, "run the task with aws ecs run-task, then update")


def check_container_sizes(request: UpdateRequest) -> None:
    """Raises InvalidEventError for a container's size, which `primaryContainer` does not have."""
    for field in _container_sizes(request):
        raise _refused(
            request,
            field,
            "its container has the size of the task, ecs_task_cpu and ecs_task_memory",
        )


def _container_sizes(request: UpdateRequest) -> Iterator[str]:
    for name, own in (request.settings.containers if request.settings else {}).items():
        path = f"{CONTAINERS}.{name}." if name else ""
        for field, value in (("ecs_cpu", own.cpu), ("ecs_memory", own.memory)):
            if value is not None:
                yield f"{path}{field}"


def _refused(request: UpdateRequest, field: str, advice: str) -> InvalidEventError:
    return InvalidEventError(
        f"{field} cannot be changed: ecs_service_name {request.service} is an Express service: "
        f"{advice}"
    )
