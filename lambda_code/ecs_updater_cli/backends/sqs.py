"""The queue as backend: worker and reconciler run the updates, and the ledger has their state."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecs_updater.aws.ecs_reader import SERVICES_PER_CALL
from ecs_updater.aws.sqs import Outgoing
from ecs_updater.errors import InvalidEventError, Outcome, TargetRoleError
from ecs_updater.ledger.batch import Member
from ecs_updater.ledger.queries import problem_of
from ecs_updater.model.arn import group_id, is_named
from ecs_updater.model.request import fingerprint_of_event
from ecs_updater.model.strategy import COMPLETE
from ecs_updater.worker.message import BATCH

from ..batch.state import State, Status, TaskCounts, plain_cause, status_of, with_stage
from ..batch.tracker import Row
from ..commands.options import AccountOptions
from ..manifest.entries import ServiceIdentity
from ..output.terminal import number_of
from .account import Account, Ledger
from .aws_errors import aws_errors
from .targets import prefix_of

POLL_SECONDS = 1.0

# Number of updates that a note names.
_MAX_NAMES = 5


class LedgerBackend:
    """Reads the status of a batch's services from the ledger and ECS."""

    awaited = Row.awaited

    def __init__(
        self, account: Account, ledger: Ledger, batch: str, options: AccountOptions, *words: str
    ):
        """`words`: options of the command that resumes the batch."""
        self.id = batch if ledger.is_kept else None
        self.hint = (
            "Ctrl-C detaches: started updates continue, the others wait for ecs-updater watch"
            if self.id
            else "Ctrl-C stops: no other process starts or rolls back the rest"
        )
        self._resume = options.command("watch", batch, *words)
        self._options = options
        self._batch, self._progress = batch, ledger.progress
        self._ecs, self._clock = account.ecs, account.clock
        self._next_count = -math.inf
        self._uncounted: set[str] = set()
        """Clusters in targets that this process may not read."""

    @aws_errors()
    def poll(self, waiting: Sequence[Row]) -> Mapping[int, Status]:
        """Returns the status of each service with an entry in the ledger, by number."""
        rows = {row.member.request_id: row for row in waiting}
        return {
            rows[request_id].number: self._with_command(
                rows[request_id], status_for(rows[request_id].member, item)
            )
            for request_id, item in self._progress(rows).items()
            if request_id in rows
        }

    def _with_command(self, row: Row, status: Status) -> Status:
        """Returns the status with the command that answers its hook, if it awaits an answer."""
        if status.hook_id is None:
            return status
        identity = ServiceIdentity.of(row.member.event)
        words = [identity.cluster, identity.service, status.hook_id]
        words += ["--target", identity.target] if identity.target else []
        command = self._options.command("approve", *words)
        return replace(
            status, hint=f"{command} continues it, reject in place of approve rolls back"
        )

    @aws_errors()
    def counts(self, waiting: Sequence[Row]) -> Mapping[int, TaskCounts]:
        """Returns the counts of the rows that were not counted for the longest time, by number.

        One DescribeServices a second reads ten services of a cluster.
        """
        now = self._clock.now()
        rolling = [
            row
            for row in waiting
            if row.state.is_rolling_out
            and row.status.cluster_arn not in ("", *self._uncounted)
            and row.status.service_arn
        ]
        if not rolling or now < self._next_count:
            return {}
        self._next_count = now + POLL_SECONDS
        rolling.sort(key=lambda row: row.polled_at)
        cluster = rolling[0].status.cluster_arn
        rows = [row for row in rolling if row.status.cluster_arn == cluster][:SERVICES_PER_CALL]
        arns = [row.status.service_arn for row in rows]
        try:
            services, _ = self._ecs.for_arn(cluster).describe_services(cluster, arns)
        except TargetRoleError as error:
            if error.outcome is not Outcome.NOT_PERMITTED:
                raise
            # The updates need no role of this process, and the ledger has their verdicts.
            self._uncounted.add(cluster)
            return {}
        by_arn = {service["serviceArn"]: service for service in services}
        return {
            row.number: counts_of(by_arn[row.status.service_arn], row.status.deployment_id)
            for row in rows
            if row.status.service_arn in by_arn
        }

    def close(self) -> None:
        """Does nothing: other processes run the updates."""

    def detach_note(self, waiting: Sequence[Row]) -> str:
        """Returns what happens to the rows that are not over, and how to resume."""
        if self.id:
            return (
                "started updates continue, and the reconciler finishes them; resume with "
                f"{self._resume}"
            )
        under_way = [
            row.name
            for row in waiting
            if row.status.begun_at is not None and row.state is not State.RETRYING
        ]
        if not under_way:
            return "no update is under way"
        more = ", …" if len(under_way) > _MAX_NAMES else ""
        return (
            f"{number_of(len(under_way), 'update')} under way "
            f"({', '.join(under_way[:_MAX_NAMES])}{more}); without a ledger no process rolls them "
            "back on failure: ecs-updater status shows them"
        )


def status_for(member: Member, item: dict[str, Any]) -> Status:
    """Returns the status of the update of a member, from the entry of its `request_id`.

    The update has failed if the entry belongs to another update, or cannot be read: then the
    reconciler does not end it.
    """
    if problem := problem_of(item):
        cause = plain_cause(str(problem))
        return Status(State.FAILED, cause, error_type=type(problem).__name__)
    service, event = item["service"], member.event
    is_service = is_named(service, event["ecs_cluster_name"], event["ecs_service_name"])
    own = (None, member.fingerprint, fingerprint_of_event(event))
    if is_service and item.get("fingerprint") in own:
        return with_stage(status_of(item), item, event.get("wait_until", COMPLETE))
    cause = (
        f"its request_id {event.get('request_id')} is taken by another update, of "
        f"{service}: deploy it again"
    )
    return Status(State.FAILED, cause, error_type=InvalidEventError.__name__)


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
        super().__init__(account, ledger, batch, options)
        self._queue, self._prefix = account.needed_queue, ledger.arn_prefix

    @aws_errors()
    def start(self, members: Sequence[Member]) -> None:
        """Sends a message for each service. The worker recognises a repeated one by its id."""
        self._queue.send([self._message(member) for member in members])

    def _message(self, member: Member) -> Outgoing:
        prefix = prefix_of(member.event, self._ecs.targets, self._prefix)
        key = ServiceIdentity.of(member.event).key(prefix)
        deduplication = hashlib.sha256(member.request_id.encode()).hexdigest()
        body = json.dumps(member.event)
        return Outgoing(body, group_id(key), deduplication, {BATCH: self._batch})
