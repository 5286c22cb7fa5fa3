"""`ecs-updater deploy` and `validate`: a file of deployments; and the start of any batch."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ecs_updater.context import REAL_TIME
from ecs_updater.ledger.batch import Member

from ..backends.account import Account, Ledger, new_batch
from ..backends.local import LocalBackend
from ..backends.preview import dry_run, removal_lines
from ..backends.settings import environment
from ..backends.sqs import SqsBackend
from ..errors import SUCCEEDED, input_error
from ..manifest.entries import ServiceIdentity
from ..output.plan import show_plans
from ..output.terminal import Printer, number_of
from .options import BatchOptions, File, flag, read_entries, with_options
from .watch import wait_for_batch


@with_options
def deploy(
    file: File = Path("deployments.json"),
    waves: Annotated[
        bool,
        flag(
            "--waves",
            about=(
                "Deploy group after group, services without one first; the next starts when "
                "all before succeeded."
            ),
        ),
    ] = False,
    max_failures: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Start no further service after this many failures. Default: start all.",
        ),
    ] = None,
    *,
    options: BatchOptions,
) -> int:
    """Deploy the services of a file together, and wait until each has its verdict.

    The file is a list of events, or a map with `defaults` and `deployments`. It is checked as a
    whole before anything is sent. Ctrl-C detaches, and `ecs-updater watch` resumes.

    Exit codes:

    - 0: all succeeded, or had nothing to change
    - 1: some did not, or not within the `--timeout`
    - 2: the input is invalid or not allowed, and nothing was deployed
    - 3: AWS could not be reached or rejected the call
    - 130: detached, by Ctrl-C
    """
    entries = read_entries(file)
    events = [entry.event for entry in entries]
    groups = [entry.group if waves else None for entry in entries]
    return deploy_batch(events, groups, options, max_failures)


def validate(file: File = Path("deployments.json")) -> int:
    """Check a file as `deploy` does before it sends anything. Makes no call of AWS.

    Prints a line with the position of each problem. Exit codes: 0 valid, 2 invalid.
    """
    entries = read_entries(file)
    groups = Counter(entry.group for entry in entries if entry.group)
    inside = f" in {number_of(len(groups), 'group')}" if groups else ""
    Printer().line(f"{file}: {number_of(len(entries), 'service')}{inside}, nothing is wrong")
    return SUCCEEDED


def deploy_batch(
    events: Sequence[dict[str, Any]],
    groups: Sequence[str | None],
    options: BatchOptions,
    max_failures: int | None = None,
) -> int:
    """Starts the updates and waits for them, or plans them. Returns the exit code.

    Raises CommandError.
    """
    account, printer = Account(options.name, options.region, options.profile), Printer()
    if options.dry_run:
        return _plan(events, account, printer, options)
    if options.direct:
        ledger = _local_ledger(account, events, options.no_ledger, printer)
    else:
        _ = account.needed_queue  # Before anything is written.
        ledger = account.needed_ledger
    if ledger.is_kept:
        _check_account(events, ledger.arn_prefix)
    for line in removal_lines(account.ecs, events, account.clock):
        printer.note(line)
    started = new_batch(events, groups, max_failures, account.clock)
    id_ = started.batch.id
    backend = (
        LocalBackend(account, ledger, id_, options)
        if options.direct
        else SqsBackend(account, id_, options)
    )
    ledger.save_batch(started)
    return wait_for_batch(backend, started, options, printer, account.clock)


def _local_ledger(
    account: Account, events: Sequence[dict[str, Any]], no_ledger: bool, printer: Printer
) -> Ledger:
    """Returns the table or, with a note, a ledger in memory."""
    ledger = None if no_ledger else account.ledger
    if ledger:
        return ledger
    missing = f"there is no table {account.table_name} in {account.region}"
    printer.note(
        f"{'--no-ledger' if no_ledger else missing}: without a ledger there is no lease and "
        "no history, and this batch cannot be resumed"
    )
    return account.memory_ledger(events[0])


def _plan(
    events: Sequence[dict[str, Any]], account: Account, printer: Printer, options: BatchOptions
) -> int:
    """Prints what the events would change. Returns the exit code."""
    ledger = None if options.no_ledger else account.ledger
    if ledger:
        _check_account(events, ledger.arn_prefix)
    settings = environment(account.table_name)
    table = ledger.table if ledger else None
    members = [Member(number, "", event) for number, event in enumerate(events, 1)]
    plans = dry_run(account.ecs, table, settings, REAL_TIME, members)
    return show_plans(plans, printer, options.as_json)


def _check_account(events: Sequence[dict[str, Any]], arn_prefix: str) -> None:
    """Raises CommandError if an event's ARN is of another account or region."""
    for event in events:
        identity = ServiceIdentity.of(event)
        if identity.account not in (None, arn_prefix):
            raise input_error(
                f"{identity} is in {identity.account.rstrip(':')}, and this command works in "
                f"{arn_prefix.rstrip(':')}: take another --profile or --region"
            )
