"""The console script `ecs-updater`: its commands, their help, and the exit code of an error."""

import io
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from ecs_updater import __version__

from .commands.arguments import COMMANDS
from .errors import DETACHED, CommandError, print_note


class Group(click.Group):
    """Commands whose result is the exit code. Their errors go to standard error."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads what stands before the command. Raises UsageError."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(
                f"{error.message} Write the options of a command after its name.", ctx
            ) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command and ends the process."""
        notes: Sequence[str] = ()
        try:
            code = super().invoke(ctx)
        except CommandError as error:
            code, notes = error.code, error.lines
        except KeyboardInterrupt:
            # Before a batch has started: `commands.watch` handles Ctrl-C afterwards.
            is_starting = ctx.invoked_subcommand in ("deploy", "sync", "update", "rollback")
            notes = ["stopped: no update was started" if is_starting else "interrupted"]
            code = DETACHED
        for note in notes:
            print_note(note)
        ctx.exit(code)


@click.group(
    "ecs-updater",
    cls=Group,
    commands=COMMANDS,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        # The earlier name of an option.
        "token_normalize_func": lambda name: {"interactive": "live"}.get(name, name),
    },
)
@click.version_option(__version__, message="%(prog)s %(version)s", help="Print the version.")
def app() -> None:
    """Change images, tags and settings of Amazon ECS services, and see the outcome of each."""


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
