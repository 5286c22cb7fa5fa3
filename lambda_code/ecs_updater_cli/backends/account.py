"""The AWS account and region of the command: clients, queue and ledger, and batches in it."""

import getpass
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ecs_updater.aws import session, sqs
from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.sqs import Queue
from ecs_updater.context import Clock
from ecs_updater.ledger.batch import Batch, Batches, Member, members_of, new_id
from ecs_updater.ledger.entry import iso
from ecs_updater.ledger.store import RETENTION_DAYS
from ecs_updater.model.arn import account_prefix

from ..errors import AWS, CommandError, aws_errors, input_error


@dataclass(frozen=True)
class StartedBatch:
    """A batch and its services."""

    batch: Batch
    members: Sequence[Member]


@dataclass(frozen=True)
class Ledger:
    """The ledger's table with its batches. All methods raise AwsError."""

    table: Table
    arn_prefix: str
    """Beginning of ECS's ARNs: `arn:aws:ecs:eu-west-1:123456789012:`."""

    @aws_errors()
    def save_batch(self, started: StartedBatch) -> None:
        """Writes a new batch."""
        self._batches.begin(started.batch, started.members)

    @aws_errors()
    def find_batch(self, batch_id: str) -> StartedBatch:
        """Returns the batch of this id. Raises CommandError if it does not exist."""
        batch = self._batches.find(batch_id)
        members = self._batches.members(batch_id) if batch else []
        if batch is None or not members:
            raise input_error(
                f"the ledger {self.table.name} has no batch {batch_id}: it never existed, or has "
                "expired"
            )
        return StartedBatch(batch, members)

    @aws_errors()
    def stop_batch(self, batch_id: str) -> None:
        """Prevents further services from starting. Raises CommandError as `find_batch`."""
        self.find_batch(batch_id)
        self._batches.stop(batch_id, f"the batch was stopped with {caller()}")

    @property
    def _batches(self) -> Batches:
        return Batches(self.table, retention_days=RETENTION_DAYS)


class Account:
    """An account in one region. All members raise AwsError."""

    @aws_errors()
    def __init__(self, name: str, region: str | None, profile: str | None):
        """`name` is the function's."""
        server_time = session.ServerTime()
        self.clock = Clock(epoch=server_time)
        """Its `epoch` agrees with AWS's clocks."""
        self.region = session.use(profile, region, server_time)
        self.queue_name, self.table_name = f"{name}-fleet.fifo", f"{name}-ledger"

    @cached_property
    def ecs(self) -> Ecs:
        """The client of ECS."""
        return Ecs(may_list=True)

    @cached_property
    @aws_errors()
    def ledger(self) -> Ledger | None:
        """The ledger; None if the table does not exist."""
        arn = session.table_arn(self.table_name)
        return Ledger(Table(self.table_name), account_prefix(arn)) if arn else None

    @property
    def needed_ledger(self) -> Ledger:
        """The ledger. Raises CommandError if the table does not exist."""
        if self.ledger is None:
            raise CommandError(
                AWS,
                f"there is no table {self.table_name} in {self.region}: deploy the function with "
                "its ledger, give its name with --name, or take another --region",
            )
        return self.ledger

    @cached_property
    @aws_errors()
    def queue(self) -> Queue | None:
        """The queue; None if it does not exist."""
        url = sqs.queue_url(self.queue_name)
        return Queue(url) if url else None

    @property
    def needed_queue(self) -> Queue:
        """The queue. Raises CommandError if it does not exist."""
        if self.queue is None:
            raise CommandError(
                AWS,
                f"there is no queue {self.queue_name} in {self.region}: add --direct to deploy "
                "from this machine without one, give the function's name with --name, or take "
                "another --region",
            )
        return self.queue


def new_batch(
    events: Sequence[dict[str, Any]],
    groups: Sequence[str | None],
    max_failures: int | None,
    clock: Clock,
) -> StartedBatch:
    """Returns a batch that is not in the ledger yet. Its waves are the `groups`."""
    now = clock.epoch()
    id_ = new_id(now, secrets.token_hex(8))
    members = list(members_of(id_, events, groups))
    return StartedBatch(Batch(id_, iso(now), len(members), caller(), max_failures), members)


def caller() -> str:
    """Returns the command and the user, as the ledger shows them."""
    try:
        return f"ecs-updater, by {getpass.getuser()}"
    except (KeyError, OSError):  # In a container a user may have a number but no name.
        return "ecs-updater"
