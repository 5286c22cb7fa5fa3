"""`ecs-updater deploy`, `update` and `rollback`: the start of a batch."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecs_updater.context import REAL_TIME
from ecs_updater.ledger.batch import Member
from ecs_updater.model.event_parser import ROLLBACK

from ..backends.account import Account, Ledger, new_batch
from ..backends.local import LocalBackend
from ..backends.preview import ServicePlan, dry_run, removal_lines
from ..backends.settings import environment
from ..backends.sqs import SqsBackend
from ..errors import input_error
from ..manifest.entries import ServiceIdentity, tasks_before
from ..output.plan import show_plans
from ..output.terminal import Printer
from .options import BatchOptions, StartOptions
from .update_options import UpdateOptions
from .validate import check_event, chosen_file, read_entries
from .watch import wait_for_batch


def deploy(
    file: Path | None,
    file_option: Path | None,
    waves: bool,
    max_failures: int | None,
    options: BatchOptions,
) -> int:
    """Deploys the services of a file, with `waves` group after group. Returns the exit code."""
    entries = read_entries(chosen_file(file, file_option))
    events = [entry.event for entry in entries]
    groups = [entry.group if waves else None for entry in entries]
    return deploy_batch(events, groups, options, max_failures, tasks_before(entries))


def update(
    cluster: str, service: str, image: str | None, changes: UpdateOptions, options: BatchOptions
) -> int:
    """Updates one service. Returns the exit code."""
    return _deploy(changes.event(cluster, service, image), options)


def rollback(cluster: str, service: str, options: BatchOptions) -> int:
    """Rolls one service back. Returns the exit code."""
    event = {"action": ROLLBACK, "ecs_cluster_name": cluster, "ecs_service_name": service}
    return _deploy(event, options)


def _deploy(event: dict[str, Any], options: BatchOptions) -> int:
    check_event(event)
    return deploy_batch([event], [None], options)


def deploy_batch(
    events: Sequence[dict[str, Any]],
    groups: Sequence[str | None],
    options: BatchOptions,
    max_failures: int | None = None,
    after_task_of: Mapping[int, int] | None = None,
) -> int:
    """Starts the updates and waits for them, or plans them. Returns the exit code.

    `after_task_of`: by number from 1, see `Member`. Raises CommandError.
    """
    account = Account(options.name, options.region, options.profile)
    if options.dry_run:
        plans = plan_services(account, events, options)
        return show_plans(plans, Printer(), options.as_json)
    return start_batch(account, events, groups, options, max_failures, after_task_of)


def start_batch(
    account: Account,
    events: Sequence[dict[str, Any]],
    groups: Sequence[str | None],
    options: StartOptions,
    max_failures: int | None = None,
    after_task_of: Mapping[int, int] | None = None,
) -> int:
    """Starts the updates and waits for them, as `deploy_batch`."""
    printer = Printer()
    if options.direct:
        ledger = _local_ledger(account, events, options.no_ledger, printer)
    else:
        _ = account.needed_queue  # Before anything is written.
        ledger = account.needed_ledger
    if ledger.is_kept:
        _check_account(events, ledger.arn_prefix)
    for line in removal_lines(account.ecs, events):
        printer.note(line)
    started = new_batch(events, groups, max_failures, account.clock, after_task_of)
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


def plan_services(
    account: Account, events: Sequence[dict[str, Any]], options: StartOptions
) -> Iterator[ServicePlan]:
    """Returns what each event would change, see `dry_run`. Raises CommandError."""
    ledger = None if options.no_ledger else account.ledger
    if ledger:
        _check_account(events, ledger.arn_prefix)
    settings = environment(account.table_name)
    table = ledger.table if ledger else None
    members = [Member(number, "", event) for number, event in enumerate(events, 1)]
    return dry_run(account.ecs, table, settings, REAL_TIME, members)


def _check_account(events: Sequence[dict[str, Any]], arn_prefix: str) -> None:
    """Raises CommandError if an event's ARN is of another account or region."""
    for event in events:
        identity = ServiceIdentity.of(event)
        if identity.account not in (None, arn_prefix):
            raise input_error(
                f"{identity} is in {identity.account.rstrip(':')}, and this command works in "
                f"{arn_prefix.rstrip(':')}: take another --profile or --region"
            )
