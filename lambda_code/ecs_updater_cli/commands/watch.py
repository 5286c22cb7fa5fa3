"""`ecs-updater watch` and `stop`: a batch that has started."""

from typing import Annotated

import typer

from ..backends.account import Account
from ..backends.factory import local_backend, sqs_backend
from ..errors import SUCCEEDED
from ..output.terminal import Printer
from .options import AccountOptions, WatchOptions, flag, with_options
from .wait import wait_for_batch

BatchId = Annotated[str, typer.Argument(help="The batch's id, which deploy printed first.")]


@with_options
def watch(
    batch: BatchId,
    direct: Annotated[
        bool,
        flag(
            "--direct",
            about="Start the remaining updates from this machine, for a batch deployed so.",
        ),
    ] = False,
    *,
    options: WatchOptions,
) -> int:
    """Resume a batch, and wait until each of its services has its verdict.

    Updates that were not sent are sent, and the waves continue. The exit codes are those of
    `ecs-updater deploy`.
    """
    account = Account(options.name, options.region, options.profile)
    ledger = account.needed_ledger
    started = ledger.find_batch(batch)
    backend = (
        local_backend(account, ledger, started, options)
        if direct
        else sqs_backend(account, started, options)
    )
    return wait_for_batch(backend, started, options, Printer(), account.clock, resumes=True)


@with_options
def stop(batch: BatchId, *, options: AccountOptions) -> int:
    """Start no further service of a batch. Started updates continue until they have their verdict.

    Exit codes: 0, also if it is over already; 2 the batch does not exist, 3 AWS could not be
    reached or rejected the call.
    """
    account = Account(options.name, options.region, options.profile)
    account.needed_ledger.stop_batch(batch)
    watch_command = options.command("watch", batch)
    Printer().note(f"batch {batch} starts no further service; {watch_command} shows the others")
    return SUCCEEDED
