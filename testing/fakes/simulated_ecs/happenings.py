"""What happens in the world beside the code under test, at once or at a later time: other people,
ECS itself, the network.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fakes.wire import THROTTLED, Killed, Wire

from . import wording
from .clock import Clock
from .images import Image, Registry
from .scheduler import Scheduler
from .service import Service
from .world import ADDED_BY_ECS, World


class Happenings(Wire):  # pylint: disable=abstract-method  # SimulatedEcs answers.
    """The methods with which a test lets things happen. A part of ``SimulatedEcs``."""

    clock: Clock
    images: Registry
    world: World
    scheduler: Scheduler
    fits_model = True
    """Whether every request and answer has to fit botocore's model."""

    @property
    def service(self) -> Service:
        """The service."""
        return self.scheduler.service

    def at(self, seconds: float) -> Any:
        """The same methods, for ``seconds`` from now: ``at(12).deploy("other:1")``."""
        return _Later(self, seconds)

    def publish(self, reference: str, image: Image) -> str:
        """Puts an image into the registry; returns its digest."""
        return self.images.publish(reference, image)

    def deploy(self, reference: str) -> str:
        """Somebody else deploys: a new revision with that image in the first container.

        Returns the deployment's id.
        """
        running = self.service.primary.revision.task_definition
        first, *others = running["containerDefinitions"]
        body = {name: value for name, value in running.items() if name not in ADDED_BY_ECS}
        found = self.world.register(
            body | {"containerDefinitions": [first | {"image": reference}, *others]}
        )
        return self.scheduler.deploy(self.world.new_revision(self.service, found)).id

    def redeploy(self, task_definition: str = "") -> str:
        """Somebody else deploys a revision that there is, by default the one that the service runs.

        Returns the deployment's id.
        """
        running = self.service.primary.revision.task_definition
        found = self.world.task_definition(task_definition) if task_definition else running
        return self.scheduler.deploy(self.world.new_revision(self.service, found)).id

    def deregister(self, task_definition: str) -> None:
        """Somebody deregisters a revision: it is INACTIVE."""
        self.world.deregister(task_definition)

    def delete_task_definition(self, task_definition: str, is_done: bool = False) -> None:
        """Somebody deletes a revision: it is DELETE_IN_PROGRESS, or gone where the deletion
        ``is_done``.
        """
        self.world.deregister(task_definition)
        self.world.delete(task_definition, is_done)

    def stop_deployment(self) -> None:
        """Somebody stops the current service deployment, with a rollback."""
        self.scheduler.stop_deployment(self.service.history[-1])

    def fail_hook(self, stage: str, target: str) -> None:
        """From now on the lifecycle hook of this stage fails."""
        self.service.failing_hooks[stage] = target

    def answer_hook(self, action: str = "CONTINUE") -> None:
        """Somebody answers the PAUSE hook that is awaited."""
        history = self.service.history[-1]
        assert history.awaited, f"no hook is awaited in {history.stage}, {history.status}"
        self.scheduler.lifecycle.answer(history, history.awaited.id, action)

    def trigger_alarm(self, name: str) -> None:
        """An alarm goes into the state ALARM."""
        self.scheduler.trigger_alarm(name)

    def fail_rollback(self, reason: str = wording.NO_CAPACITY) -> None:
        """From now on ECS cannot roll back."""
        self.service.rollback_failure = reason

    def show(self, **fields: Any) -> None:
        """DescribeServiceDeployments shows these fields of the current service deployment, whatever
        is so.
        """
        self.service.history[-1].shown = fields
        self.fits_model = False

    def forget_what_completed(self) -> None:
        """ECS has no deployment to roll back to."""
        self.service.completed.clear()

    def delete_service(self) -> None:
        """Somebody deletes the service."""
        self.scheduler.delete()

    def set_desired(self, desired: int) -> None:
        """Somebody, or an auto-scaler, sets the desired count."""
        self.scheduler.set_desired(desired)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Somebody sets the service's tags, all of them."""
        self.service.tags = dict(tags)

    def add_event(self, message: str) -> None:
        """ECS adds the service event ``message``; ``{service}`` becomes its name."""
        self.scheduler.add_event(message.replace("{service}", self.service.name))

    def throttle(self, operation: str, times: float = 1, seconds: float = float("inf")) -> None:
        """The next ``times`` calls of ``operation`` (``*``: any) are throttled, within ``seconds``
        from now.
        """
        self.fail(operation, THROTTLED, times=times, until=self.clock.now() + seconds)

    def kill(self, operation: str, after_effect: bool = False) -> None:
        """The process is killed at the next call of ``operation``: ``Killed`` is raised."""
        self.fail(operation, Killed(f"at {operation}"), after_effect=after_effect)


class _Later:
    """The methods of a simulation, each put on its clock's agenda."""

    def __init__(self, simulation: "Happenings", seconds: float):
        self._simulation, self._seconds = simulation, seconds

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._simulation, name)

        def put_off(*arguments: Any, **keywords: Any) -> None:
            self._simulation.clock.after(self._seconds, lambda: method(*arguments, **keywords))

        return put_off
