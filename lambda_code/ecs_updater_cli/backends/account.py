"""Where the command works: profile, region, the names of queue and table, the clients."""

from dataclasses import dataclass
from functools import cached_property

from ecs_updater.aws import session, sqs
from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.sqs import Queue
from ecs_updater.context import Clock

from ..errors import AWS, CommandError, told


@dataclass(frozen=True)
class Ledger:
    """The ledger's table, and how the ARNs of ECS begin where it is."""

    table: Table
    arn_prefix: str
    """``arn:aws:ecs:eu-west-1:123456789012:``"""


class Account:
    """An account in one region, as the credentials open it. Methods raise ``ending.Trouble``."""

    def __init__(self, name: str, region: str | None, profile: str | None):
        """``name``: the function's."""
        server_time = session.ServerTime()
        self.clock = Clock(epoch=server_time)
        """For whatever other machines compare with their own clocks."""
        with told():
            self.region = session.use(profile, region, server_time)
        self.queue_name, self.table_name = f"{name}-fleet.fifo", f"{name}-ledger"

    @cached_property
    def ecs(self) -> Ecs:
        """The calls of an update."""
        return Ecs(may_list=True)

    @cached_property
    def ledger(self) -> Ledger | None:
        """The ledger; None where there is none."""
        with told():
            arn = session.table_arn(self.table_name)
            if arn is None:
                return None
            _, partition, _, region, account, _ = arn.split(":", 5)
            return Ledger(Table(self.table_name), f"arn:{partition}:ecs:{region}:{account}:")

    @property
    def needed_ledger(self) -> Ledger:
        """The ledger. Raises CommandEnd where there is none."""
        if self.ledger is None:
            raise CommandError(
                AWS,
                f"there is no table {self.table_name} in {self.region}: deploy the function with "
                "its ledger, or give its name "
                "with --name, or take another --region",
            )
        return self.ledger

    @cached_property
    def queue(self) -> Queue | None:
        """The queue; None where there is none."""
        with told():
            url = sqs.queue_url(self.queue_name)
            return Queue(url) if url else None

    @property
    def needed_queue(self) -> Queue:
        """The queue. Raises CommandEnd where there is none."""
        if self.queue is None:
            raise CommandError(
                AWS,
                f"there is no queue {self.queue_name} in {self.region}: add --direct to deploy "
                "from this machine without one, "
                "or give the function's name with --name, or take another --region",
            )
        return self.queue
