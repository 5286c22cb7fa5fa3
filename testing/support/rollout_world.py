"""A world for updates: the simulated ECS and the DynamoDB in memory on one clock, and the function.

A call can fail or the process be killed at any request of either service:
``world.at_next = Trouble(n, THROTTLED)``.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
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
from fakes.memory_dynamodb import TABLE, MemoryDynamodb
from fakes.scaling import FakeScaling
from fakes.simulated_ecs import Image, SimulatedEcs
from fakes.simulated_ecs.deployments import Deployment
from fakes.wire import REGION, SERVICE_ARN, Killed

from .trouble import DYNAMODB, ECS, Process, Trouble

EVENT = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "app:2",
    "ecs_tag": {"release": "2"},
}
OLD_TAGS = {"old-custom-tag-name": "old-custom-tag-value"}
ROLLBACK = {
    "action": "rollback",
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
}
SIDECAR = [
    {"name": "ecs-dummy-container", "image": "busybox", "memory": 128},
    {"name": "sidecar", "image": "envoy:1", "memory": 64},
]
"""Containers of a service with two of them."""


@dataclass(frozen=True)
class Outcome:
    """Answer or error of one update."""

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
        """The error message, or the deployment of the answer."""
        return str(self.error or (self.answer or {}).get("body", {}).get("deployment"))

    @property
    def notes(self) -> list[str]:
        """The notes of the answer."""
        return self.answer["body"]["deployment"].get("notes", []) if self.answer else []


class EndlessQuota(quota.RetryQuota):
    """Never limits the retries of the SDK, so that every run is the same."""

    def acquire(self, capacity_amount: int) -> bool:
        return True


QUICK = Config(signature_version=UNSIGNED, parameter_validation=False)
"""Leaves out a third of the SDK's work on a request, which no test checks."""


class Function:
    """Clients of the function, shared by many worlds: creating them takes longer than most runs."""

    def __init__(self, dynamodb: MemoryDynamodb):
        self.dynamodb = dynamodb
        with mock.patch.object(quota, "RetryQuota", EndlessQuota):
            self.client = boto3.client("ecs", region_name=REGION, config=_CONFIG.merge(QUICK))
            self.table = Table(TABLE, dynamodb.client(dynamodb_boundary._CONFIG.merge(QUICK)))
        self.calls: Counter[str] = Counter()
        self.ecs = Ecs(self.client, self.calls)

    def world(self, **options: Any) -> "World":
        """A new world, with an empty ledger."""
        self.dynamodb.clear()
        self.calls.clear()
        return World(self.dynamodb, self.table, self, **options)


class RecordedDeployments(list[Deployment]):
    """Deployments of a service. Records the revision of each by its id, because ECS forgets those
    that were replaced.
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
        image: Image | None = None,
        **options: Any,
    ):
        """`image` is the behaviour of `app:2`; the options are those of the simulated ECS."""
        self.ecs = SimulatedEcs(**options)
        if image:
            self.ecs.publish(EVENT["ecs_image_name"], image)
        self.clock = Clock(
            self.ecs.clock.now, self.ecs.clock.sleep, lambda: 0.5, self.ecs.clock.now
        )
        self.dynamodb = table
        self.table = boundary
        self.calls: Counter[str] = function.calls if function else Counter()
        if function:
            self.ecs.take(function.client)
            self.boundary = function.ecs
        else:
            self.boundary = Ecs(self.ecs.client(_CONFIG), self.calls)
        self.scaling = self.boundary.scaling = FakeScaling()
        self._ids = itertools.count(1)
        self.at_next: Trouble | None = None
        """Fault of the next update or run of the reconciler."""
        self.process = Process(None, self.pass_time)
        """Process of the last update."""
        self.made: dict[str, str] = {}
        """Revision of every deployment by its id, in order."""
        self.ecs.service.deployments = RecordedDeployments(self.ecs.service.deployments, self.made)
        self.ecs.before = lambda request: self.process.before(ECS, request)
        if table:
            table.before = lambda request: self.process.before(DYNAMODB, request)
            table.now = self.ecs.clock.now

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the function."""
        return {"ALLOWED_FIELDS": "*", "ALLOWED_SECRETS": "*"} | (
            {"LEDGER_TABLE": TABLE} if self.table else {}
        )

    def send(
        self,
        event: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        ends_after: float | None = None,
        batch: str | None = None,
        **fields: Any,
    ) -> Outcome:
        """Does one update. The keywords are fields of the event. None removes a field.

        `ends_after` is the time-out of the function in seconds, `batch` the update's batch.
        """
        whole = {**(event or EVENT), **fields}
        whole = {name: value for name, value in whole.items() if value is not None}
        end = self.clock.now() + (ends_after or 0)
        call = Call(
            f"invocation-{next(self._ids)}",
            "test",
            lambda: end - self.clock.now() if ends_after else 900.0,
            self.clock,
            batch,
        )
        settings = {**self.environment, **(environment or {})}
        return self.outcome_of(lambda: deploy(whole, settings, self.boundary, call, self.table))

    def update(self, *numbers: int, image: Image | None = None, **fields: Any) -> Outcome:
        """Deploys `app:NUMBER` for each number, with the number as a tag, and waits two minutes.

        Returns the last outcome. `image` is the behaviour of the images.
        """
        for number in numbers:
            name = f"app:{number}"
            if image:
                self.ecs.publish(name, image)
            event = {"ecs_image_name": name, "ecs_tag": {"release": str(number)}}
            outcome = self.send(**event, **{"wait_seconds": 120, **fields})
        return outcome

    def outcome_of(self, process: Callable[[], dict[str, Any]]) -> Outcome:
        """Runs `process` with the fault that is due."""
        self.process, self.at_next = Process(self.at_next, self.pass_time), None
        try:
            return outcome_of(process)
        finally:
            self.process.ends()

    def reconcile(
        self, event: Any = None, settings: Mapping[str, str] | None = None
    ) -> Reconciliation:
        """Runs the reconciler once, with `settings` added to the function's environment."""
        call = Call(f"reconciler-{next(self._ids)}", None, lambda: 900.0, self.clock)
        return reconcile(
            event, {**self.environment, **(settings or {})}, self.boundary, self.table, call
        )

    def reconcile_all(self, every: float = 60, most: int = 60) -> list[Entry]:
        """Runs the reconciler until nothing is open. Returns the entries that it ended."""
        ended: list[Entry] = []
        for _ in range(most):
            run = self.reconcile()
            ended += run.ended
            if not run.open and not run.skipped:
                break
            self.pass_time(every)
        return ended

    def finish(self, seconds: float) -> list[Entry]:
        """Lets time pass, then reconciles everything."""
        self.pass_time(seconds)
        return self.reconcile_all()

    def before(
        self,
        operation: str,
        action: Callable[[], object],
        skip: int = 0,
        times: int = 1,
        service: str = ECS,
    ) -> None:
        """Calls `action` before an operation is sent, `times` times after the first `skip` calls
        of it.
        """
        calls = itertools.count()
        boundary: Any = self.boundary if service == ECS else self.table
        client = boundary._client  # pylint: disable=protected-access

        def hook(**_: Any) -> None:
            if skip <= next(calls) < skip + times:
                action()

        client.meta.events.register_first(f"before-send.{service}.{operation}", hook)

    def redeploy(self, *containers: dict[str, Any], family: str = "ecs-dummy-task") -> None:
        """Registers a revision with these containers and deploys it, as another program does."""
        body = {"family": family, "containerDefinitions": list(containers)}
        arn = self.ecs.world.register(body)["taskDefinitionArn"]
        self.ecs.redeploy(arn.rpartition("/")[2])

    def held(self, request_id: str) -> Callable[[], object]:
        """Takes the lease of the service as another update does. Returns the function that releases
        it.
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
        """Entries of the service, the latest first."""
        return History(self.table, clock=self.clock.epoch).latest(SERVICE_ARN) if self.table else []

    @property
    def verdicts(self) -> list[str | None]:
        """Verdicts of the entries, the latest first."""
        return [entry.verdict for entry in self.history]

    @property
    def image(self) -> str:
        """Image of the container of the service, as it is or will be."""
        return self.ecs.running_images["ecs-dummy-container"]

    @property
    def lease_is_free(self) -> bool:
        """Whether another update can begin now."""
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


def outcome_of(process: Callable[[], dict[str, Any]]) -> Outcome:
    """Runs `process`. Returns its answer, its error, or that it was killed."""
    try:
        return Outcome(answer=process())
    except EcsUpdaterError as error:
        return Outcome(error=error)
    except Killed:
        return Outcome(was_killed=True)


def boundary_of(fake: MemoryDynamodb) -> Table:
    """The ledger's table with the client settings that the function has."""
    return Table(TABLE, fake.client(dynamodb_boundary._CONFIG))  # pylint: disable=protected-access
