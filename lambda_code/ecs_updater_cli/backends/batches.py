"""A batch in the ledger: begun before anything is sent, and found again."""

import getpass
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecs_updater.context import Clock
from ecs_updater.ledger.batch import Batch, Batches, Member, members_of, new_id
from ecs_updater.ledger.entry import iso
from ecs_updater.ledger.store import RETENTION_DAYS

from ..errors import input_error, told
from .account import Ledger


@dataclass(frozen=True)
class StartedBatch:
    """A batch and its services."""

    batch: Batch
    members: Sequence[Member]


def new_batch(
    events: Sequence[dict[str, Any]],
    groups: Sequence[str | None],
    max_failures: int | None,
    clock: Clock,
) -> StartedBatch:
    """A batch that nobody knows of yet.

    ``groups``: by which its services come one after another.
    """
    now = clock.epoch()
    id_ = new_id(now, secrets.token_hex(8))
    members = list(members_of(id_, events, groups))
    return StartedBatch(Batch(id_, iso(now), len(members), caller(), max_failures), members)


def begin(ledger: Ledger, begun: StartedBatch) -> None:
    """Writes it into the ledger. Raises Trouble."""
    with told():
        Batches(ledger.table, retention_days=RETENTION_DAYS).begin(begun.batch, begun.members)


def find(ledger: Ledger, batch_id: str) -> StartedBatch:
    """The batch of this id. Raises CommandEnd where there is none, Trouble."""
    batches = Batches(ledger.table, retention_days=RETENTION_DAYS)
    with told():
        batch = batches.find(batch_id)
        members = batches.members(batch_id) if batch else []
    if batch is None or not members:
        raise input_error(
            f"the ledger {ledger.table.name} has no batch {batch_id}, or none any more"
        )
    return StartedBatch(batch, members)


def stop(ledger: Ledger, batch_id: str) -> None:
    """Lets no further service of it begin. Raises CommandEnd where there is none, Trouble."""
    find(ledger, batch_id)
    with told():
        Batches(ledger.table, retention_days=RETENTION_DAYS).stop(
            batch_id, f"the batch was stopped with {caller()}"
        )


def caller() -> str:
    """Who calls, as far as this machine knows."""
    try:
        return f"ecs-updater, by {getpass.getuser()}"
    except (KeyError, OSError):  # In a container a user may have a number and no name.
        return "ecs-updater"
