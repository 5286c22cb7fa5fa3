"""Options of `ecs-updater update`, and the event that they make. Imports only what is fast."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from ..errors import input_error
from .options import option_field, pairs

_CONTAINER, _SERVICE = "Settings of the new revision", "Settings of the service"
_BEFORE = "Task before the update"


@dataclass(frozen=True)
class UpdateOptions:
    """What an update changes beside the image. Each option that is omitted changes nothing."""

    tag: Sequence[str] = option_field(
        "--tag",
        default=(),
        multiple=True,
        metavar="KEY=VALUE",
        help="A tag for the service; once for each. The others stay.",
    )
    replace_tags: bool = option_field(
        "--replace-tags", default=False, help="The service has exactly these tags afterwards."
    )
    container: str | None = option_field(
        "--container",
        metavar="NAME",
        help="The container that gets image and settings, if there are several.",
    )
    container_image: Sequence[str] = option_field(
        "--container-image",
        default=(),
        multiple=True,
        metavar="NAME=IMAGE",
        help="An image for a further container; once for each.",
    )
    force: bool = option_field("--force", default=False, help="Deploy although nothing changed.")
    rollback_on_failure: bool = option_field(
        "--rollback-on-failure",
        default=False,
        help="Return the service to its last good revision if the rollout fails.",
    )
    env: Sequence[str] = option_field(
        "--env",
        default=(),
        multiple=True,
        metavar="NAME=VALUE",
        help="An environment variable; once for each. NAME= sets an empty value.",
        group=_CONTAINER,
    )
    unset_env: Sequence[str] = option_field(
        "--unset-env",
        default=(),
        multiple=True,
        metavar="NAME",
        help="Remove an environment variable; once for each.",
        group=_CONTAINER,
    )
    secret: Sequence[str] = option_field(
        "--secret",
        default=(),
        multiple=True,
        metavar="NAME=ARN",
        help="A secret (Secrets Manager) or parameter (SSM) as a variable; once for each.",
        group=_CONTAINER,
    )
    unset_secret: Sequence[str] = option_field(
        "--unset-secret",
        default=(),
        multiple=True,
        metavar="NAME",
        help="Remove a secret; once for each.",
        group=_CONTAINER,
    )
    words: Sequence[str] = option_field(
        "--command",
        "words",
        default=(),
        multiple=True,
        metavar="COMMAND",
        help=(
            "The command of the container as one quoted word, which is split as in a shell. "
            '"" is the command of the image.'
        ),
        group=_CONTAINER,
    )
    cpu: int | None = option_field(
        "--cpu", type=int, metavar="UNITS", help="CPU units of the container.", group=_CONTAINER
    )
    memory: int | None = option_field(
        "--memory",
        type=int,
        metavar="MIB",
        help="Hard limit of the container's memory.",
        group=_CONTAINER,
    )
    task_cpu: int | None = option_field(
        "--task-cpu", type=int, metavar="UNITS", help="CPU units of the task.", group=_CONTAINER
    )
    task_memory: int | None = option_field(
        "--task-memory", type=int, metavar="MIB", help="Memory of the task.", group=_CONTAINER
    )
    count: int | None = option_field(
        "--count",
        type=click.IntRange(min=0),
        metavar="N",
        help="The desired count: the number of tasks that the service runs.",
        group=_SERVICE,
    )
    task_definition: str | None = option_field(
        "--task-definition",
        metavar="REVISION",
        help="Deploy an existing revision of the family, as family:revision or ARN.",
        group=_SERVICE,
    )
    run_before: Sequence[str] = option_field(
        "--run-before",
        default=(),
        multiple=True,
        metavar="COMMAND",
        help=(
            "Run this command, one quoted word, in a task of the new revision first. The service "
            "changes only if it exits with 0."
        ),
        group=_BEFORE,
    )
    run_before_container: str | None = option_field(
        "--run-before-container",
        metavar="NAME",
        help="The container that runs it. Default: the one of the image.",
        group=_BEFORE,
    )
    run_before_timeout: int | None = option_field(
        "--run-before-timeout",
        type=click.IntRange(1, 3600),
        metavar="SECONDS",
        help="Stop the task after this time. Default: 600.",
        group=_BEFORE,
    )

    def event(self, cluster: str, service: str, image: str | None) -> dict[str, Any]:
        """Returns the event. Raises CommandError."""
        fields: dict[str, Any] = {
            "ecs_cluster_name": cluster,
            "ecs_service_name": service,
            "ecs_image_name": image,
            "ecs_tag": pairs(self.tag, "--tag"),
            "ecs_tag_mode": "replace" if self.replace_tags else "merge",
            "ecs_container_name": self.container,
            "ecs_container_images": pairs(self.container_image, "--container-image") or None,
            "force_new_deployment": self.force or None,
            "rollback_on_failure": self.rollback_on_failure or None,
        }
        settings = self._settings()
        if image is None and not settings:
            raise input_error(
                "name an IMAGE, or a setting to change, for example --env NAME=VALUE or --count N"
            )
        return {name: value for name, value in fields.items() if value is not None} | settings

    def _settings(self) -> dict[str, Any]:
        """Returns the fields with which an event needs no image. Raises CommandError."""
        fields = {
            "ecs_environment": _named("env", self.env, self.unset_env, "NAME=VALUE", hides=True),
            "ecs_secrets": _named("secret", self.secret, self.unset_secret, "NAME=ARN"),
            "ecs_command": command_words("--command", self.words),
            "ecs_cpu": self.cpu,
            "ecs_memory": self.memory,
            "ecs_task_cpu": self.task_cpu,
            "ecs_task_memory": self.task_memory,
            "ecs_desired_count": self.count,
            "ecs_task_definition": self.task_definition,
            "run_before": self._run_before(),
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _run_before(self) -> dict[str, Any] | None:
        task = {
            "command": command_words("--run-before", self.run_before),
            "container": self.run_before_container,
            "timeout_seconds": self.run_before_timeout,
        }
        given = {name: value for name, value in task.items() if value is not None}
        if given and "command" not in given:
            raise input_error(
                "--run-before-container and --run-before-timeout go with --run-before"
            )
        return given or None


def command_words(option: str, texts: Sequence[str]) -> list[str] | None:
    """Returns the words of a command in one text. None: there is none. Raises CommandError."""
    if len(texts) > 1:
        raise input_error(f"{option} is given {len(texts)} times: write one quoted word")
    try:
        return shlex.split(texts[0]) if texts else None
    except ValueError as error:
        # Without the text: it can be a secret.
        raise input_error(f"{option}: {error}: write one word in quotes of your shell") from None


def _named(
    name: str, given: Sequence[str], removed: Sequence[str], form: str, *, hides: bool = False
) -> dict[str, str | None] | None:
    """Returns values by name, and None for names to remove. Raises CommandError."""
    values = pairs(given, f"--{name}", f"{form}, or --unset-{name} NAME", hides_values=hides)
    if both := [each for each in removed if each in values]:
        raise input_error(f"--unset-{name} {both[0]!r}: --{name} sets it")
    return {**values, **dict.fromkeys(removed)} or None
