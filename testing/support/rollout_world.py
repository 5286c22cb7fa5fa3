"""A whole world for updates: the simulated ECS and moto's DynamoDB on one clock, with the function
in front of them.

A call can fail or the process be killed at any request of either service:
``world.at_next = Trouble(n, THROTTLED)``.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.retries import quota

from ecs_updater.aws import dynamodb as dynamodb_boundary
from ecs_updater.aws.dynamodb import Table
from ecs_updater.aws.ecs import _CONFIG, Ecs
from ecs_updater.context import Call, Clock
from ecs_updater.deployments.deploy import deploy
from ecs_updater.deployments.reconciler import Reconciliation, reconcile
from ecs_updater.errors import EcsUpdaterError
from ecs_updater.ledger.entry import Entry
from ecs_updater.ledger.lease import Holder, Leases
from ecs_updater.ledger.store import History
from fakes.fake_ecs import REGION, SERVICE_ARN
from fakes.memory_dynamodb import TABLE, MemoryDynamodb
from fakes.simulated_ecs import Killed, SimulatedEcs
from fakes.simulated_ecs.deployments import Deployment

from .trouble import DYNAMODB, ECS, Process, Trouble

EVENT = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "app:2",
    "ecs_tag": {"release": "2"},
}
OLD_TAGS = {"old-custom-tag-name": "old-custom-tag-value"}


@dataclass(frozen=True)
class Told:
    """What the caller of one update got."""

    answer: dict[str, Any] | None = None
    error: EcsUpdaterError | None = None
    was_killed: bool = False

    @property
    def verdict(self) -> str:
        """The verdict, or the name of the error."""
        if self.answer:
            return self.answer["body"]["deployment"]["verdict"]
        return type(self.error).__name__ if self.error else "killed"

    @property
    def text(self) -> str:
        """What a person reads."""
        return (
            str(self.error)
            if self.error
            else str((self.answer or {}).get("body", {}).get("deployment"))
        )


class _EndlessQuota(quota.RetryQuota):
    """Lets the SDK repeat whatever its other rules let it repeat, however much failed before: in
    every run the same.
    """

    def acquire(self, capacity_amount: int) -> bool:
        return True


_QUICK = Config(signature_version=UNSIGNED, parameter_validation=False)
"""Leaves out a third of the SDK's work on a request, which nobody looks at here."""


class Function:
    """What the function makes at module scope, for many worlds one after another: to make it takes
    longer than most runs.
    """

    def __init__(self, dynamodb: MemoryDynamodb):
        self.dynamodb = dynamodb
        with mock.patch.object(quota, "RetryQuota", _EndlessQuota):
            self.client = boto3.client("ecs", region_name=REGION, config=_CONFIG.merge(_QUICK))
            self.table = Table(TABLE, dynamodb.client(dynamodb_boundary._CONFIG.merge(_QUICK)))
        self.calls: Counter[str] = Counter()
        self.ecs = Ecs(self.client, self.calls)

    def world(self, **options: Any) -> "World":
        """A new world, with an empty ledger."""
        self.dynamodb.clear()
        self.calls.clear()
        return World(self.dynamodb, self.table, self, **options)


class _Watched(list[Deployment]):
    """A service's deployments, which notes each that is made: ECS forgets those that were
    replaced.
    """

    def __init__(self, deployments: list[Deployment], made: dict[str, str]):
        super().__init__()
        self._made = made
        for deployment in reversed(deployments):
            self.insert(0, deployment)

    def insert(self, index: Any, deployment: Deployment) -> None:
        self._made.setdefault(
            deployment.id, deployment.revision.task_definition["taskDefinitionArn"]
        )
        super().insert(index, deployment)


class World:
    """One service, one ledger, one clock."""

    def __init__(
        self,
        table: MemoryDynamodb | None = None,
        boundary: Table | None = None,
        function: Function | None = None,
        **options: Any,
    ):
        self.ecs = SimulatedEcs(**options)
        self.clock = Clock(
            self.ecs.clock.now, self.ecs.clock.sleep, lambda: 0.5, self.ecs.clock.now
        )
        self.dynamodb = table
        self.table = boundary
        self.calls: Counter[str] = function.calls if function else Counter()
        if function:
            self.ecs.wire.take(function.client)
            self.boundary = function.ecs
        else:
            self.boundary = Ecs(self.ecs.client(_CONFIG), self.calls)
        self._ids = itertools.count(1)
        self.at_next: Trouble | None = None
        """What goes wrong with the next update, or run of the completer."""
        self.process = Process(None, self.pass_time)
        """The last one."""
        self.made: dict[str, str] = {}
        """The revision of each deployment that there ever was, by its id, in order."""
        self.ecs.service.deployments = _Watched(self.ecs.service.deployments, self.made)
        self.ecs.wire.before = lambda request: self._before(ECS, request)
        if table:
            table.before = lambda request: self._before(DYNAMODB, request)
            table.now = self.ecs.clock.now

    @property
    def environment(self) -> dict[str, str]:
        """That of the function."""
        return {"LEDGER_TABLE": TABLE} if self.table else {}

    def send(
        self,
        event: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Told:
        """Does one update; the keywords are fields of the event, None leaves one out."""
        whole = {
            name: value
            for name, value in {**(event or EVENT), **fields}.items()
            if value is not None
        }
        call = Call(f"invocation-{next(self._ids)}", "test", lambda: 900.0, self.clock)
        settings = {**self.environment, **(environment or {})}
        return self.told(lambda: deploy(whole, settings, self.boundary, call, self.table))

    def told(self, process: Callable[[], dict[str, Any]]) -> Told:
        """What comes of ``process``, whatever that is."""
        try:
            with self._process():
                return Told(answer=process())
        except EcsUpdaterError as error:
            return Told(error=error)
        except Killed:
            return Told(was_killed=True)

    def complete(
        self, event: Any = None, settings: Mapping[str, str] | None = None
    ) -> Reconciliation:
        """One run of the completer; ``settings`` beside the function's environment."""
        call = Call(f"completer-{next(self._ids)}", None, lambda: 900.0, self.clock)
        return reconcile(
            event, {**self.environment, **(settings or {})}, self.boundary, self.table, call
        )

    def complete_until_all_is_done(self, every: float = 60, most: int = 60) -> list[Entry]:
        """Runs of the completer, until nothing is open; what they ended."""
        ended: list[Entry] = []
        for _ in range(most):
            run = self.complete()
            ended += run.ended
            if not run.open and not run.skipped:
                break
            self.ecs.clock.advance(every)
        return ended

    @contextmanager
    def _process(self) -> Iterator[None]:
        self.process, self.at_next = Process(self.at_next, self.pass_time), None
        try:
            yield
        finally:
            self.process.ends()

    def _before(self, service: str, request: Any) -> Any:
        return self.process.before(service, request)

    def held(self, request_id: str) -> Callable[[], object]:
        """Takes the service's lease as another update does; call what is returned to give it
        back.
        """
        assert self.table
        leases = Leases(self.table, clock=self.clock.epoch, sleep=self.clock.sleep)
        holder = Holder.of(request_id)
        leases.acquire(SERVICE_ARN, holder)
        return lambda: leases.release(SERVICE_ARN, holder)

    def pass_time(self, seconds: float) -> None:
        """Lets time pass."""
        self.ecs.clock.advance(seconds)

    @property
    def history(self) -> list[Entry]:
        """The service's entries, the latest first."""
        return History(self.table, clock=self.clock.epoch).latest(SERVICE_ARN) if self.table else []

    @property
    def lease_is_free(self) -> bool:
        """Whether another update could begin now."""
        item = self.dynamodb.items.get((SERVICE_ARN, "LEASE")) if self.dynamodb else None
        return (
            item is None
            or "holder" not in item
            or float(item["expires_at"]["N"]) < self.clock.epoch()
        )

    @property
    def tags(self) -> dict[str, str]:
        """The service's tags."""
        return dict(self.ecs.service.tags)

    @property
    def state(self) -> tuple[dict[str, str], dict[str, str]]:
        """Images and tags of the service, as it is or is about to be."""
        return self.ecs.running_images, self.tags


def boundary_of(fake: MemoryDynamodb) -> Table:
    """The ledger's table with the client settings that the function has."""
    return Table(TABLE, fake.client(dynamodb_boundary._CONFIG))  # pylint: disable=protected-access
