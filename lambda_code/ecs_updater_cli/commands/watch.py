"""``ecs-updater watch``: back to a batch."""

from typing import Annotated

import typer

from ..backends import batches
from ..backends.account import Account
from ..backends.factory import direct_door, queue_door
from ..output.printer import Printer
from .following import follow
from .options import FUNCTION, AsJson, How, Interactive, Name, Profile, Region, Timeout, Where, flag


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
    how = How(interactive, as_json, timeout)
    where = Where(name, region, profile)
    account = Account(name, region, profile)
    ledger = account.needed_ledger
    begun = batches.find(ledger, batch)
    opened = (
        direct_door(account, ledger, begun, where) if direct else queue_door(account, begun, where)
    )
    return follow(opened, begun, how, Printer(), account.clock, again=True)
