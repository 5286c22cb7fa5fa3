"""From events to a batch, and its exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecs_updater.throttling import DESCRIBE, RATES

from ..backends import batches
from ..backends.account import Account
from ..backends.batches import new_batch
from ..backends.buckets import Buckets
from ..backends.factory import ledger_of, local_backend, sqs_backend, unrecorded_backend
from ..backends.tag_removals import removal_lines
from ..errors import input_error
from ..output.printer import Printer
from .following import wait_for_batch
from .options import AccountOptions, ViewOptions
from .planning import plan
from .reading import check_account

_SHARE = 0.8
"""What of ECS's rate the reads before a batch take: the rest is for who updates meanwhile."""


@dataclass(frozen=True)
class RunOptions:
    """Who does the updates."""

    direct: bool = False
    no_ledger: bool = False
    max_failures: int | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.no_ledger and not self.direct:
            raise input_error("--no-ledger goes with --direct: the queue's worker needs the ledger")


def deploy_batch(
    events: Sequence[dict[str, Any]],
    groups: Sequence[str | None],
    where: AccountOptions,
    way: RunOptions,
    how: ViewOptions,
) -> int:
    """Begins the updates and follows them to their end, or says what they would change; the exit
    code. Raises CommandEnd.
    """
    account, printer = Account(where.name, where.region, where.profile), Printer()
    if way.dry_run:
        return plan(events, account, printer, as_json=how.as_json, no_ledger=way.no_ledger)
    if way.direct:
        ledger = ledger_of(account, way.no_ledger, printer.note)
    else:
        _ = account.needed_queue  # Before anything is written.
        ledger = account.needed_ledger
    if ledger:
        check_account(events, ledger.arn_prefix)
    buckets = Buckets({DESCRIBE: RATES[DESCRIBE].share(_SHARE)}, account.clock)
    for line in removal_lines(account.ecs, events, buckets):
        printer.note(line)
    begun = new_batch(events, groups, way.max_failures, account.clock)
    if ledger is None:
        opened = unrecorded_backend(account, begun)
    elif way.direct:
        opened = local_backend(account, ledger, begun, where)
    else:
        opened = sqs_backend(account, begun, where)
    if ledger:
        batches.begin(ledger, begun)
    return wait_for_batch(opened, begun, how, printer, account.clock)
