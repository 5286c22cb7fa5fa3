"""Options that several verbs share."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import input_error

_ACCOUNT, _SHOW = "Account", "Output"
FUNCTION = "ecs-updater"


def flag(*names: str, about: str, panel: str | None = None) -> Any:
    """An option without a value, whose help does not look as if it wanted one."""
    return typer.Option(*names, help=about, rich_help_panel=panel, metavar=" ")


Name = Annotated[
    str,
    typer.Option(
        help="The function's name, after which its queue and its table are called.",
        rich_help_panel=_ACCOUNT,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        help="AWS region. Default: the one of the profile or of the environment.",
        rich_help_panel=_ACCOUNT,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        help="Profile of AWS's configuration. Default: the one of the environment.",
        rich_help_panel=_ACCOUNT,
    ),
]
File = Annotated[
    Path,
    typer.Option("--file", "-f", help="The deployments, as JSON or YAML; - is standard input."),
]
Interactive = Annotated[
    bool,
    flag(
        "--interactive", "-i", about="A live view in place of a line for each change.", panel=_SHOW
    ),
]
AsJson = Annotated[
    bool, flag("--json", about="One JSON object per line, for programs.", panel=_SHOW)
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="Stop watching after so long, with exit code 1: what has begun goes on.",
        rich_help_panel=_SHOW,
    ),
]
Direct = Annotated[
    bool,
    flag(
        "--direct",
        about=(
            "Without the queue: this machine does the updates, at the same pace, "
            "until it is stopped."
        ),
    ),
]
DryRun = Annotated[
    bool, flag("--dry-run", about="Show what would change for each service, and write nothing.")
]
NoLedger = Annotated[
    bool,
    flag(
        "--no-ledger",
        about="With --direct: neither lease nor history, also where there is a table for them.",
    ),
]


@dataclass(frozen=True)
class AccountOptions:
    """Which function of which account and region."""

    name: str
    region: str | None
    profile: str | None

    def command(self, *words: str) -> str:
        """A command line for the same place, to be typed."""
        options = {
            "--name": self.name if self.name != FUNCTION else None,
            "--region": self.region,
            "--profile": self.profile,
        }
        given = [word for option, value in options.items() if value for word in (option, value)]
        return shlex.join([FUNCTION, *words, *given])


@dataclass(frozen=True)
class ViewOptions:
    """How a batch is shown, and for how long it is watched."""

    interactive: bool = False
    as_json: bool = False
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.interactive and self.as_json:
            raise input_error(
                "--interactive is for people and --json for programs: take one of them"
            )


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """``KEY=VALUE`` as it is typed. Raises CommandEnd."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise input_error(f"{option} {text!r}: write KEY=VALUE")
        if key in found:
            raise input_error(f"{option} {text!r}: {key!r} is given twice")
        found[key] = value
    return found
