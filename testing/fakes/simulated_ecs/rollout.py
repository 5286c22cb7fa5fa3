"""One update of the simulated service, made and looked at through the API alone."""

from typing import Any

from botocore.config import Config

from .images import Image
from .simulation import CLUSTER, CONTAINER, FAMILY, SERVICE, SimulatedEcs

NAMES = {"cluster": CLUSTER, "service": SERVICE}


class Rollout:
    """A service that has just been given ``app:2``, which does what ``image`` does; the options are
    those of ``SimulatedEcs``.
    """

    def __init__(self, image: Image, config: Config | None = None, **options: Any):
        self.sim = SimulatedEcs(**options)
        self.client = self.sim.client(config)
        self.old = self.sim.primary_id
        self.sim.publish("app:2", image)
        self.service = self.update("app:2")
        self.new = self.service["deployments"][0]["id"]

    def update(self, image: str) -> dict[str, Any]:
        """Registers a revision and gives it to the service; the service as UpdateService
        answers.
        """
        container = {"name": CONTAINER, "image": image, "memory": 128}
        registered = self.client.register_task_definition(
            family=FAMILY, containerDefinitions=[container]
        )
        arn = registered["taskDefinition"]["taskDefinitionArn"]
        return self.client.update_service(**NAMES, taskDefinition=arn)["service"]

    def look(self, after: float = 0) -> dict[str, Any]:
        """The service, some seconds later."""
        self.sim.clock.sleep(after)
        return self.client.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]

    def deployment(self, deployment_id: str, after: float = 0) -> dict[str, Any] | None:
        """One deployment of it, if it is listed."""
        return next((d for d in self.look(after)["deployments"] if d["id"] == deployment_id), None)

    def states(self, after: float = 0) -> dict[str, tuple[str, str, int]]:
        """Status, rollout state and failed tasks of the ``old`` deployment, the ``new`` one and
        ``another``.
        """
        names = {self.old: "old", self.new: "new"}
        return {
            names.get(deployment["id"], "another"): (
                deployment["status"],
                deployment["rolloutState"],
                deployment["failedTasks"],
            )
            for deployment in self.look(after)["deployments"]
        }

    def tasks(self, status: str = "STOPPED", deployment: str = "") -> list[dict[str, Any]]:
        """The tasks of a desired status; of one deployment where that is said."""
        listed = self.client.get_paginator("list_tasks").paginate(
            cluster=CLUSTER, serviceName=SERVICE, desiredStatus=status
        )
        arns = [arn for page in listed for arn in page["taskArns"]]
        found = []
        for first in range(0, len(arns), 100):
            found += self.client.describe_tasks(cluster=CLUSTER, tasks=arns[first : first + 100])[
                "tasks"
            ]
        return [task for task in found if deployment in ("", task["startedBy"])]

    def history(self) -> dict[str, Any]:
        """The newest service deployment, described."""
        (newest, *_) = self.client.list_service_deployments(**NAMES)["serviceDeployments"]
        arns = [newest["serviceDeploymentArn"]]
        return self.client.describe_service_deployments(serviceDeploymentArns=arns)[
            "serviceDeployments"
        ][0]
