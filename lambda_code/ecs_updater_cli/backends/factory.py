"""Opens the backend that the options request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..batch.state import State
from ..batch.tracker import Row
from ..batch.watcher import Backend
from ..commands.options import AccountOptions
from ..output.terminal import Printer, number_of
from .account import Account, Ledger, StartedBatch
from .local import LocalBackend
from .settings import environment
from .sqs import SqsBackend, TaskCounter

# How long Ctrl-C waits for writes in progress.
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class OpenBackend:
    """A backend, and what happens when the command detaches from it."""

    backend: Backend
    detach_note: Callable[[Sequence[Row], bool], str]
    """Returns what happens to the rows that are not over, and how to resume.

    The second argument is whether some waves have not started.
    """
    hint: Callable[[bool], str]
    """Returns the effect of Ctrl-C in a few words. The argument is as above."""
    id: str | None
    """Id of the batch, if it can be resumed."""
    close: Callable[[], None] = lambda: None
    """Starts nothing further, and waits shortly for writes in progress."""


def sqs_backend(account: Account, started: StartedBatch, options: AccountOptions) -> OpenBackend:
    """Returns the backend in which worker and reconciler run the updates."""
    ledger, id_ = account.needed_ledger, started.batch.id
    progress, counter = ledger.progress, TaskCounter(account.ecs, account.clock)
    backend = SqsBackend(account.needed_queue, progress, counter, id_, ledger.arn_prefix)
    resume = f"resume with {options.command('watch', id_)}"

    def detach_note(_: Sequence[Row], is_some_left: bool) -> str:
        return f"sent updates continue; {resume}, which sends the rest" if is_some_left else resume

    def hint(is_some_left: bool) -> str:
        return (
            "Ctrl-C detaches: sent updates continue, the others wait for ecs-updater watch"
            if is_some_left
            else "Ctrl-C detaches, and the updates go on"
        )

    return OpenBackend(backend, detach_note, hint, id_)


def local_backend(
    account: Account, ledger: Ledger, started: StartedBatch, options: AccountOptions
) -> OpenBackend:
    """Returns the backend in which this process does the work of worker and reconciler."""
    settings, id_ = environment(ledger.name, ledger.arn_prefix), started.batch.id
    backend = LocalBackend(account.ecs, ledger, settings, id_, account.clock)

    def detach_note(waiting: Sequence[Row], _: bool) -> str:
        under_way = _under_way(waiting)
        if not ledger.is_kept:
            return (
                f"{_names(under_way)}; without a ledger no process rolls them back on failure: "
                "ecs-updater status shows them"
                if under_way
                else "no update is under way"
            )
        finishes = f"{_names(under_way)}, which the reconciler finishes; " if under_way else ""
        starts = ", which starts the rest" if len(under_way) < len(waiting) else ""
        return f"{finishes}resume with {options.command('watch', id_, '--direct')}{starts}"

    hint = (
        "Ctrl-C detaches: started updates continue, the others wait for ecs-updater watch"
        if ledger.is_kept
        else "Ctrl-C stops: no other process starts or rolls back the rest"
    )
    return OpenBackend(
        backend,
        detach_note,
        lambda _: hint,
        id_ if ledger.is_kept else None,
        lambda: backend.close(_CLOSE_SECONDS),
    )


def ledger_of(
    account: Account, events: Sequence[Mapping[str, Any]], no_ledger: bool, printer: Printer
) -> Ledger:
    """Returns the ledger of a local run: the table or, with a note, one in memory."""
    ledger = None if no_ledger else account.ledger
    if ledger:
        return ledger
    missing = f"there is no table {account.table_name} in {account.region}"
    printer.note(
        f"{'--no-ledger' if no_ledger else missing}: without a ledger there is no lease and "
        "no history, and this batch cannot be resumed"
    )
    return account.memory_ledger(events[0])


def _under_way(waiting: Sequence[Row]) -> list[Row]:
    """Returns the rows that have begun, without those that wait for another attempt."""
    return [
        row
        for row in waiting
        if row.status.begun_at is not None and row.state is not State.RETRYING
    ]


def _names(rows: Sequence[Row]) -> str:
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    names = ", ".join(row.name for row in rows[:5])
    return f"{number_of(len(rows), 'update')} under way ({names}{more})"
