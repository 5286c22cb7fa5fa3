"""Tasks of no service: RunTask with its ``clientToken``, and StopTask.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

from typing import Any

from fakes.wire import Refusal

from . import wording
from .clock import Clock
from .images import Image
from .tasks import Container, Task

Body = dict[str, Any]


class StandaloneTasks:
    """The one-off tasks of all clusters."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self.all: list[Task] = []
        self.requests: list[Body] = []
        """What each of them was started with."""
        self.image = Image.exits(0, after=2, starts_after=2, shown_running=True)
        """What the container with a command of its own does."""
        self.failures: list[Body] = []
        """Why the next tasks cannot be placed, one by one."""

    def run(self, body: Body, cluster_arn: str, task_definition: Body, id_: str) -> Body:
        """RunTask: a second request with the same token gets the first one's task."""
        for request, task in zip(self.requests, self.all, strict=True):
            if request["clientToken"] == body["clientToken"]:
                if request != body:
                    raise Refusal("ConflictException", "clientToken is in use")
                return {"tasks": [task.to_wire()], "failures": []}
        if self.failures:
            return {"tasks": [], "failures": [self.failures.pop(0)]}
        override = body["overrides"]["containerOverrides"][0]
        task = Task(
            arn=f"{cluster_arn.replace(':cluster/', ':task/')}/{id_}",
            cluster_arn=cluster_arn,
            service_name="",
            deployment_id=body["startedBy"],
            task_definition=task_definition,
            containers=[
                Container(
                    definition["name"],
                    definition["image"],
                    "",
                    self.image if definition["name"] == override["name"] else Image.good(),
                    definition.get("essential", True),
                )
                for definition in task_definition["containerDefinitions"]
            ],
            created_at=self._clock.now(),
            launch_type=body.get("launchType", "FARGATE"),
        )
        self.requests.append(body)
        self.all.append(task)
        self._clock.after(self.image.starts_after, lambda: self._starts(task, override["name"]))
        return {"tasks": [task.to_wire()], "failures": []}

    def stop(self, body: Body) -> Body:
        """StopTask."""
        task = next((task for task in self.all if task.arn == body["task"]), None)
        if task is None:
            raise Refusal("InvalidParameterException", "The referenced task was not found.")
        if task.is_live:
            task.wants_to_stop(self._clock.now(), "UserInitiated", body["reason"])
            self._clock.after(1, lambda: self._ends(task, 143))
        return {"task": task.to_wire()}

    def _starts(self, task: Task, name: str) -> None:
        if not task.is_live:
            return
        task.last_status, task.started_at = "RUNNING", self._clock.now()
        image = next(container.image for container in task.containers if container.name == name)
        if image.exit_code is not None:
            self._clock.after(image.exits_after, lambda: self._exits(task, name))

    def _exits(self, task: Task, name: str) -> None:
        if task.is_live:
            container = next(item for item in task.containers if item.name == name)
            container.exit_code = container.image.exit_code
            container.reason = container.image.exit_reason
            if not container.essential and len(task.containers) > 1:
                return  # The others run on.
            task.wants_to_stop(
                self._clock.now(), "EssentialContainerExited", wording.ESSENTIAL_EXITED
            )
            self._ends(task, 143)

    def _ends(self, task: Task, exit_code: int) -> None:
        task.last_status, task.stopped_at = "STOPPED", self._clock.now()
        for container in task.containers:
            if container.exit_code is None:
                container.exit_code = exit_code
