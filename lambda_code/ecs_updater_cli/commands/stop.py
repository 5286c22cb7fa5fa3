"""``ecs-updater stop``: a batch, as far as it has not begun."""

from typing import Annotated

import typer

from ..backends import batches
from ..backends.account import Account
from ..errors import SUCCEEDED
from ..output.printer import Printer
from .options import FUNCTION, AccountOptions, Name, Profile, Region


def stop(
    batch: Annotated[str, typer.Argument(help="The batch's id, which deploy printed first.")],
    name: Name = FUNCTION,
    region: Region = None,
    profile: Profile = None,
) -> int:
    """Begin no further service of a batch. Those that have begun go on to their verdict.

    Exit codes: 0, also where it is over already; 2 there is no such batch, 3 AWS is not to be had.
    """
    batches.stop(Account(name, region, profile).needed_ledger, batch)
    watch = AccountOptions(name, region, profile).command("watch", batch)
    Printer().note(f"batch {batch} begins no further service; {watch} shows what had begun")
    return SUCCEEDED
