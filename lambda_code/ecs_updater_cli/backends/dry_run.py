"""What each service would become: the function's own dry run of each event, in parallel.

Reads alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import Ecs
from ecs_updater.aws.ecs_reader import SERVICES_PER_CALL, describe_services
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import CallerFault, EcsUpdaterError
from ecs_updater.ledger.batch import Member
from ecs_updater.model.service import ServiceDescription
from ecs_updater.throttling import DESCRIBE, DESCRIBE_REVISION

from ..batch.row import Row
from ..batch.state import plain_cause
from ..errors import told
from .buckets import Buckets

_PARALLEL = 10


@dataclass(frozen=True)
class ServicePlan:
    """What one update would do."""

    row: Row
    changes: Sequence[Mapping[str, Any]] = ()
    """Each with ``what``, ``from`` and ``to``, as the result has them."""
    deploys: bool = False
    notes: Sequence[str] = ()
    error: str | None = None
    """Why it could not be done."""
    error_type: str | None = None
    hint: str | None = None
    """What helps, beside the error."""
    before: Mapping[str, Any] = field(default_factory=dict)
    """The service as it is, see the result's BEFORE."""


class DryRun:
    """Plans many updates, no faster than ECS answers."""

    def __init__(
        self,
        ecs: Ecs,
        table: Table | None,
        environment: Mapping[str, str],
        buckets: Buckets,
        clock: Clock,
    ):
        """``table``: the ledger's, where there is one: a rollback looks there for what worked."""
        self._ecs, self._table, self._environment, self._buckets, self._clock = (
            ecs,
            table,
            environment,
            buckets,
            clock,
        )

    def plans(self, members: Sequence[Member]) -> Iterator[ServicePlan]:
        """The plan of each, in their order, as soon as it is there.

        Raises Trouble for what is no service's own fault.
        """
        with ThreadPoolExecutor(_PARALLEL) as pool:
            chunks = [
                members[first : first + SERVICES_PER_CALL]
                for first in range(0, len(members), SERVICES_PER_CALL)
            ]
            try:
                for planned in pool.map(self._chunk, chunks):
                    yield from planned
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _chunk(self, members: Sequence[Member]) -> list[ServicePlan]:
        events = [member.event for member in members]
        self._buckets.take(DESCRIBE, len({event["ecs_cluster_name"] for event in events}), 0)
        ahead = describe_services(
            self._ecs,
            [(event["ecs_cluster_name"], event["ecs_service_name"]) for event in events],
            self._clock.epoch,
        )
        return [self._plan(member, known) for member, known in zip(members, ahead, strict=True)]

    def _plan(self, member: Member, known: ServiceDescription | None) -> ServicePlan:
        row = Row.of(member)
        self._buckets.take(DESCRIBE_REVISION, 1, 0)
        event = {
            **{name: value for name, value in member.event.items() if name != "request_id"},
            "dry_run": True,
        }
        try:
            body = deploy(
                event,
                self._environment,
                self._ecs,
                Call(clock=self._clock),
                self._table,
                service=known,
            )["body"]
        except CallerFault as error:
            return ServicePlan(
                row, error=plain_cause(str(error)), error_type=type(error).__name__, hint=error.hint
            )
        except EcsUpdaterError as failed:
            with told():
                raise failed
        deployment = body["deployment"]
        return ServicePlan(
            row,
            body["changes"],
            deployment["verdict"] is None,
            deployment.get("notes", []),
            before=body["BEFORE"],
        )
