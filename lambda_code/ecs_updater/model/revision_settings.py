"""Settings of a new revision besides its images: environment, secrets, command, CPU and memory.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidEventError
from . import task_definition as td
from .task_definition import Json

CONTAINER_FIELDS = ("ecs_environment", "ecs_secrets", "ecs_command", "ecs_cpu", "ecs_memory")
"""Fields of an event about one container: the addressed one, or one of `CONTAINERS`."""

CONTAINERS = "ecs_container_settings"
"""Field with the settings of further containers, by container name."""

SECRET_FIELDS = ("ecs_environment", "ecs_secrets", "ecs_command", "run_before")
"""Fields whose values may be secrets."""

TASK_FIELDS = ("ecs_task_cpu", "ecs_task_memory")

SETTING_CHANGES = ("environment", "secret", "command", "cpu", "memory", "task")
"""First parts of the names of changed settings in a response."""

HIDDEN = "(set)"
"""Shown in place of a value that may be a secret."""

_NOT_A_VALUE = f"{HIDDEN} stands for a value that is neither shown nor stored: write the value"

_NAMED = (("environment", "value", "environment"), ("secrets", "valueFrom", "secret"))
"""Lists of named values of a container: field, field of the value, and name in the changes."""

SENSITIVE = re.compile("secret|token|passw|key|credential|dsn|url", re.IGNORECASE)
"""Part of the name of a variable whose value may be a secret."""

_SECRET = re.compile(
    r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:|ssm:[a-z0-9-]+:[0-9]{12}:parameter/)"
    # Amazon RDS manages secrets with names such as rds!db-1.
    r"[A-Za-z0-9/_+=.@:!-]+"
)

_SIZE = re.compile(r"(?P<number>[0-9]+|[0-9]*\.[0-9]+) *(?P<unit>vcpu|gb)?", re.IGNORECASE)

_GIB = 1024
FARGATE_SIZES: Mapping[int, Sequence[int]] = {
    256: (512, _GIB, 2 * _GIB),
    512: range(_GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
}
"""Memory sizes of a task in MiB by its CPU units.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""


@dataclass(frozen=True, kw_only=True)
class ContainerSettings:
    """New settings of one container. None, or a name that is missing, changes nothing."""

    environment: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    """Values by name. None removes the variable."""
    secrets: Mapping[str, str | None] = field(default_factory=dict)
    """ARNs by name. None removes the secret."""
    command: Sequence[str] | None = field(default=None, repr=False)
    """Empty: the command of the image."""
    cpu: int | None = None
    """CPU units."""
    memory: int | None = None
    """Hard limit in MiB."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "ContainerSettings":
        """Returns the settings of an event, or of a member of `CONTAINERS`."""
        return cls(
            environment=fields.get("ecs_environment", {}),
            secrets=fields.get("ecs_secrets", {}),
            command=fields.get("ecs_command"),
            cpu=fields.get("ecs_cpu"),
            memory=fields.get("ecs_memory"),
        )


@dataclass(frozen=True, kw_only=True)
class RevisionSettings:
    """New settings of a revision."""

    containers: Mapping[str | None, ContainerSettings] = field(default_factory=dict)
    """By container name. None stands for the addressed container."""
    task_cpu: int | None = None
    task_memory: int | None = None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "RevisionSettings":
        """Returns the settings of an event that fits its schema."""
        further = event.get(CONTAINERS, {})
        containers = {name: ContainerSettings.of(fields) for name, fields in further.items()}
        if not event.keys().isdisjoint(CONTAINER_FIELDS):
            containers[None] = ContainerSettings.of(event)
        return cls(
            containers=containers,
            task_cpu=event.get("ecs_task_cpu"),
            task_memory=event.get("ecs_task_memory"),
        )


@dataclass(frozen=True)
class SettingChange:
    """A changed setting as it is shown, without values that may be secrets."""

    what: str
    """`environment.CONTAINER.NAME`, `secret.CONTAINER.NAME`, `command.CONTAINER`, `cpu.CONTAINER`,
    `memory.CONTAINER`, `task.cpu` or `task.memory`.
    """
    before: str | None
    after: str | None


def by_container(event: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yields the path and the fields of each container of an event."""
    yield (), event
    for name, fields in event.get(CONTAINERS, {}).items():
        yield (CONTAINERS, name), fields


def violations(event: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields path and sentence of each violation that the schema cannot express."""
    if "" in event.get(CONTAINERS, {}):
        yield (CONTAINERS,), "'' is not a valid container name"
    if HIDDEN in event.get("run_before", {}).get("command", ()):
        yield ("run_before", "command"), _NOT_A_VALUE
    for path, fields in by_container(event):
        environment, secrets = fields.get("ecs_environment", {}), fields.get("ecs_secrets", {})
        for name in ("ecs_environment", "ecs_secrets"):
            if "" in fields.get(name, {}):
                yield (*path, name), "'' is not a valid name of a variable"
        for name, value in environment.items():
            if value == HIDDEN:
                yield (*path, "ecs_environment", name), _NOT_A_VALUE
        if HIDDEN in fields.get("ecs_command", ()):
            yield (*path, "ecs_command"), _NOT_A_VALUE
        for name, arn in secrets.items():
            here = (*path, "ecs_secrets", name)
            # The value is not shown: it may be the secret itself.
            if arn is not None and not _SECRET.fullmatch(arn):
                yield here, "write the ARN of a secret in Secrets Manager or of a parameter in SSM"
            if arn is not None and environment.get(name) is not None:
                yield here, "a name cannot be both in ecs_secrets and in ecs_environment"


def masked(event: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an event that fits its schema, without the values that may be secrets."""
    further = {name: _masked(fields) for name, fields in event.get(CONTAINERS, {}).items()}
    run_before = {"run_before": {**event.get("run_before", {}), "command": [HIDDEN]}}
    return {
        **_masked(event),
        **({CONTAINERS: further} if CONTAINERS in event else {}),
        **(run_before if "run_before" in event else {}),
    }


def _masked(fields: Mapping[str, Any]) -> dict[str, Any]:
    environment = {
        name: HIDDEN if value is not None and SENSITIVE.search(name) else value
        for name, value in fields.get("ecs_environment", {}).items()
    }
    return {
        **fields,
        **({"ecs_environment": environment} if environment else {}),
        **({"ecs_command": [HIDDEN]} if fields.get("ecs_command") else {}),
    }


def with_settings(task_definition: Json, settings: RevisionSettings, addressed: str) -> Json:
    """Returns the task definition with the settings.

    `addressed`: the addressed container. Raises ContainerNotFoundError, or InvalidEventError for
    settings that contradict each other or the task definition.
    """
    wanted: dict[str, tuple[str, ContainerSettings]] = {}
    for name, own in settings.containers.items():
        container = td.container(task_definition, name or addressed)["name"]
        if container in wanted:
            raise InvalidEventError(
                f"{CONTAINERS}.{container}: this container gets the event's own settings: write "
                "all of them in one place"
            )
        wanted[container] = f"{CONTAINERS}.{name}." if name else "", own
    definitions = [
        _with_settings(definition, *wanted[definition["name"]])
        if definition["name"] in wanted
        else definition
        for definition in task_definition["containerDefinitions"]
    ]
    sizes = {"cpu": settings.task_cpu, "memory": settings.task_memory}
    # The size of a task is a text, and that of a container a number.
    new = {
        name: str(size)
        for name, size in sizes.items()
        if size not in (None, _size(task_definition.get(name)))
    }
    return {**task_definition, "containerDefinitions": definitions, **new}


def setting_changes(before: Json, after: Json) -> tuple[SettingChange, ...]:
    """Returns the settings that differ between two task definitions, in a fixed order."""
    earlier = {definition["name"]: definition for definition in before["containerDefinitions"]}
    pairs = [
        (f"{what}.{definition['name']}{path}", values)
        for definition in after["containerDefinitions"]
        for what, path, *values in _settings_of(
            earlier.get(definition["name"], definition), definition
        )
    ]
    pairs += [(f"task.{name}", [before.get(name), after.get(name)]) for name in ("cpu", "memory")]
    return tuple(
        SettingChange(what, *(value if value is None else shown(what, value) for value in values))
        for what, values in pairs
        if values[0] != values[1]
    )


def _settings_of(before: Json, after: Json) -> Iterator[tuple[str, str, Any, Any]]:
    """Yields name, path and both values of each setting of one container."""
    for kind, key, what in _NAMED:
        sides = [_values(side.get(kind), key) for side in (before, after)]
        for name in sorted({*sides[0], *sides[1]}):
            yield what, f".{name}", sides[0].get(name), sides[1].get(name)
    yield "command", "", before.get("command") or None, after.get("command") or None
    # ECS returns 0 for a container without CPU units.
    yield "cpu", "", before.get("cpu") or 0, after.get("cpu") or 0
    yield "memory", "", before.get("memory"), after.get("memory")


def shown(what: str, value: Any) -> str:
    """Returns the value of a setting in a response, or `HIDDEN`. `what`: see `SettingChange`."""
    kind = what.partition(".")[0]
    # A container's name has no dot.
    is_hidden = kind == "environment" and SENSITIVE.search(what.split(".", 2)[2])
    return HIDDEN if is_hidden or kind == "command" else str(value)


def check_fargate_size(task_definition: Json, before: Json, on_fargate: bool | None) -> None:
    """Raises InvalidEventError for a new size of the task that Fargate does not have."""
    is_new = any(task_definition.get(name) != before.get(name) for name in ("cpu", "memory"))
    needs_fargate = "FARGATE" in (task_definition.get("requiresCompatibilities") or [])
    if not (is_new and (on_fargate or needs_fargate)):
        return
    cpu, memory = _size(task_definition.get("cpu")), _size(task_definition.get("memory"))
    sizes = FARGATE_SIZES.get(cpu or 0)
    if sizes is None:
        raise InvalidEventError(
            f"ecs_task_cpu: a Fargate task cannot have {cpu or 'no'} CPU units: use one of "
            f"{', '.join(map(str, FARGATE_SIZES))}"
        )
    if memory not in sizes:
        possible = ", ".join(map(str, sizes))
        if isinstance(sizes, range):
            possible = f"{sizes[0]} to {sizes[-1]} in steps of {sizes.step}"
        raise InvalidEventError(
            f"ecs_task_memory: a Fargate task with {cpu} CPU units cannot have {memory or 'no'} "
            f"MiB: use {possible}"
        )


def _with_settings(definition: Json, path: str, settings: ContainerSettings) -> Json:
    """Returns a container with its settings. `path`: beginning of a field in an error."""
    named = {
        "environment": _pairs(definition, "environment", "value", settings.environment),
        "secrets": _pairs(definition, "secrets", "valueFrom", settings.secrets),
    }
    _check_names(definition["name"], named, settings, path)
    new: dict[str, Any] = {
        kind: pairs for kind, pairs in named.items() if pairs != (definition.get(kind) or [])
    }
    if settings.command is not None:
        new["command"] = list(settings.command)
    sizes = {"cpu": settings.cpu, "memory": settings.memory}
    return {**definition, **new, **{name: size for name, size in sizes.items() if size is not None}}


def _pairs(
    definition: Json, kind: str, key: str, wanted: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """Returns the named values of a container with the wanted ones, in their order."""
    pairs: list[dict[str, Any]] = [
        {**pair, key: wanted[pair["name"]]} if pair.get("name") in wanted else pair
        for pair in definition.get(kind) or []
        if wanted.get(pair.get("name", ""), "") is not None
    ]
    known = _values(pairs, key).keys()
    new = ((name, value) for name, value in wanted.items() if name not in known)
    return [*pairs, *({"name": name, key: value} for name, value in new if value is not None)]


def _values(pairs: Sequence[Mapping[str, Any]] | None, key: str) -> dict[str, Any]:
    """Returns the named values of a container. ECS can have others, which are newer."""
    return {pair["name"]: pair.get(key) for pair in pairs or () if "name" in pair}


def _check_names(
    container: str,
    pairs: Mapping[str, Sequence[Mapping[str, Any]]],
    settings: ContainerSettings,
    path: str,
) -> None:
    """Raises InvalidEventError if a name would be both a variable and a secret."""
    both = _values(pairs["environment"], "").keys() & _values(pairs["secrets"], "").keys()
    for kind, wanted, other in (
        ("secrets", settings.secrets, "environment"),
        ("environment", settings.environment, "secrets"),
    ):
        for name in sorted(both & wanted.keys()):
            raise InvalidEventError(
                f"{path}ecs_{kind}.{name}: the {other} of container {container} has this name: "
                f"remove it with {path}ecs_{other}.{name}: null"
            )


def _size(text: Any) -> int | None:
    """Returns a task's size in CPU units or MiB, also of a text such as `1 vCPU` or `2 GB`."""
    size = _SIZE.fullmatch(str(text))
    return size and round(float(size["number"]) * (_GIB if size["unit"] else 1))
