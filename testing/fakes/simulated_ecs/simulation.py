"""A whole simulated ECS, for tests: the world, the wire and the clock put together, and what a test
looks at.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ReadTimeoutError

from ecs_updater.aws import ecs_reader
from ecs_updater.aws.ecs_reader import EcsReader
from ecs_updater.context import Clock as FunctionClock
from fakes.ecs_buckets import Buckets
from fakes.wire import PREFIX, THROTTLED, Fault, Json, Request

from .clock import Clock
from .happenings import Happenings
from .images import Registry
from .model import check_answer, check_request
from .operations import Operations
from .runner import Timing
from .scheduler import Quirks, Scheduler
from .service import Service
from .world import World

CLUSTER, SERVICE, FAMILY, CONTAINER = (
    "ECSCluster",
    "ecs-dummy-service",
    "ecs-dummy-task",
    "ecs-dummy-container",
)
OLD_TAGS = {"old-custom-tag-name": "old-custom-tag-value"}
BREAKER = {"enable": True, "rollback": True}
BREAKER_WITHOUT_ROLLBACK = {"enable": True, "rollback": False}


class SimulatedEcs(Happenings):
    """One cluster with one service, ``ecs-dummy-service``, which has been running
    ``ecs-dummy-task:1`` for an hour.

    ``services``: instead the services by cluster and name, each with the options of
    ``add_service``. ``has_limits``: calls are throttled as ECS throttles them.
    ``prefix``: the beginning of its ARNs, which has account and region.
    ``breaker`` is the service's circuit breaker, off by default. ``service_deployments=False``, or
    the code and message of a refusal, is a partition or an emulator without service deployments.
    ``stale_reads``: for so many seconds after an UpdateService the service is still read as it was.
    ``express``: ECS manages the service's resources. ``added_containers``: what ECS adds to each
    task. ``rollback_reuses_id``, ``deployment_has_number_of_revision``: see Quirks.
    """

    def __init__(  # pylint: disable=too-many-locals  # Settings, each with a default.
        self,
        clock: Clock | None = None,
        *,
        desired: int = 1,
        containers: list[dict[str, Any]] | None = None,
        tags: Mapping[str, str] | None = None,
        breaker: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
        launch_type: str = "FARGATE",
        service_deployments: bool | tuple[str, str] = True,
        rollback_reuses_id: bool = False,
        deployment_has_number_of_revision: bool = False,
        stale_reads: float = 0,
        express: bool = False,
        added_containers: tuple[str, ...] = (),
        timing: Timing | None = None,
        latency: float = 0.05,
        time_out: float = 10,
        seed: int = 0,
        services: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        has_limits: bool = False,
        prefix: str = PREFIX,
        **task_definition: Any,
    ):
        super().__init__("ecs")
        self.clock = clock or Clock()
        self.lock, self.now = self.clock.lock, self.clock.now
        self.images = Registry()
        quirks = Quirks(rollback_reuses_id, deployment_has_number_of_revision)
        self.world = World(
            self.clock, self.images, timing or Timing(), seed, CLUSTER, quirks, prefix
        )
        self._operations = Operations(self.world, service_deployments, stale_reads)
        self._latency, self._time_out = latency, time_out
        self.buckets = Buckets()
        """ECS's rate limits, and the number of calls of each operation."""
        self._has_limits = has_limits
        for cluster, members in (services or {}).items():
            for name, fields in members.items():
                self.add_service(cluster, name, **fields)
        if services is not None:
            return
        first = self.world.register(
            {
                "family": FAMILY,
                "containerDefinitions": containers
                or [{"name": CONTAINER, "image": "busybox", "memory": 128}],
                "cpu": "256",
                "memory": "512",
                **task_definition,
            }
        )
        self.scheduler: Scheduler = self.world.add_service(
            SERVICE,
            first,
            desired,
            OLD_TAGS if tags is None else tags,
            launch_type,
            breaker,
            configuration or {},
        )
        self.service.is_express, self.service.added_containers = express, added_containers

    def add_service(
        self,
        cluster: str,
        name: str,
        tags: Mapping[str, str] | None = None,
        image: str = "",
        revision: Mapping[str, Any] | None = None,
        **shown: Any,
    ) -> None:
        """A further service, of a family of its own or with this ``revision``; see
        ``World.add_service``.
        """
        container = {"name": "app", "image": image or f"registry/{name}:1", "memory": 128}
        first = revision or self.world.register(
            {"family": name, "containerDefinitions": [container]}
        )
        self.world.add_service(
            name, first, 1, tags or {}, "FARGATE", None, {}, cluster=cluster, **shown
        )

    # What the code under test is given.

    def answer(self, operation: str, body: Json) -> Json:
        if self.fits_model:
            check_request(operation, body)
        answer = self._operations.answer(operation, body)
        if self.fits_model:
            check_answer(operation, answer)
        return answer

    def _fault(self, sent: Request) -> tuple[Fault | None, bool] | None:
        if self._has_limits and not self.buckets.take(sent.operation, self.clock.now()):
            return THROTTLED, False
        return super()._fault(sent)

    def _pass_time(self, fault: Fault | None) -> None:
        is_lost = isinstance(fault, ReadTimeoutError)
        self.clock.advance(self._time_out if is_lost else self._latency)

    def reader(self) -> EcsReader:
        """The function's reader of lists, on the simulated clock."""
        clock = FunctionClock(now=self.clock.now, sleep=self.clock.sleep)
        return EcsReader(self.client(ecs_reader._CONFIG), clock=clock)  # pylint: disable=protected-access

    # What a test looks at.

    def service_of(self, name: str) -> Service:
        """A service of the first cluster."""
        found = self.world.find(name, self.world.arn_of("cluster", CLUSTER))
        assert found, name
        return found.service

    @property
    def primary_id(self) -> str:
        """The id of its newest deployment."""
        return self.service.primary.id

    @property
    def running_images(self) -> dict[str, str]:
        """Image by container, of the revision that the service runs or is about to run."""
        return {
            c["name"]: c["image"]
            for c in self.service.primary.revision.task_definition["containerDefinitions"]
        }

    @property
    def running_arn(self) -> str:
        """ARN of the revision that the service runs or is about to run."""
        arn: str = self.service.primary.revision.task_definition["taskDefinitionArn"]
        return arn

    @property
    def revisions(self) -> list[dict[str, Any]]:
        """All task definitions, the newest last."""
        return self.world.task_definitions

    @property
    def writes(self) -> list[str]:
        """Those of them that write."""
        return [
            operation
            for operation in self.operations
            if not operation.startswith(("Describe", "List"))
        ]
