"""The life of tasks: placed, pulled, started, healthy or not, stopped. What each does is its
images' affair.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import wording
from .clock import Clock
from .deployments import Deployment
from .images import Image, Registry
from .service import Service
from .tasks import Container, Task


@dataclass(frozen=True)
class Timing:
    """How fast simulated ECS is: seconds."""

    steady_after: float = 15
    """How long all must be well until ECS calls a deployment completed."""
    stop_takes: float = 3
    """From the decision to stop a running task to its end."""
    lingers: float = 5
    """How long a replaced deployment without tasks is still listed; 0: it goes in the same
    moment.
    """
    retry_after: float = 5
    """From a task's failure to the next start; from the fourth failure on in a row it doubles, to
    27 minutes at most.
    """
    placement_retry: float = 20
    """From one attempt to place a task to the next."""
    service_deployment_starts_after: float = 1
    """How long a service deployment is PENDING."""
    rollback_starts_after: float = 1
    """How long one is ROLLBACK_REQUESTED."""
    stage_takes: float = 2
    """How long a lifecycle stage takes whose time nothing else decides."""


LONGEST_DELAY = 27 * 60
UNTHROTTLED_FAILURES = 3


class Runner:
    """Runs the tasks of one service.

    Calls ``changed`` whenever the scheduler has something to look at.
    """

    def __init__(
        self,
        service: Service,
        clock: Clock,
        registry: Registry,
        timing: Timing,
        new_id: Callable[[], str],
        changed: Callable[[], None],
        add_event: Callable[[str], None],
    ):
        self._service, self._clock, self._registry, self._timing = service, clock, registry, timing
        self._new_id, self._changed, self._add_event = new_id, changed, add_event

    def place(self, deployment: Deployment, wanted: int) -> None:
        """Starts up to ``wanted`` tasks of ``deployment``; where the cluster has no room for one,
        an event says so.
        """
        started = []
        for _ in range(wanted):
            containers = self._containers(deployment)
            reason = self._why_not_placed(deployment, containers)
            if reason:
                self._add_event(
                    f"(service {self._service.name}) was unable to place a task because {reason}"
                )
                deployment.task_failed()
                self._delay(deployment, self._timing.placement_retry)
                break
            started.append(self._launch(deployment, containers))
        for ids in _in_tens(started):
            self._add_event(
                f"(service {self._service.name}) has started {len(ids)} tasks: "
                f"{wording.tasks(ids)}."
            )

    def stop(self, tasks: list[Task], reason: str) -> None:
        """Stops tasks as the scheduler does: one that does not run yet ends at once, a running one
        takes its time.
        """
        running = [task for task in tasks if task.is_running]
        pending = [task for task in tasks if not task.is_running]
        for task in tasks:
            task.wants_to_stop(self._clock.now(), "ServiceSchedulerInitiated", reason)
        for task in pending:
            self._end(task)
        for task in running:
            self._clock.after(self._timing.stop_takes, lambda task=task: self._end(task, 143))
        if pending:
            self._add_event(f"(service {self._service.name}) stopped {len(pending)} pending tasks.")
        for ids in _in_tens(running):
            self._add_event(
                f"(service {self._service.name}) has stopped {len(ids)} running tasks: "
                f"{wording.tasks(ids)}."
            )

    def run_already(self, deployment: Deployment, wanted: int) -> None:
        """Has ``wanted`` tasks of ``deployment`` running and well since its beginning, without a
        word.
        """
        for _ in range(wanted):
            task = self._new_task(deployment, self._containers(deployment))
            task.last_status, task.created_at = "RUNNING", deployment.created_at
            task.started_at = task.pulled_at = deployment.created_at
            task.health = "HEALTHY" if task.has_health_check else "UNKNOWN"

    # How a task fares.

    def _launch(self, deployment: Deployment, containers: list[Container]) -> Task:
        task = self._new_task(deployment, containers)
        images = [container.image for container in containers]
        starts = max(image.starts_after for image in images)
        self._clock.after(min(2.0, starts / 2), lambda: self._is_pending(task))
        broken = next((container for container in containers if container.image.start_error), None)
        dying = self._first_to_exit(containers)
        for container in containers:
            if not container.essential and container.image.exit_code is not None:
                self._clock.after(
                    starts + container.image.exits_after,
                    lambda container=container: self._exits_alone(container),
                )
        if broken:
            self._clock.after(
                broken.image.starts_after, lambda: self._cannot_start(deployment, task, broken)
            )
        elif dying and not dying.image.shown_running:
            self._clock.after(
                starts + dying.image.exits_after, lambda: self._exits(deployment, task, dying)
            )
        else:
            self._clock.after(starts, lambda: self._runs(deployment, task, dying))
        return task

    def _new_task(self, deployment: Deployment, containers: list[Container]) -> Task:
        service = self._service
        task = Task(
            arn=f"{service.cluster_arn.replace(':cluster/', ':task/')}/{self._new_id()}",
            cluster_arn=service.cluster_arn,
            service_name=service.name,
            deployment_id=deployment.id,
            task_definition=deployment.revision.task_definition,
            containers=containers,
            created_at=self._clock.now(),
            launch_type=service.launch_type,
        )
        deployment.launched += 1
        deployment.tasks.append(task)
        service.tasks.append(task)
        return task

    def _is_pending(self, task: Task) -> None:
        if task.is_live and task.last_status == "PROVISIONING":
            task.last_status = "PENDING"

    def _runs(self, deployment: Deployment, task: Task, dying: Container | None) -> None:
        if not task.is_live:
            return
        now = self._clock.now()
        task.last_status, task.started_at, task.pulled_at = "RUNNING", now, now
        task.version += 1
        for image in {container.image for container in task.containers}:
            if image.unhealthy_after is not None:
                self._clock.after(
                    image.unhealthy_after, lambda: self._is_unhealthy(deployment, task)
                )
        if dying:
            self._clock.after(dying.image.exits_after, lambda: self._exits(deployment, task, dying))
        if not task.has_health_check:
            deployment.task_succeeded()
        self._changed()

    def _is_unhealthy(self, deployment: Deployment, task: Task) -> None:
        if not task.is_live:
            return
        task.health = "UNHEALTHY"
        self._add_event(
            f"(service {self._service.name}) (task {task.id}) failed container health checks."
        )
        deployment.task_failed()
        self.stop([task], wording.UNHEALTHY)
        self._changed()

    def _cannot_start(self, deployment: Deployment, task: Task, container: Container) -> None:
        if not task.is_live:
            return
        error = container.image.start_error.replace("{image}", container.reference)
        container.reason = error
        if not error.startswith("CannotPull"):
            task.pulled_at = self._clock.now()
        reason = wording.FAILED_TO_START if task.launch_type == "EC2" else error
        task.wants_to_stop(self._clock.now(), "TaskFailedToStart", reason)
        self._failed(deployment, counts=True)
        self._end(task)

    def _exits(self, deployment: Deployment, task: Task, container: Container) -> None:
        if not task.is_live:
            return
        container.exit_code, container.reason = (
            container.image.exit_code,
            container.image.exit_reason,
        )
        task.pulled_at = task.pulled_at or self._clock.now()
        task.wants_to_stop(self._clock.now(), "EssentialContainerExited", wording.ESSENTIAL_EXITED)
        self._failed(deployment, counts=task.never_ran)
        self._end(task, 137)

    @staticmethod
    def _exits_alone(container: Container) -> None:
        """A container that is not essential ends, and the task goes on."""
        container.exit_code, container.reason = (
            container.image.exit_code,
            container.image.exit_reason,
        )

    def _end(self, task: Task, exit_code: int | None = None) -> None:
        """The task has stopped; ``exit_code`` is that of the containers that had to stop with
        it.
        """
        task.last_status, task.stopped_at = "STOPPED", self._clock.now()
        task.version += 1
        for container in task.containers:
            if container.exit_code is None:
                container.exit_code = 1 if container.is_of_ecs else exit_code
        self._changed()

    # What comes of it.

    def _failed(self, deployment: Deployment, counts: bool) -> None:
        if counts:
            deployment.task_failed()
        throttled = max(0, deployment.failed_tasks - UNTHROTTLED_FAILURES)
        if throttled == 1:
            self._add_event(
                f"(service {self._service.name}) is unable to consistently start tasks "
                f"successfully. {wording.TROUBLESHOOTING}"
            )
        self._delay(deployment, min(self._timing.retry_after * 2**throttled, LONGEST_DELAY))

    def _delay(self, deployment: Deployment, seconds: float) -> None:
        deployment.not_before = max(deployment.not_before, self._clock.now() + seconds)
        self._clock.after(seconds, self._changed)

    def _containers(self, deployment: Deployment) -> list[Container]:
        digests = deployment.revision.digests
        added = [
            Container(name, "", "", Image.good(), is_of_ecs=True)
            for name in self._service.added_containers
        ]
        return added + [
            Container(
                name=definition["name"],
                reference=definition["image"],
                digest=digests[definition["image"]],
                image=(
                    self._service.image
                    or self._registry.image(definition["image"], digests[definition["image"]])
                ).of_task(deployment.launched),
                essential=definition.get("essential", True),
            )
            for definition in deployment.revision.task_definition["containerDefinitions"]
        ]

    def _why_not_placed(self, deployment: Deployment, containers: list[Container]) -> str:
        age = self._clock.now() - deployment.created_at
        return next(
            (
                c.image.placement
                for c in containers
                if c.image.placement and age < c.image.placed_after
            ),
            "",
        )

    @staticmethod
    def _first_to_exit(containers: list[Container]) -> Container | None:
        exiting = [
            container
            for container in containers
            if container.essential and container.image.exit_code is not None
        ]
        return min(exiting, key=lambda container: container.image.exits_after, default=None)


def _in_tens(tasks: list[Task]) -> list[list[str]]:
    return [[task.id for task in tasks[first : first + 10]] for first in range(0, len(tasks), 10)]
