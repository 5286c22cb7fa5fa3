"""Options that several commands share, and the file of deployments that `--file` names."""

import functools
import inspect
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from ..backends.settings import allowing
from ..errors import input_error
from ..manifest.checks import checked, problems_of_event
from ..manifest.entries import ManifestEntry
from ..manifest.reader import MAX_BYTES, read
from ..manifest.values import ManifestError
from ..output.terminal import number_of

COMMAND = "ecs-updater"
"""The console script, and the default name of the function."""

_ACCOUNT, _OUTPUT = "Account", "Output"
_STANDARD_INPUT = "-"


def flag(*names: str, about: str, panel: str | None = None) -> Any:
    """Returns an option without a value, whose help shows no value either."""
    return typer.Option(*names, help=about, rich_help_panel=panel, metavar=" ")


File = Annotated[
    Path,
    typer.Option("--file", "-f", help="The deployments, as JSON or YAML; - is standard input."),
]
AsJson = Annotated[
    bool, flag("--json", about="One JSON object per line, for programs.", panel=_OUTPUT)
]


@dataclass(frozen=True)
class AccountOptions:
    """The function, and its account and region."""

    name: Annotated[
        str,
        typer.Option(
            help="The function's name, which begins the names of its queue and its table.",
            rich_help_panel=_ACCOUNT,
        ),
    ] = COMMAND
    region: Annotated[
        str | None,
        typer.Option(
            help="AWS region. Default: from the profile or the environment.",
            rich_help_panel=_ACCOUNT,
        ),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option(
            help="Profile of the AWS configuration. Default: from the environment.",
            rich_help_panel=_ACCOUNT,
        ),
    ] = None

    def command(self, *words: str) -> str:
        """Returns a command line with these options."""
        options = {
            "--name": self.name if self.name != COMMAND else None,
            "--region": self.region,
            "--profile": self.profile,
        }
        given = [word for option, value in options.items() if value for word in (option, value)]
        return shlex.join([COMMAND, *words, *given])


@dataclass(frozen=True)
class ViewOptions:
    """How a batch is shown, and for how long. Raises CommandError for a contradiction."""

    interactive: Annotated[
        bool,
        flag(
            "--interactive",
            "-i",
            about="A live view instead of a line for each change.",
            panel=_OUTPUT,
        ),
    ] = False
    as_json: AsJson = False
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Stop waiting after this time, with exit code 1: started updates continue.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.interactive and self.as_json:
            raise input_error(
                "--interactive is for people and --json for programs: take one of them"
            )


@dataclass(frozen=True)
class WatchOptions(AccountOptions, ViewOptions):
    """Options of commands that wait for a batch."""


@dataclass(frozen=True)
class BatchOptions(WatchOptions):
    """Options of commands that start a batch. Raises CommandError for a contradiction."""

    dry_run: Annotated[
        bool, flag("--dry-run", about="Show what would change for each service, and write nothing.")
    ] = False
    direct: Annotated[
        bool,
        flag(
            "--direct",
            about=(
                "Without the queue: this machine runs the updates, with the same rate limits, "
                "until it is stopped."
            ),
        ),
    ] = False
    no_ledger: Annotated[
        bool,
        flag(
            "--no-ledger",
            about="With --direct: neither lease nor history, even if the table exists.",
        ),
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.no_ledger and not self.direct:
            raise input_error("--no-ledger goes with --direct: the queue's worker needs the ledger")


def with_options(command: Callable[..., int]) -> Callable[..., int]:
    """Adds the fields of the dataclass of the command's parameter `options` to its options."""
    signature = inspect.signature(command)
    kind = signature.parameters["options"].annotation
    own = [parameter for name, parameter in signature.parameters.items() if name != "options"]
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=field.type,
        )
        for field in fields(kind)
    ]

    @functools.wraps(command)
    def run(**values: Any) -> int:
        options = kind(**{parameter.name: values.pop(parameter.name) for parameter in shared})
        return command(**values, options=options)

    run.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
    return run


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Returns the `KEY=VALUE` pairs of an option. Raises CommandError."""
    found: dict[str, str] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise input_error(f"{option} {text!r}: write KEY=VALUE")
        if key in found:
            raise input_error(f"{option} {text!r}: {key!r} is given twice")
        found[key] = value
    return found


def read_entries(file: Path) -> list[ManifestEntry]:
    """Returns the entries of a valid file. Raises CommandError with a line for each problem."""
    is_input = str(file) == _STANDARD_INPUT
    name = "standard input" if is_input else str(file)
    if is_input and not sys.stdin:
        raise input_error(f"{name} is closed: name the file of the deployments with --file")
    try:
        with nullcontext(sys.stdin.buffer) if is_input else file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise input_error(
            f"{name}: {error.strerror or error}: name the file of the deployments with --file"
        ) from None
    try:
        return checked(read(content, name), allowing())
    except ManifestError as invalid:
        lines = [problem.in_file(name) for problem in invalid.problems]
        raise input_error(*lines, f"{number_of(len(lines), 'problem')}: nothing was sent") from None


def check_event(event: dict[str, Any]) -> None:
    """Raises CommandError with the problems of an event from a command's arguments."""
    if problems := problems_of_event(event, allowing()):
        raise input_error(
            *(": ".join(filter(None, (problem.path, problem.sentence))) for problem in problems)
        )
