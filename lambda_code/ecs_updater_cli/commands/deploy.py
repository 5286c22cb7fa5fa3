"""``ecs-updater deploy``: many services from a file."""

from pathlib import Path
from typing import Annotated

import typer

from .batching import RunOptions, deploy_batch
from .options import (
    FUNCTION,
    AccountOptions,
    AsJson,
    Direct,
    DryRun,
    File,
    Interactive,
    Name,
    NoLedger,
    Profile,
    Region,
    Timeout,
    ViewOptions,
    flag,
)
from .reading import read_entries

Waves = Annotated[
    bool,
    flag(
        "--waves",
        about=(
            "Deploy group after group, services without one first; the next begins when "
            "all before succeeded."
        ),
    ),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Begin no further service after so many failures. Default: begin all.",
    ),
]


def deploy(  # pylint: disable=too-many-locals  # Each option is one.
    file: File = Path("deployments.json"),
    dry_run: DryRun = False,
    waves: Waves = False,
    max_failures: MaxFailures = None,
    direct: Direct = False,
    no_ledger: NoLedger = False,
    interactive: Interactive = False,
    as_json: AsJson = False,
    timeout: Timeout = None,
    name: Name = FUNCTION,
    region: Region = None,
    profile: Profile = None,
) -> int:
    """Deploy the services of a file together, and watch until each has its verdict.

    The file is a list of events, or a map with `defaults` and `deployments`. It is checked as a
    whole before anything is sent. Ctrl-C detaches, and `ecs-updater watch` comes back.

    Exit codes:

    - 0: all succeeded, or had nothing to change
    - 1: some did not, or not within the `--timeout`
    - 2: the input is wrong or not allowed, and nothing was deployed
    - 3: AWS is not to be had
    - 130: detached, by Ctrl-C
    """
    how, way = (
        ViewOptions(interactive, as_json, timeout),
        RunOptions(direct, no_ledger, max_failures, dry_run),
    )
    entries = read_entries(file)
    events = [entry.event for entry in entries]
    groups = [entry.group if waves else None for entry in entries]
    return deploy_batch(events, groups, AccountOptions(name, region, profile), way, how)
