"""The queue as backend: worker and reconciler run the updates, and the ledger has their state."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_updater.aws.ecs_reader import SERVICES_PER_CALL
from ecs_updater.aws.sqs import Outgoing
from ecs_updater.ledger.batch import Member
from ecs_updater.model.arn import group_id
from ecs_updater.worker.message import BATCH

from ..batch.state import Status, TaskCounts, status_for
from ..batch.tracker import Row
from ..commands.options import AccountOptions
from ..errors import aws_errors
from ..manifest.entries import ServiceIdentity
from .account import Account, Ledger

POLL_SECONDS = 1.0


class LedgerBackend:
    """Reads the status of a batch's services from the ledger and ECS."""

    def __init__(self, account: Account, ledger: Ledger, batch: str):
        self.id = batch if ledger.is_kept else None
        self._batch, self._progress = batch, ledger.progress
        self._ecs, self._clock = account.ecs, account.clock
        self._counted_at: dict[int, float] = defaultdict(lambda: -math.inf)
        self._next_count = -math.inf

    @aws_errors()
    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """Returns the status of each service with an entry in the ledger, by number."""
        rows = {row.member.request_id: row for row in waiting}
        return {
            rows[request_id].number: status_for(rows[request_id].member.event, item)
            for request_id, item in self._progress(rows).items()
            if request_id in rows
        }

    @aws_errors()
    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """Returns the counts of the rows that were not counted for the longest time, by number.

        One DescribeServices a second reads ten services of a cluster.
        """
        now = self._clock.now()
        rolling = [
            row
            for row in waiting
            if row.state.is_rolling_out and row.status.cluster_arn and row.status.service_arn
        ]
        if not rolling or now < self._next_count:
            return {}
        self._next_count = now + POLL_SECONDS
        rolling.sort(key=lambda row: (self._counted_at[row.number], row.number))
        cluster = rolling[0].status.cluster_arn
        rows = [row for row in rolling if row.status.cluster_arn == cluster][:SERVICES_PER_CALL]
        self._counted_at |= {row.number: now for row in rows}
        services, _ = self._ecs.describe_services(cluster, [row.status.service_arn for row in rows])
        by_arn = {service["serviceArn"]: service for service in services}
        return {
            row.number: counts_of(by_arn[row.status.service_arn], row.status.deployment_id)
            for row in rows
            if row.status.service_arn in by_arn
        }

    def close(self) -> None:
        """Does nothing: other processes run the updates."""


def counts_of(service: Mapping[str, Any], deployment_id: str | None) -> TaskCounts:
    """Returns the counts of a deployment in the output of DescribeServices.

    Those of the service if the deployment is not listed.
    """
    by_id = {deployment.get("id"): deployment for deployment in service.get("deployments", [])}
    found = by_id.get(deployment_id, service)
    return TaskCounts(found.get("runningCount", 0), found.get("desiredCount", 0))


class SqsBackend(LedgerBackend):
    """Starts the updates of a batch by messages. Worker and reconciler run them."""

    def __init__(self, account: Account, batch: str, options: AccountOptions):
        ledger = account.needed_ledger
        super().__init__(account, ledger, batch)
        self._queue, self._prefix = account.needed_queue, ledger.arn_prefix
        self._resume = f"resume with {options.command('watch', batch)}"

    @aws_errors()
    def start(self, members: Sequence[Member]) -> None:
        """Sends a message for each service. The worker recognises a repeated one by its id."""
        self._queue.send([self._message(member) for member in members])

    def detach_note(self, _: Sequence[Row], is_some_left: bool) -> str:
        """Returns how to resume."""
        return (
            f"sent updates continue; {self._resume}, which sends the rest"
            if is_some_left
            else self._resume
        )

    def hint(self, is_some_left: bool) -> str:
        """Returns what continues after Ctrl-C."""
        return (
            "Ctrl-C detaches: sent updates continue, the others wait for ecs-updater watch"
            if is_some_left
            else "Ctrl-C detaches, and the updates go on"
        )

    def _message(self, member: Member) -> Outgoing:
        key = ServiceIdentity.of(member.event).key(self._prefix)
        deduplication = hashlib.sha256(member.request_id.encode()).hexdigest()
        body = json.dumps(member.event)
        return Outgoing(body, group_id(key), deduplication, {BATCH: self._batch})
