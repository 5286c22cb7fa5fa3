"""The AWS account and region of the command: clients, queue and ledger, and batches in it."""

import getpass
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from ecs_updater.aws import clients, sqs
from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import Ecs, locate
from ecs_updater.aws.sqs import Queue
from ecs_updater.aws.targets import TargetAccess
from ecs_updater.context import Clock
from ecs_updater.errors import AwsFailure
from ecs_updater.ledger.batch import Batch, Batches, Member, members_of, new_id
from ecs_updater.ledger.entry import iso, to_item
from ecs_updater.ledger.memory import MemoryLedger
from ecs_updater.ledger.queries import Progress
from ecs_updater.ledger.store import RETENTION_DAYS
from ecs_updater.model.arn import account_prefix
from ecs_updater.model.request import Request
from ecs_updater.model.targets import HOME, Targets

from ..errors import AWS, CommandError, input_error
from ..manifest.entries import ServiceIdentity, target_of
from .aws_errors import UNREACHABLE, aws_errors
from .targets import ReadAccess, check_places, input_errors, read_targets


@dataclass(frozen=True)
class StartedBatch:
    """A batch and its services."""

    batch: Batch
    members: Sequence[Member]


@dataclass(frozen=True)
class Ledger:
    """The ledger with its batches. All methods raise AwsError."""

    table: Table | MemoryLedger
    arn_prefix: str
    """Beginning of ECS's ARNs: `arn:aws:ecs:eu-west-1:123456789012:`."""

    @property
    def is_kept(self) -> bool:
        """Whether other processes know the ledger, so that a batch can be resumed."""
        return isinstance(self.table, Table)

    @property
    def name(self) -> str:
        """Name of the table."""
        return self.table.name if isinstance(self.table, Table) else "none"

    @property
    def progress(self) -> Callable[[Iterable[str]], dict[str, dict[str, Any]]]:
        """Returns the function that reads the entries of `request_id`s, by `request_id`."""
        if isinstance(self.table, Table):
            return Progress(self.table).of
        return partial(_memory_entries, self.table)

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
                f"the ledger {self.name} has no batch {batch_id}: it never existed, or has expired"
            )
        return StartedBatch(batch, members)

    @aws_errors()
    def stop_batch(self, batch_id: str) -> None:
        """Prevents further services from starting. Raises CommandError as `find_batch`."""
        self.find_batch(batch_id)
        self._batches.stop(batch_id, f"the batch was stopped with {caller()}")

    @property
    def _batches(self) -> Batches:
        if isinstance(self.table, Table):
            return Batches(self.table, retention_days=RETENTION_DAYS)
        return self.table.batches


def _memory_entries(ledger: MemoryLedger, request_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    entries = filter(None, map(ledger.history.find, request_ids))
    return {entry.request_id: to_item(entry) for entry in entries}


class Account:
    """An account in one region. All members raise AwsError."""

    @aws_errors()
    def __init__(self, name: str, region: str | None, profile: str | None):
        """`name` is the function's."""
        server_time = clients.ServerTime()
        self.clock = Clock(epoch=server_time)
        """Its `epoch` agrees with AWS's clocks."""
        self.region = clients.use(profile, region, server_time)
        self.queue_name, self.table_name = f"{name}-fleet.fifo", f"{name}-ledger"
        self.parameter = f"/{name}/targets"

    @cached_property
    def ecs(self) -> Ecs:
        """The client of ECS, with targets after `use_targets`."""
        return Ecs(may_list=True)

    def use_targets(
        self,
        events: Sequence[Mapping[str, Any]],
        ledger: Ledger | None = None,
        *,
        reads_only: bool = True,
    ) -> None:
        """Checks the place of each event. Reads the targets if one of the events names one.

        From then on `ecs` has them. `ledger`: that of the function. `reads_only`: take the read
        roles. Raises CommandError.
        """
        if any(map(target_of, events)):
            self._read_targets(ledger.arn_prefix if ledger else None, reads_only)
        if home := self.ecs.targets.home or (ledger.arn_prefix if ledger else ""):
            check_places(events, self.ecs.targets, home)

    @aws_errors()
    def targets(self, ledger: Ledger | None = None) -> Targets:
        """Returns the targets, which it reads. `ledger`: that of the function."""
        self._read_targets(ledger.arn_prefix if ledger else None, reads_only=True)
        return self.ecs.targets.targets()

    @aws_errors()
    def _read_targets(self, home: str | None, reads_only: bool) -> None:
        """Gives `ecs` the targets, unless it has them. `home`: None if it is not known."""
        if self.ecs.targets.home:
            return
        access_class = ReadAccess if reads_only else TargetAccess
        access = access_class(self.parameter, home or clients.arn_prefix(self.region))
        read_targets(access, self.parameter, self.region)
        self.ecs = Ecs(may_list=True, targets=access)

    @aws_errors()
    def locate(
        self, cluster: str, service: str, target: str | None, *, reads_only: bool = True
    ) -> tuple[Request, Ecs]:
        """Returns a request for a service, with the client of its account and region.

        Raises CommandError.
        """
        request = Request(cluster=cluster, service=service, target=target)
        with input_errors():
            if target not in (None, HOME):
                self._read_targets(None, reads_only)
            return locate(request, self.ecs)

    @cached_property
    @aws_errors()
    def ledger(self) -> Ledger | None:
        """The ledger; None if the table does not exist."""
        arn = clients.table_arn(self.table_name)
        return Ledger(Table(self.table_name), account_prefix(arn)) if arn else None

    @aws_errors()
    def memory_ledger(self, event: Mapping[str, Any]) -> Ledger:
        """Returns a ledger in memory. Reads the event's service to check the connection to AWS.

        After `use_targets` it is checked already.
        """
        if home := self.ecs.targets.home:
            return Ledger(MemoryLedger(self.clock.epoch), home)
        # Only this process uses the prefix, so it needs no real account.
        arn = ServiceIdentity.of(event).account or f"arn:aws:ecs:{self.region}:000000000000:"
        try:
            cluster, service = event["ecs_cluster_name"], event["ecs_service_name"]
            found, _ = self.ecs.describe_service(cluster, service)
            arn = found["serviceArn"] if found else arn
        except AwsFailure as failure:
            if failure.is_about_credentials or failure.code in UNREACHABLE:
                raise
        return Ledger(MemoryLedger(self.clock.epoch), account_prefix(arn))

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
    def needed_queue(self) -> Queue:
        """The queue. Raises CommandError if it does not exist."""
        url = sqs.queue_url(self.queue_name)
        if url:
            return Queue(url)
        raise CommandError(
            AWS,
            f"there is no queue {self.queue_name} in {self.region}: add --direct to deploy "
            "from this machine without one, give the function's name with --name, or take "
            "another --region",
        )


def new_batch(
    events: Sequence[dict[str, Any]],
    groups: Sequence[str | None],
    max_failures: int | None,
    clock: Clock,
    after_task_of: Mapping[int, int] | None = None,
) -> StartedBatch:
    """Returns a batch that is not in the ledger yet. Its waves are the `groups`.

    `after_task_of`: by number from 1, see `Member`.
    """
    now = clock.epoch()
    id_ = new_id(now, secrets.token_hex(8))
    members = list(members_of(id_, events, groups, after_task_of))
    return StartedBatch(Batch(id_, iso(now), len(members), caller(), max_failures), members)


def caller() -> str:
    """Returns the command and the user, as the ledger shows them."""
    try:
        return f"ecs-updater, by {getpass.getuser()}"
    except (KeyError, OSError):  # In a container a user may have a number but no name.
        return "ecs-updater"
