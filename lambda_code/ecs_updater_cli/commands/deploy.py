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
from ..manifest.entries import in_target, tasks_before
from ..output.plan import show_plans
from ..output.terminal import Printer
from .options import BatchOptions, StartOptions
from .update_options import UpdateOptions
from .validate import check_event, chosen_file, read_entries, service_event
from .watch import wait_for_batch


def deploy(
    file: Path | None,
    file_option: Path | None,
    waves: bool,
    max_failures: int | None,
    target: str | None,
    options: BatchOptions,
) -> int:
    """Deploys the services of a file, with `waves` group after group. Returns the exit code."""
    entries = in_target(read_entries(chosen_file(file, file_option)), target)
    events = [entry.event for entry in entries]
    groups = [entry.group if waves else None for entry in entries]
    return deploy_batch(events, groups, options, max_failures, tasks_before(entries))


def update(
    cluster: str,
    service: str,
    image: str | None,
    target: str | None,
    changes: UpdateOptions,
    options: BatchOptions,
) -> int:
    """Updates one service. Returns the exit code."""
    event = changes.event(cluster, service, image) | service_event(cluster, service, target)
    return _deploy(event, options)


def rollback(cluster: str, service: str, target: str | None, options: BatchOptions) -> int:
    """Rolls one service back. Returns the exit code."""
    return _deploy({"action": ROLLBACK, **service_event(cluster, service, target)}, options)


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
    if options.until:
        events = [{"wait_until": options.until} | event for event in events]
    if options.direct:
        kept = None if options.no_ledger else account.ledger
    else:
        _ = account.needed_queue  # Before anything is written.
        kept = account.needed_ledger
    account.use_targets(events, kept, reads_only=not options.direct)
    ledger = kept or _memory_ledger(account, events, options.no_ledger, printer)
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


def _memory_ledger(
    account: Account, events: Sequence[dict[str, Any]], no_ledger: bool, printer: Printer
) -> Ledger:
    """Returns a ledger in memory, with a note."""
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
    account.use_targets(events, ledger, reads_only=not options.direct)
    settings = environment(account.table_name)
    table = ledger.table if ledger else None
    members = [Member(number, "", event) for number, event in enumerate(events, 1)]
    return dry_run(account.ecs, table, settings, REAL_TIME, members)
