"""The console script ``ecs-updater``: its commands, and what becomes of an error."""

import functools
import io
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer

from .commands.deploy import deploy
from .commands.history import history
from .commands.rollback import rollback
from .commands.status import status
from .commands.stop import stop
from .commands.update import update
from .commands.validate import validate
from .commands.watch import watch
from .errors import DETACHED, CommandError
from .output.printer import Printer

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

_BEGINNING = (deploy, update, rollback)

app = typer.Typer(
    name="ecs-updater",
    help=(
        "Change images and tags of Amazon ECS services, many together, and see "
        "what becomes of each."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def guarded(command: Callable[..., int]) -> Callable[..., None]:
    """``command`` with its number as the exit code, and its errors as lines on standard error."""

    @functools.wraps(command)
    def guard(*arguments: object, **options: object) -> None:
        try:
            code = command(*arguments, **options)
        except CommandError as end:
            for line in end.lines:
                Printer().note(line)
            code = end.code
        except KeyboardInterrupt:
            # Whoever was following a batch by then has been told of it.
            Printer().note("stopped: nothing was begun" if command in _BEGINNING else "interrupted")
            code = DETACHED
        raise typer.Exit(code)

    return guard


for _command in COMMANDS:
    app.command()(guarded(_command))


def _interrupted(*_: object) -> NoReturn:
    # No SIGINT of its own: in the background of a script that one is ignored.
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command of these arguments, or of the shell's, and exits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a sign is no reason to end.
            stream.reconfigure(errors="replace")
    # Who ends a container asks so; the terminal has to be given back then, too.
    signal.signal(signal.SIGTERM, _interrupted)
    app(args=None if arguments is None else list(arguments), prog_name="ecs-updater")
