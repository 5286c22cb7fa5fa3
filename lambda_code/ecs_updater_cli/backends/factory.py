"""The door that the options ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecs_updater.ledger.queries import Progress

from ..batch.backend import Backend
from ..batch.row import Row
from ..batch.state import State
from ..commands.options import AccountOptions
from ..output.text import number_of
from .account import Account, Ledger
from .batches import StartedBatch
from .local import LocalBackend
from .settings import environment
from .sqs import LedgerPoller, SqsBackend
from .task_counts import TaskCounter
from .unrecorded import UnrecordedBackend

_WAITS = "what has not waits for you to come back"

_LEAVING_SECONDS = 5.0
"""For how long Ctrl-C waits for what is in the middle of being written."""


def _nothing() -> None:
    """Of a door behind which others work there is nothing to close."""


@dataclass(frozen=True)
class OpenBackend:
    """A door, and the way out of it."""

    backend: Backend
    detach_note: Callable[[Sequence[Row], bool], str]
    """What becomes of these, which have no end yet, and how to come back to them; and whether some
    were not let begin yet.
    """
    hint: Callable[[bool], str]
    """What Ctrl-C does, in a few words, while some were not let begin yet, or when all were."""
    id: str | None
    """The batch's, where somebody can come back to it."""
    close: Callable[[], None] = _nothing
    """Begins nothing further, and waits a little for what is in the middle of being written."""


def sqs_backend(account: Account, begun: StartedBatch, where: AccountOptions) -> OpenBackend:
    """The queue: the worker and the completer do it, and this process only looks."""
    ledger, id_ = account.needed_ledger, begun.batch.id
    counts = TaskCounter(account.ecs, account.clock)
    backend = SqsBackend(
        account.needed_queue, Progress(ledger.table), counts, id_, ledger.arn_prefix
    )
    back = f"{where.command('watch', id_)} comes back"

    def detach_note(waiting: Sequence[Row], is_some_left: bool) -> str:
        del waiting
        return (
            f"what was sent goes on; {back} and sends the rest, which nobody else does"
            if is_some_left
            else back
        )

    def hint(is_some_left: bool) -> str:
        return (
            f"Ctrl-C detaches: what was sent goes on, {_WAITS}"
            if is_some_left
            else "Ctrl-C detaches, and the updates go on"
        )

    return OpenBackend(backend, detach_note, hint, id_)


def local_backend(
    account: Account, ledger: Ledger, begun: StartedBatch, where: AccountOptions
) -> OpenBackend:
    """This process in place of worker and completer."""
    settings, id_ = environment(ledger.table.name, ledger.arn_prefix), begun.batch.id
    status = LedgerPoller(Progress(ledger.table), TaskCounter(account.ecs, account.clock))
    backend = LocalBackend(account.ecs, ledger, settings, status, id_, account.clock)

    def detach_note(waiting: Sequence[Row], is_some_left: bool) -> str:
        del is_some_left  # Nobody else begins anything, of this wave or of another.
        under_way, back = _under_way(waiting), where.command("watch", id_, "--direct")
        ends = f"{_named(under_way)}, and the completer ends what has begun; " if under_way else ""
        return (
            f"{ends}{back} comes "
            f"back{' and begins the rest' if len(under_way) < len(waiting) else ''}"
        )

    hint = f"Ctrl-C detaches: what has begun goes on, {_WAITS}"
    return OpenBackend(
        backend, detach_note, lambda _: hint, id_, lambda: backend.leave(_LEAVING_SECONDS)
    )


def unrecorded_backend(account: Account, begun: StartedBatch) -> OpenBackend:
    """This process alone."""
    # Named as if there were a table: what an event asks for, such as a rollback, this process does
    # itself.
    backend = UnrecordedBackend(account.ecs, environment("none"), begun.batch, account.clock)

    def detach_note(waiting: Sequence[Row], is_some_left: bool) -> str:
        del is_some_left  # As above.
        under_way = _under_way(waiting)
        rest = (
            "nobody rolls them back if they fail, for there is no ledger: "
            "ecs-updater status shows them"
        )
        return f"{_named(under_way)}; {rest}" if under_way else "nothing is under way"

    hint = "Ctrl-C leaves: nobody else begins, or rolls back, what is left"
    return OpenBackend(
        backend, detach_note, lambda _: hint, None, lambda: backend.leave(_LEAVING_SECONDS)
    )


def ledger_of(account: Account, no_ledger: bool, note: Callable[[str], None]) -> Ledger | None:
    """The ledger of a direct run; where there is none, a line says what that means."""
    ledger = None if no_ledger else account.ledger
    if ledger is None:
        why = (
            "--no-ledger"
            if no_ledger
            else f"there is no table {account.table_name} in {account.region}"
        )
        note(
            f"{why}: without a ledger there is no lease, no history, and no way back to this batch"
        )
    return ledger


def _under_way(waiting: Sequence[Row]) -> list[Row]:
    """Those that have begun. One that came to nothing, and is to be tried again, is under way no
    more than one that waits.
    """
    return [
        row
        for row in waiting
        if row.status.begun_at is not None and row.state is not State.RETRYING
    ]


def _named(rows: Sequence[Row]) -> str:
    shown = ", ".join(row.name for row in rows[:5]) + (
        f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    )
    return f"{number_of(len(rows), 'update')} under way ({shown})"
