"""Many services on the simulated ECS, throttled as ECS throttles, at the time of a test."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from ecs_updater.aws import ecs as boundary
from ecs_updater.aws.ecs import Ecs

from .simulated_ecs import Clock, Image, SimulatedEcs
from .simulated_ecs.simulation import CLUSTER
from .wire import PREFIX, Json


class Fleet(SimulatedEcs):
    """``size`` services, ``web-001`` and so on, in the cluster ECSCluster."""

    def __init__(
        self,
        size: int,
        now: Callable[[], float],
        prefix: str = PREFIX,
        shared: Sequence[Json] = (),
        **options: Any,
    ):
        """``prefix``: the beginning of its ARNs. ``shared``: bodies of RegisterTaskDefinition. The
        services run these revisions in turn. ``options``: those of ``SimulatedEcs.add_service``,
        for all services.
        """
        self.names = [f"web-{number:03d}" for number in range(1, size + 1)]
        options = {"image": "registry/app:1", "tags": {"team": "a"}, **options}
        super().__init__(
            Clock(now()),
            services={},
            service_deployments=False,
            has_limits=True,
            latency=0,
            prefix=prefix,
        )
        revisions = [self.world.register(body) for body in shared] or [None]
        for name, revision in zip(self.names, cycle(revisions), strict=False):
            self.add_service(CLUSTER, name, revision=revision, **options)
        self._first = len(self.world.task_definitions)
        self.updates: list[tuple[str, str]] = []
        """Each UpdateService: service and revision."""
        self._now = now
        self.around = self._at_its_time

    @property
    def registered(self) -> list[str]:
        """Each revision that was registered."""
        revisions = self.world.task_definitions[self._first :]
        return [found["taskDefinitionArn"].rpartition("/")[2] for found in revisions]

    def fail_services(self, *names: str) -> None:
        """From now on the tasks of these services exit."""
        for name in names:
            self.service_of(name).image = Image.exits(code=3)

    def boundary(self) -> Ecs:
        """The function's client, whose requests end here."""
        return Ecs(self.client(boundary._CONFIG))  # pylint: disable=protected-access

    def event(self, name: str, image: str = "registry/app:2", **fields: Any) -> Json:
        """An event that gives a service another image."""
        names = {"ecs_cluster_name": CLUSTER, "ecs_service_name": name, "ecs_image_name": image}
        return {**names, "ecs_tag": {"team": "a"}, **fields}

    def image(self, name: str) -> str:
        """The image of the newest deployment of a service."""
        revision = self.service_of(name).primary.revision
        return revision.task_definition["containerDefinitions"][0]["image"]

    def _at_its_time(self, _: Any, send: Callable[[], Any]) -> Any:
        """Lets happen what is due before a request."""
        self.clock.advance(self._now() - self.clock.now())
        return send()

    def answer(self, operation: str, body: Json) -> Json:
        content = super().answer(operation, body)
        if operation == "UpdateService":
            service = content["service"]
            revision = service["taskDefinition"].rpartition("/")[2]
            self.updates.append((service["serviceName"], revision))
        return content
