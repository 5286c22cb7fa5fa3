"""Options that several commands share. Imports only what is fast."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from ecs_updater.model.strategy import COMPLETE, STAGES

from ..errors import input_error

COMMAND = "ecs-updater"
"""The console script, and the default name of the function."""

_ACCOUNT, _OUTPUT = "Account", "Output"


class Option(click.Option):
    """An option in a group of the help."""

    def __init__(self, *names: str, group: str = "Options", **settings: Any):
        super().__init__(names, **settings)
        self.group = group


def option_field(*names: str, default: Any = None, **settings: Any) -> Any:
    """Returns a field of a dataclass with its option. `names` may end with the field's name."""
    option = Option(*names, default=default, is_flag=default is False, **settings)
    return field(default=default, metadata={"option": option})  # pylint: disable=invalid-field-call


AS_JSON = Option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object per line, for programs.",
    group=_OUTPUT,
)


@dataclass(frozen=True)
class AccountOptions:
    """The function, and its account and region."""

    name: str = option_field(
        "--name",
        default=COMMAND,
        metavar="NAME",
        show_default=True,
        help="The function's name, which begins the names of its queue and its table.",
        group=_ACCOUNT,
    )
    region: str | None = option_field(
        "--region",
        metavar="REGION",
        help="AWS region. Default: from the profile or the environment.",
        group=_ACCOUNT,
    )
    profile: str | None = option_field(
        "--profile",
        metavar="PROFILE",
        help="Profile of the AWS configuration. Default: from the environment.",
        group=_ACCOUNT,
    )

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

    live: bool = option_field(
        "--live",
        "-i",
        default=False,
        help="A live view instead of a line for each change.",
        group=_OUTPUT,
    )
    as_json: bool = field(default=False, metadata={"option": AS_JSON})
    timeout: float | None = option_field(
        "--timeout",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="Stop waiting after this time, with exit code 1: started updates continue.",
        group=_OUTPUT,
    )

    def __post_init__(self) -> None:
        if self.live and self.as_json:
            raise input_error("--live is for people and --json for programs: take one of them")


@dataclass(frozen=True)
class WatchOptions(AccountOptions, ViewOptions):
    """Options of commands that wait for a batch."""


@dataclass(frozen=True)
class StartOptions(WatchOptions):
    """Options of commands that start a batch. Raises CommandError for a contradiction."""

    direct: bool = option_field(
        "--direct",
        default=False,
        help=(
            "Without the queue: this machine runs the updates, with the same rate limits, until "
            "it is stopped."
        ),
    )
    no_ledger: bool = option_field(
        "--no-ledger",
        default=False,
        help="With --direct: neither lease nor history, even if the table exists.",
    )

    until: str | None = option_field(
        "--until",
        type=click.Choice((COMPLETE, *STAGES)),
        metavar="STAGE",
        help=(
            "Wait only until this lifecycle stage of a blue/green, linear or canary deployment, "
            "such as BAKE_TIME. Default: complete."
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.no_ledger and not self.direct:
            raise input_error("--no-ledger goes with --direct: the queue's worker needs the ledger")


@dataclass(frozen=True)
class BatchOptions(StartOptions):
    """Options of commands that start a batch or, with `dry_run`, only plan it."""

    dry_run: bool = option_field(
        "--dry-run",
        default=False,
        help="Show what would change for each service, and write nothing.",
    )


def pairs(
    texts: Sequence[str], option: str, form: str = "KEY=VALUE", *, hides_values: bool = False
) -> dict[str, str]:
    """Returns the `KEY=VALUE` pairs of an option. Raises CommandError.

    `form`: the form of a pair in the error. `hides_values`: the values can be secrets.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        shown = option if hides_values else f"{option} {text!r}"
        if not equals or not key:
            raise input_error(f"{shown}: write {form}")
        if key in found:
            raise input_error(f"{shown}: {key!r} is given twice")
        found[key] = value
    return found
