"""``ecs-updater watch``: back to a batch."""

from typing import Annotated

import typer

from ..backends import batches
from ..backends.account import Account
from ..backends.factory import local_backend, sqs_backend
from ..output.printer import Printer
from .following import wait_for_batch
from .options import (
    FUNCTION,
    AccountOptions,
    AsJson,
    Interactive,
    Name,
    Profile,
    Region,
    Timeout,
    ViewOptions,
    flag,
)


def watch(
    batch: Annotated[str, typer.Argument(help="The batch's id, which deploy printed first.")],
    direct: Annotated[
        bool,
        flag(
            "--direct",
            about="Begin from this machine what has not begun, for a batch that was deployed so.",
        ),
    ] = False,
    interactive: Interactive = False,
    as_json: AsJson = False,
    timeout: Timeout = None,
    name: Name = FUNCTION,
    region: Region = None,
    profile: Profile = None,
) -> int:
    """Come back to a batch, and watch until each of its services has its verdict.

    What its sender did not come to send is sent, and its waves go on. The exit codes are those of
    `ecs-updater deploy`.
    """
    how = ViewOptions(interactive, as_json, timeout)
    where = AccountOptions(name, region, profile)
    account = Account(name, region, profile)
    ledger = account.needed_ledger
    begun = batches.find(ledger, batch)
    opened = (
        local_backend(account, ledger, begun, where)
        if direct
        else sqs_backend(account, begun, where)
    )
    return wait_for_batch(opened, begun, how, Printer(), account.clock, again=True)
