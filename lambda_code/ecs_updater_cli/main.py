"""The console script `ecs-updater`: its commands, and the exit code of an error."""

import functools
import io
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer

from .commands.deploy import deploy, validate
from .commands.history import history
from .commands.status import status
from .commands.update import rollback, update
from .commands.watch import stop, watch
from .errors import DETACHED, CommandError
from .output.terminal import Printer

COMMANDS: tuple[Callable[..., int], ...] = (
    deploy,
    watch,
    stop,
    update,
    rollback,
    status,
    history,
    validate,
)

# Commands that start updates.
_STARTING = (deploy, update, rollback)

app = typer.Typer(
    name="ecs-updater",
    help="Change the images and tags of many Amazon ECS services, and see the outcome of each.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def with_exit_code(command: Callable[..., int]) -> Callable[..., None]:
    """Returns the command with its result as exit code, and its errors on standard error."""

    @functools.wraps(command)
    def run(*arguments: object, **options: object) -> None:
        try:
            code = command(*arguments, **options)
        except CommandError as error:
            for line in error.lines:
                Printer().note(line)
            code = error.code
        except KeyboardInterrupt:
            # Before a batch has started: `commands.watch` handles Ctrl-C afterwards.
            is_starting = command in _STARTING
            Printer().note("stopped: no update was started" if is_starting else "interrupted")
            code = DETACHED
        raise typer.Exit(code)

    return run


for _command in COMMANDS:
    app.command()(with_exit_code(_command))


def _interrupt(*_: object) -> NoReturn:
    # Not by SIGINT, which a script's background processes ignore.
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command of these arguments, by default the shell's, and exits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal lacks is not an error.
            stream.reconfigure(errors="replace")
    # Docker stops a container with SIGTERM. The terminal must be restored then, too.
    signal.signal(signal.SIGTERM, _interrupt)
    app(args=None if arguments is None else list(arguments), prog_name="ecs-updater")
